//! What a revocation waits for.

use std::time::Duration;

use gatelodge::domain::Rotation;
use gatelodge::store::{Store as _, StoreError};

use super::{LONGEST, family, rotate, store};
use crate::harness::eventually::{Stopwatch, eventually, eventually_async};
use crate::harness::redis_server::{RedisServer, installed};

/// REL-04: where a replica is connected, a revocation counts when a replica has it. Until then the
/// caller is told to come again, also when there is nothing left to do on the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_04_a_revocation_that_no_replica_has_is_unavailable() {
    if !installed() {
        return;
    }
    let primary = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    let store = store(&primary.servers()).await;
    let alone = family(&store).await;
    assert!(store.end_grant(&alone).await.unwrap(), "without replicas nobody is waited for");

    let replica = RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    eventually("the replica is in step", Duration::from_secs(10), || {
        primary.ask::<String>("INFO replication").contains("state=online")
            && replica.ask::<String>("INFO replication").contains("master_link_status:up")
    });
    let acknowledged = family(&store).await;
    assert!(store.end_grant(&acknowledged).await.unwrap());
    let gone: u64 = replica.ask("DBSIZE");
    assert_eq!(gone, 0, "the replica had it before the caller was answered");

    let (ended, reused) = (family(&store).await, family(&store).await);
    for generation in [1, 2] {
        rotate(&store, reused, generation).await.unwrap();
    }
    replica.signal("STOP");
    for attempt in 0..2 {
        let begin = Stopwatch::start();
        let answer = store.end_grant(&ended).await;
        let told = matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("replica"));
        assert!(told, "attempt {attempt}: {answer:?}");
        assert!(begin.elapsed() <= LONGEST);
    }
    // A stolen token that ends its family is a revocation, too.
    assert!(matches!(rotate(&store, reused, 1).await, Err(StoreError::Unavailable(_))));
    assert_eq!(rotate(&store, reused, 3).await.unwrap(), Rotation::Gone, "ended all the same");
    // What is no revocation waits for nobody.
    let other = family(&store).await;
    rotate(&store, other, 1).await.unwrap();

    replica.signal("CONT");
    eventually_async("the revocation counts", LONGEST, async || store.end_grant(&ended).await.is_ok()).await;
}
