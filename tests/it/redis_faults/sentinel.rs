//! Failover by sentinels.

use std::collections::HashMap;
use std::time::Duration;

use gatelodge::domain::GrantState;
use gatelodge::secret::MasterSecret;
use gatelodge::store::redis::Servers;
use gatelodge::store::{RedisStore, Store as _};

use super::{Person, family};
use crate::harness::eventually::{Stopwatch, eventually, eventually_async};
use crate::harness::extent::{extent, figure};
use crate::harness::redis_sentinel::{DETECTION, SentinelRedis};
use crate::harness::redis_server::{RedisServer, installed};
use crate::harness::sample::NOW;

const PREFIX: &str = "t-failover:";
const PEOPLE: usize = 20;
const BOUND: Duration = Duration::from_secs(30);

/// REL-02, REL-08: failovers in the middle of refreshing, every twentieth by killing the primary while
/// one of the sentinels is frozen. Everybody stays signed in with one successor at a time; what fails
/// is 503; once the sentinels have another primary there is service within 3 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_02_failovers_in_the_middle_of_refreshing_lose_nobody() {
    if !installed() {
        return;
    }
    let rounds = extent(20, 200);
    let mut redis = SentinelRedis::start();
    let sealer = MasterSecret::generate().sealer();
    let store = RedisStore::connect(&redis.as_servers(), PREFIX, sealer.clone()).await.unwrap();
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(Person::new(&store).await);
    }
    let begin = Stopwatch::start();
    let (mut kills, mut detection, mut slowest) = (0, Duration::ZERO, Duration::ZERO);
    for round in 0..rounds {
        let revoked = family(&store).await;
        if round % 20 == 19 {
            let (named, served) = a_kill(&mut redis, &store, &mut people, kills).await;
            detection = detection.max(named);
            slowest = slowest.max(served.saturating_sub(named.max(DETECTION)));
            kills += 1;
        } else {
            a_handover(&redis, &store, &mut people, round).await;
        }
        for person in &mut people {
            eventually_async("everybody is served", BOUND, async || person.refresh(&store).await).await;
        }
        // The old primary takes writes until it is demoted. A revocation does not go there, and soon
        // nothing does.
        eventually_async("it is revoked", BOUND, async || store.end_grant(&revoked).await.is_ok()).await;
        let primary = redis.at(redis.named());
        let servers = Servers { shape: primary.servers().shape, ..redis.as_servers() };
        let there = RedisStore::connect(&servers, PREFIX, sealer.clone()).await.unwrap();
        assert_eq!(there.grant(&revoked, NOW).await.unwrap(), None, "round {round}");
        let person = &mut people[0];
        let soon = Duration::from_secs(3);
        eventually_async("writes go to the new primary", soon, async || {
            person.refresh(&store).await;
            let kept = there.grant(&person.id, NOW).await.unwrap().map(|grant| grant.state);
            matches!(kept, Some(GrantState::Active { generation, .. }) if generation == person.generation)
        })
        .await;
    }
    let took = begin.elapsed();
    assert!(slowest <= Duration::from_secs(3), "service {slowest:?} after the detection");
    let faults: usize = people.iter().map(|person| person.faults).sum();
    let refreshes: u64 = people.iter().map(|person| person.generation - 1).sum();
    let seen = format!(
        "{rounds} failovers, {kills} of them by `kill -9`: nobody of {PEOPLE} lost, no fork in {refreshes} refreshes, \
         {faults} at 503; service within {slowest:.1?} of another primary, which the sentinels had within {detection:.1?} of a kill; {took:.0?} in all"
    );
    figure("REL-02", "failover by sentinels in the middle of rotations", &seen);
}

/// A sentinel that was frozen only looks on for half a minute afterwards.
fn acts(sentinel: &RedisServer) -> bool {
    sentinel.ask::<String>("INFO sentinel").contains("sentinel_tilt:0")
}

/// The sentinels are asked for another primary; the old one lives on as a replica.
async fn a_handover(redis: &SentinelRedis, store: &RedisStore, people: &mut [Person], round: usize) {
    let before = redis.named();
    let awake = (0..3).map(|turn| &redis.sentinels[(round + turn) % 3]).find(|one| acts(one)).unwrap();
    // Refused while the last failover is not over.
    eventually("a failover begins", BOUND, || {
        let mut asked = redis::Cmd::new();
        asked.arg("SENTINEL").arg("FAILOVER").arg("main");
        asked.query::<()>(&mut awake.connection()).is_ok()
    });
    let begin = Stopwatch::start();
    while redis.named() == before {
        assert!(begin.elapsed() < BOUND, "round {round}: nobody else is named");
        for person in &mut *people {
            person.refresh(store).await;
        }
    }
}

/// The primary dies. Gives back when the sentinels had another one (it takes them longer when their
/// votes are split), and when somebody was served. Later the dead one is a replica of the new one.
async fn a_kill(
    redis: &mut SentinelRedis,
    store: &RedisStore,
    people: &mut [Person],
    kills: usize,
) -> (Duration, Duration) {
    // One fault at a time: sentinels do not survive the death of a primary whose promotion is not over.
    let is_calm = |sentinel: &RedisServer| {
        acts(sentinel) && sentinel.ask::<HashMap<String, String>>("SENTINEL MASTER main")["flags"] == "master"
    };
    eventually("every sentinel is calm", 2 * BOUND, || redis.sentinels.iter().all(is_calm));
    let before = redis.named();
    // This sentinel says nothing any more; the other two are a majority.
    let frozen = kills % 3;
    redis.sentinels[frozen].signal("STOP");
    redis.at(before).signal("KILL");
    eventually("it is dead", BOUND, || std::net::TcpStream::connect(("127.0.0.1", before)).is_err());
    let killed = Stopwatch::start();
    let others: Vec<_> = (0..3).filter(|at| *at != frozen).map(|at| &redis.sentinels[at]).collect();
    let another = eventually_async("the others have another primary", BOUND, async || {
        others.iter().all(|sentinel| SentinelRedis::named_by(sentinel) != before)
    });
    let service = async {
        while !people[0].refresh(store).await {
            assert!(killed.elapsed() <= BOUND);
            tokio::task::yield_now().await;
        }
        killed.elapsed()
    };
    let (named, served) = tokio::join!(another, service);
    redis.sentinels[frozen].signal("CONT");
    eventually("every sentinel knows the new primary", BOUND, || redis.named() != before);
    let primary = redis.named();
    let dead = redis.servers.iter_mut().find(|server| server.port == before).unwrap();
    dead.start_again();
    dead.ask::<()>(&format!("REPLICAOF 127.0.0.1 {primary}"));
    eventually("it is a replica now", BOUND, || {
        redis.at(primary).ask::<String>("INFO replication").matches("state=online").count() == 2
    });
    (named, served)
}
