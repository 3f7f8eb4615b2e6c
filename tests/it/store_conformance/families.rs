//! Refresh families: the second half of a grant's life.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{Grant, GrantId, LAST_GENERATION, Redemption, Rotation, RotationRules};
use gatelodge::store::Store;

use crate::harness::sample::{NOW, grant, later};

use super::backend::race;

const RULES: RotationRules =
    RotationRules { grace: Duration::from_secs(120), idle: Duration::from_secs(3600) };

const fn fresh(generation: u64) -> Rotation {
    Rotation::Successor { generation, fresh: true }
}

const fn again(generation: u64) -> Rotation {
    Rotation::Successor { generation, fresh: false }
}

/// A family of generation 1, redeemed at `NOW`.
async fn family_of(store: &dyn Store, grant: Grant) -> GrantId {
    store.open_grant(&grant, NOW).await.unwrap();
    let redeemed = store.redeem_code(&grant.id, NOW, RULES.idle).await.unwrap();
    assert_eq!(redeemed, Redemption::Redeemed);
    grant.id
}

async fn rotate(store: &dyn Store, id: GrantId, presented: u64, at: u64) -> Rotation {
    store.rotate_refresh(&id, presented, later(at), RULES).await.unwrap()
}

/// SEC-085, INT-61, REL-11 in short: 100 parallel refreshes of one token: one new generation, the same for all.
pub(super) async fn parallel_rotations_have_one_successor(store: Arc<dyn Store>) {
    let id = family_of(&*store, grant()).await;
    let results = race(100, |_| {
        let store = Arc::clone(&store);
        async move { store.rotate_refresh(&id, 1, later(1), RULES).await.unwrap() }
    })
    .await;
    assert_eq!(results.iter().filter(|result| **result == fresh(2)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == again(2)).count(), 99);
}

/// SEC-084: the last second of the grace window, and the first one after it.
pub(super) async fn a_late_duplicate_ends_the_family(store: Arc<dyn Store>) {
    let id = family_of(&*store, grant()).await;
    assert_eq!(rotate(&*store, id, 1, 10).await, fresh(2));
    assert_eq!(rotate(&*store, id, 1, 129).await, again(2));
    assert_eq!(rotate(&*store, id, 1, 130).await, Rotation::Reused);
    assert_eq!(rotate(&*store, id, 2, 130).await, Rotation::Gone);
    assert_eq!(store.grant(&id, later(130)).await.unwrap(), None);
    assert!(!store.end_grant(&id).await.unwrap(), "it was removed with the answer");
}

/// SEC-086: grace does not outlive the next rotation.
pub(super) async fn a_token_two_generations_old_ends_the_family_within_grace(store: Arc<dyn Store>) {
    let id = family_of(&*store, grant()).await;
    assert_eq!(rotate(&*store, id, 1, 0).await, fresh(2));
    assert_eq!(rotate(&*store, id, 2, 0).await, fresh(3));
    assert_eq!(rotate(&*store, id, 1, 0).await, Rotation::Reused);
    assert_eq!(rotate(&*store, id, 3, 0).await, Rotation::Gone);
}

/// SEC-085: a window of nothing is none, even in the same second.
pub(super) async fn without_grace_every_duplicate_is_reuse(store: Arc<dyn Store>) {
    let rules = RotationRules { grace: Duration::ZERO, ..RULES };
    let id = family_of(&*store, grant()).await;
    assert_eq!(store.rotate_refresh(&id, 1, NOW, rules).await.unwrap(), fresh(2));
    assert_eq!(store.rotate_refresh(&id, 1, NOW, rules).await.unwrap(), Rotation::Reused);
    assert_eq!(store.grant(&id, NOW).await.unwrap(), None);
}

/// PRIN-6: a store that lost its newest records accepts the genuine token and goes on from it.
pub(super) async fn a_token_from_ahead_heals_a_rollback(store: Arc<dyn Store>) {
    let id = family_of(&*store, grant()).await;
    assert_eq!(rotate(&*store, id, 7, 1).await, fresh(8));
    assert_eq!(rotate(&*store, id, 7, 1).await, again(8));
    assert_eq!(rotate(&*store, id, 8, 1).await, fresh(9));
    // As far as a double holds whole numbers, and no farther.
    assert_eq!(rotate(&*store, id, LAST_GENERATION, 1).await, Rotation::Gone);
    let big = LAST_GENERATION - 1;
    assert_eq!(rotate(&*store, id, big, 1).await, fresh(big + 1));
    assert_eq!(rotate(&*store, id, big, 1).await, again(big + 1));
    assert_eq!(rotate(&*store, id, big - 1, 1).await, Rotation::Reused);
}

/// SEC-086: a duplicate in the window gets nothing once the grant is over.
pub(super) async fn grace_does_not_outlive_the_grant(store: Arc<dyn Store>) {
    let id = family_of(&*store, Grant { ends_at: later(100), ..grant() }).await;
    assert_eq!(rotate(&*store, id, 1, 90).await, fresh(2));
    assert_eq!(rotate(&*store, id, 1, 99).await, again(2));
    assert_eq!(rotate(&*store, id, 1, 100).await, Rotation::Gone);
    assert_eq!(rotate(&*store, id, 2, 100).await, Rotation::Gone);
}

/// SEC-089: idle expiry, at the very second; a duplicate does not count as use.
pub(super) async fn an_idle_family_is_gone_and_use_keeps_it(store: Arc<dyn Store>) {
    let id = family_of(&*store, grant()).await;
    assert_eq!(rotate(&*store, id, 1, 3599).await, fresh(2));
    assert_eq!(rotate(&*store, id, 1, 3600).await, again(2));
    assert_eq!(rotate(&*store, id, 2, 3599 + 3600).await, Rotation::Gone);
    assert_eq!(rotate(&*store, id, 2, 3599 + 3599).await, fresh(3));
}

/// A refresh token of a grant whose code nobody redeemed cannot be: whoever shows one gets nothing,
/// and the code stays good.
pub(super) async fn a_family_before_its_code_is_redeemed_is_gone(store: Arc<dyn Store>) {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    for presented in [0, 1, 2, u64::MAX] {
        assert_eq!(rotate(&*store, opened.id, presented, 0).await, Rotation::Gone);
    }
    assert_eq!(rotate(&*store, grant().id, 1, 0).await, Rotation::Gone);
    assert_eq!(store.grant(&opened.id, NOW).await.unwrap(), Some(opened));
}

/// SEC-169: ending is one write, seen by whoever asks next.
pub(super) async fn an_ended_grant_is_gone(store: Arc<dyn Store>) {
    let id = family_of(&*store, grant()).await;
    assert!(store.end_grant(&id).await.unwrap());
    assert!(!store.end_grant(&id).await.unwrap());
    assert_eq!(store.grant(&id, NOW).await.unwrap(), None);
    assert_eq!(rotate(&*store, id, 1, 0).await, Rotation::Gone);
}
