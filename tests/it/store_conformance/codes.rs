//! Authorization codes: the first half of a grant's life.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{Grant, GrantState, Redemption};
use gatelodge::store::Store;

use crate::harness::sample::{NOW, grant, later};

use super::backend::race;

const IDLE: Duration = Duration::from_secs(3600);

async fn redeem(store: &dyn Store, grant: &Grant, at: u64) -> Redemption {
    store.redeem_code(&grant.id, later(at), IDLE).await.unwrap()
}

/// Everything about a grant survives, whichever way it is laid out.
pub(super) async fn a_grant_comes_back_as_it_was(store: Arc<dyn Store>) {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    assert_eq!(store.grant(&opened.id, NOW).await.unwrap(), Some(opened.clone()));
    assert_eq!(store.grant(&grant().id, NOW).await.unwrap(), None);
    assert_eq!(redeem(&*store, &opened, 10).await, Redemption::Redeemed);
    let active = Grant {
        state: GrantState::Active { generation: 1, rotated_at: later(10) },
        expires_at: later(3610),
        ..opened.clone()
    };
    assert_eq!(store.grant(&opened.id, later(10)).await.unwrap(), Some(active));
}

/// SEC-078, REL-10 in short: of 100 parallel redemptions exactly one is told so.
pub(super) async fn one_of_many_redeems_a_code(store: Arc<dyn Store>) {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    let results = race(100, |_| {
        let (store, id) = (Arc::clone(&store), opened.id);
        async move { store.redeem_code(&id, NOW, IDLE).await.unwrap() }
    })
    .await;
    assert_eq!(results.iter().filter(|result| **result == Redemption::Redeemed).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Redemption::AlreadyRedeemed).count(), 99);
}

/// SEC-081: an expired code is no code, at the very second.
pub(super) async fn a_code_is_gone_at_its_end(store: Arc<dyn Store>) {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    assert_eq!(redeem(&*store, &opened, 60).await, Redemption::Gone);
    assert_eq!(store.grant(&opened.id, later(60)).await.unwrap(), None);
    assert_eq!(redeem(&*store, &opened, 59).await, Redemption::Redeemed);
    assert_eq!(redeem(&*store, &grant(), 0).await, Redemption::Gone, "never opened");
}

/// SEC-076: a replay is recognised for as long as the grant lives, so that it can be ended.
pub(super) async fn a_replay_is_told_apart_after_redemption(store: Arc<dyn Store>) {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    assert_eq!(redeem(&*store, &opened, 0).await, Redemption::Redeemed);
    assert_eq!(redeem(&*store, &opened, 3599).await, Redemption::AlreadyRedeemed);
    assert_eq!(redeem(&*store, &opened, 3600).await, Redemption::Gone);
}

/// SEC-089: the absolute end holds against a long idle time.
pub(super) async fn the_idle_end_never_passes_the_grants_end(store: Arc<dyn Store>) {
    let opened = Grant { ends_at: later(100), ..grant() };
    store.open_grant(&opened, NOW).await.unwrap();
    assert_eq!(redeem(&*store, &opened, 0).await, Redemption::Redeemed);
    let active = store.grant(&opened.id, later(99)).await.unwrap().unwrap();
    assert_eq!(active.expires_at, later(100));
    assert_eq!(store.grant(&opened.id, later(100)).await.unwrap(), None);
}
