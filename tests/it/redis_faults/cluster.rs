//! Slots that move, and a primary that dies.

use std::time::Duration;

use super::{Person, store};
use crate::harness::eventually::{Stopwatch, eventually, eventually_async};
use crate::harness::extent::{extent, figure};
use crate::harness::redis_cluster::ClusterRedis;
use crate::harness::redis_server::{RedisServer, installed};
use gatelodge::secret::MasterSecret;
use gatelodge::store::{RedisStore, Store as _};

const BOUND: Duration = Duration::from_secs(30);
const PEOPLE: usize = 30;

/// REL-08: a slot moves to another node, key by key, in the middle of refreshing (`ASK`, then
/// `MOVED`), and nobody notices. REL-02: then a primary is killed; its people are served again when
/// its replica has taken over, everybody else all the time. Later it comes back as a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_08_moving_slots_and_a_dead_primary_lose_nobody() {
    if !installed() {
        return;
    }
    let mut redis = ClusterRedis::start();
    let moves = extent(1, 100);
    for _ in 0..moves {
        a_slot_moves(&redis).await;
    }
    let seen = format!("{moves} slots moved: every refresh served, before, during and after");
    figure("REL-08", "`ASK` and `MOVED`: a slot moves to another node of a cluster", &seen);
    let (deaths, mut away, mut slowest) = (extent(1, 10), 0, Duration::ZERO);
    for death in 0..deaths {
        let (met, recovered) = a_primary_dies(&mut redis, death).await;
        away += met;
        slowest = slowest.max(recovered);
    }
    // Two seconds until it is taken for dead, a vote, and three seconds.
    assert!(slowest <= Duration::from_secs(8), "{slowest:?}");
    let seen = format!(
        "{deaths} times: nobody of {PEOPLE} lost, {away} people met 503; all served within {slowest:.1?}"
    );
    figure("REL-02", "a cluster's primary is killed", &seen);
}

async fn a_slot_moves(redis: &ClusterRedis) {
    let prefix = "t-moves:";
    let store =
        RedisStore::connect(&redis.as_servers(), prefix, MasterSecret::generate().sealer()).await.unwrap();
    let mut person = Person::new(&store).await;
    let key = format!("{prefix}1:person:{{{}}}", person.id.person());
    let from = redis.owner(&key, &redis.nodes[0]);
    let to = redis.nodes[..3].iter().find(|node| node.port != from.port).unwrap();
    let id = |node: &RedisServer| node.ask::<String>("CLUSTER MYID");
    let slot: u16 = from.ask(&format!("CLUSTER KEYSLOT {key}"));
    assert!(person.refresh(&store).await);
    to.ask::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(from)));
    from.ask::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(to)));
    assert!(person.refresh(&store).await, "the key has not moved yet");
    from.ask::<String>(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port));
    for _ in 0..3 {
        assert!(person.refresh(&store).await, "ASK");
    }
    for node in [to, from] {
        node.ask::<()>(&format!("CLUSTER SETSLOT {slot} NODE {}", id(to)));
    }
    for _ in 0..3 {
        assert!(person.refresh(&store).await, "MOVED");
    }
    assert!(store.end_grant(&person.id).await.unwrap(), "a revocation finds its way, too");
    assert_eq!(person.faults, 0);
}

/// Gives back how many people met a 503, and how long it took until everybody was served.
async fn a_primary_dies(redis: &mut ClusterRedis, death: usize) -> (usize, Duration) {
    let store = store(&redis.as_servers()).await;
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(Person::new(&store).await);
    }
    for person in &mut people {
        assert!(person.refresh(&store).await);
    }
    let is_primary = |node: &RedisServer| node.ask::<String>("INFO replication").contains("role:master");
    let primary = (0..6).map(|turn| (death + turn) % 6).find(|at| is_primary(&redis.nodes[*at])).unwrap();
    redis.nodes[primary].signal("KILL");
    let killed = Stopwatch::start();
    let mut away = 0;
    for person in &mut people {
        away += usize::from(!person.refresh(&store).await);
    }
    assert!(away > 0 && away < people.len(), "one of three primaries is away: {away}");
    for person in &mut people {
        eventually_async("everybody is served", BOUND, async || person.refresh(&store).await).await;
    }
    let recovered = killed.elapsed();
    redis.nodes[primary].start_again();
    eventually("it is a replica now", BOUND, || {
        redis.nodes[primary].ask::<String>("INFO replication").contains("master_link_status:up")
    });
    (away, recovered)
}
