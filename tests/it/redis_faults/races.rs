//! Three replicas on one Redis, and many callers who present the same at the same moment.

use std::sync::Arc;

use futures::future::join_all;
use gatelodge::domain::{Redemption, Rotation};
use gatelodge::secret::MasterSecret;
use gatelodge::store::{RedisStore, Store};
use tokio::sync::Barrier;

use super::{family, redeem, rotate};
use crate::harness::eventually::Stopwatch;
use crate::harness::extent::{extent, figure};
use crate::harness::redis_server::{fresh_prefix, shared};
use crate::harness::sample::{NOW, grant};

const REPLICAS: usize = 3;

/// The stores of three replicas; None where there is no Redis.
async fn replicas() -> Option<Vec<Arc<dyn Store>>> {
    let (server, prefix, secret) = (shared()?, fresh_prefix(), MasterSecret::generate());
    let mut stores = Vec::new();
    for _ in 0..REPLICAS {
        let store = RedisStore::connect(&server.servers(), &prefix, secret.sealer()).await.unwrap();
        stores.push(Arc::new(store) as Arc<dyn Store>);
    }
    Some(stores)
}

/// Everybody at once: so many callers at each replica.
async fn race<T, F>(stores: &[Arc<dyn Store>], callers: usize, work: impl Fn(Arc<dyn Store>) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(callers));
    let tasks = (0..callers).map(|number| {
        let (gate, work) = (Arc::clone(&gate), work(Arc::clone(&stores[number % stores.len()])));
        tokio::spawn(async move {
            gate.wait().await;
            work.await
        })
    });
    join_all(tasks.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect()
}

/// REL-10: of 20 callers at each of three replicas, who all redeem one code, one is told that it was
/// the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_10_a_code_is_redeemed_once_over_three_replicas() {
    const CALLERS: usize = 20 * REPLICAS;
    let Some(stores) = replicas().await else { return };
    let rounds = extent(20, 10_000);
    let begin = Stopwatch::start();
    let mut extra = 0;
    for round in 0..rounds {
        let opened = grant();
        stores[round % REPLICAS].open_grant(&opened, NOW).await.unwrap();
        let id = opened.id;
        let answers = race(&stores, CALLERS, |store| async move { redeem(&*store, id).await }).await;
        let told = |what| answers.iter().filter(|answer| **answer == what).count();
        assert_eq!(told(Redemption::Redeemed) + told(Redemption::AlreadyRedeemed), CALLERS, "{answers:?}");
        assert!(told(Redemption::Redeemed) > 0, "nobody was the first");
        extra += told(Redemption::Redeemed) - 1;
    }
    assert_eq!(extra, 0);
    let took = begin.elapsed();
    let seen = format!(
        "{rounds} rounds x {REPLICAS} replicas x 20 callers: {extra} extra redemptions, in {took:.0?}"
    );
    figure("REL-10", "one code, redeemed by many at once", &seen);
}

/// REL-11: of ten callers at three replicas, who all refresh with one token, everybody gets the same
/// successor, and the family goes on from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_11_parallel_refreshes_have_one_successor_over_three_replicas() {
    const CALLERS: usize = 10;
    let Some(stores) = replicas().await else { return };
    let rounds = extent(100, 1000);
    let id = family(&*stores[0]).await;
    for round in 1..=rounds as u64 {
        let answers =
            race(&stores, CALLERS, |store| async move { rotate(&*store, id, round).await.unwrap() });
        let answers = answers.await;
        let told = |fresh| {
            let successor = Rotation::Successor { generation: round + 1, fresh };
            answers.iter().filter(|answer| **answer == successor).count()
        };
        assert_eq!((told(true), told(false)), (1, CALLERS - 1), "{answers:?}");
    }
    assert_eq!(stores[1].grant(&id, NOW).await.unwrap().map(|grant| grant.id), Some(id), "it lives");
    let seen = format!(
        "{rounds} rounds x {CALLERS} callers at {REPLICAS} replicas: 1 distinct successor each, no family ended"
    );
    figure("REL-11", "one refresh token, used by many at once", &seen);
}
