//! Failover by sentinels.

use std::time::Duration;

use gatelodge::domain::GrantState;
use gatelodge::secret::MasterSecret;
use gatelodge::store::redis::Servers;
use gatelodge::store::{RedisStore, Store as _};

use super::{Person, family};
use crate::harness::eventually::{Stopwatch, eventually, eventually_async};
use crate::harness::extent::{extent, figure};
use crate::harness::redis_sentinel::{DETECTION, SentinelRedis};
use crate::harness::redis_server::installed;
use crate::harness::sample::NOW;

const PREFIX: &str = "t-failover:";
const PEOPLE: usize = 20;
const BOUND: Duration = Duration::from_secs(30);

/// REL-02, REL-08: twenty failovers in the middle of refreshing, the last by killing the primary.
/// Everybody stays signed in with one successor at a time; what fails is 503; after the kill, with
/// one sentinel frozen, there is service within the detection and 3 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_02_failovers_in_the_middle_of_refreshing_lose_nobody() {
    if !installed() {
        return;
    }
    let rounds = extent(20, 200);
    let redis = SentinelRedis::start();
    let sealer = MasterSecret::generate().sealer();
    let store = RedisStore::connect(&redis.as_servers(), PREFIX, sealer.clone()).await.unwrap();
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(Person::new(&store).await);
    }
    let begin = Stopwatch::start();
    for round in 0..rounds - 1 {
        let (before, revoked) = (redis.named(), family(&store).await);
        // Refused while the last failover is not over.
        eventually("a failover begins", BOUND, || {
            let mut asked = redis::Cmd::new();
            asked.arg("SENTINEL").arg("FAILOVER").arg("main");
            asked.query::<()>(&mut redis.sentinels[round % 3].connection()).is_ok()
        });
        while redis.named() == before {
            assert!(begin.elapsed() < BOUND * 3 * u32::try_from(rounds).unwrap() / 20);
            for person in &mut people {
                person.refresh(&store).await;
            }
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
    let planned = begin.elapsed();
    let before = redis.named();
    // One of the three sentinels says nothing any more; the other two are a majority.
    redis.sentinels[0].signal("STOP");
    redis.at(before).signal("KILL");
    eventually("it is dead", BOUND, || std::net::TcpStream::connect(("127.0.0.1", before)).is_err());
    let killed = Stopwatch::start();
    let faults: usize = people.iter().map(|person| person.faults).sum();
    while !people[0].refresh(&store).await {
        assert!(killed.elapsed() <= BOUND);
        tokio::task::yield_now().await;
    }
    let recovered = killed.elapsed();
    assert!(recovered <= DETECTION + Duration::from_secs(3), "service again after {recovered:?}");
    for person in &mut people {
        eventually_async("everybody is served", BOUND, async || person.refresh(&store).await).await;
    }
    let seen = format!(
        "{rounds} failovers: nobody lost; {faults} refreshes at 503 in {planned:.1?}; service {recovered:.1?} after the kill"
    );
    figure("REL-02", "failover by sentinels in the middle of rotations", &seen);
}
