//! Sign-ins under way.

use std::sync::Arc;

use gatelodge::domain::LoginId;
use gatelodge::store::Store;

use crate::harness::sample::{NOW, at_upstream, later, login};

use super::backend::race;

/// SEC-042: a sign-in is over at its end, by the caller's present.
pub(super) async fn a_login_is_over_at_its_end(store: Arc<dyn Store>) {
    let begun = login();
    store.begin_login(&begun, NOW).await.unwrap();
    assert_eq!(store.login(&begun.id, NOW).await.unwrap(), Some(begun.clone()));
    assert_eq!(store.login(&begun.id, later(599)).await.unwrap(), Some(begun.clone()));
    assert_eq!(store.login(&begun.id, later(600)).await.unwrap(), None);
    assert_eq!(store.login(&LoginId::generate(), NOW).await.unwrap(), None);
    assert_eq!(store.take_login(&begun.id, later(600)).await.unwrap(), None);
}

/// SEC-165: two clicks on the consent page: one moves the sign-in, and its upstream is the one.
pub(super) async fn one_of_many_advances_a_login(store: Arc<dyn Store>) {
    let begun = login();
    store.begin_login(&begun, NOW).await.unwrap();
    let moved = race(100, |number| {
        let (store, next) = (Arc::clone(&store), at_upstream(&begun, &format!("upstream-{number}")));
        async move { store.advance_login(&next, 0, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(moved.iter().filter(|won| **won).count(), 1);
    let winner = moved.iter().position(|won| *won).unwrap();
    let stored = store.login(&begun.id, NOW).await.unwrap().unwrap();
    assert_eq!(stored, at_upstream(&begun, &format!("upstream-{winner}")));
    assert!(!store.advance_login(&begun, 0, NOW).await.unwrap(), "it is no longer at step 0");
    assert!(store.advance_login(&begun, 1, NOW).await.unwrap(), "it is at step 1");
    assert_eq!(store.login(&begun.id, NOW).await.unwrap(), Some(begun));
}

/// SEC-042: what is over does not come back to life.
pub(super) async fn an_expired_login_does_not_advance(store: Arc<dyn Store>) {
    let begun = login();
    store.begin_login(&begun, NOW).await.unwrap();
    let next = at_upstream(&begun, "okta");
    assert!(!store.advance_login(&next, 0, later(600)).await.unwrap());
    assert!(store.advance_login(&next, 0, later(599)).await.unwrap());
    assert!(!store.advance_login(&at_upstream(&login(), "okta"), 0, NOW).await.unwrap(), "never begun");
}

/// SEC-042, SEC-057: the callback's state is used once, by one.
pub(super) async fn one_of_many_takes_a_login(store: Arc<dyn Store>) {
    let begun = at_upstream(&login(), "okta");
    store.begin_login(&begun, NOW).await.unwrap();
    let taken = race(100, |_| {
        let (store, id) = (Arc::clone(&store), begun.id.clone());
        async move { store.take_login(&id, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), vec![begun.clone()]);
    assert_eq!(store.login(&begun.id, NOW).await.unwrap(), None);
}
