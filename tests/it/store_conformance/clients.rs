//! Registered clients.

use std::sync::Arc;

use gatelodge::domain::{Client, ClientId};
use gatelodge::secret::Digest;
use gatelodge::store::Store;

use crate::harness::sample::{NOW, client, later};

use super::backend::race;

/// PRIN-7: expiry is decided by the caller's present, at the very second.
pub(super) async fn a_client_comes_back_as_it_was_until_it_expires(store: Arc<dyn Store>) {
    let known = client("a");
    store.register_client(&known).await.unwrap();
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(known.clone()));
    assert_eq!(store.client(&known.id, later(3599)).await.unwrap(), Some(known.clone()));
    assert_eq!(store.client(&known.id, later(3600)).await.unwrap(), None);
    assert_eq!(store.client(&ClientId::new("b"), NOW).await.unwrap(), None);

    let for_ever = Client { expires_at: None, ..client("for ever") };
    store.register_client(&for_ever).await.unwrap();
    assert_eq!(store.client(&for_ever.id, later(1 << 40)).await.unwrap(), Some(for_ever));
}

/// INT-36: use moves the end of a registration forward, never back.
pub(super) async fn keeping_a_client_never_shortens_its_life(store: Arc<dyn Store>) {
    let known = client("a");
    store.register_client(&known).await.unwrap();
    store.keep_client(&known.id, later(60)).await.unwrap();
    assert!(store.client(&known.id, later(3599)).await.unwrap().is_some());
    store.keep_client(&known.id, later(7200)).await.unwrap();
    let kept = Client { expires_at: Some(later(7200)), ..known.clone() };
    assert_eq!(store.client(&known.id, later(7199)).await.unwrap(), Some(kept));
    assert_eq!(store.client(&known.id, later(7200)).await.unwrap(), None);

    let for_ever = Client { expires_at: None, ..client("for ever") };
    store.register_client(&for_ever).await.unwrap();
    store.keep_client(&for_ever.id, later(60)).await.unwrap();
    assert!(store.client(&for_ever.id, later(1 << 40)).await.unwrap().is_some());

    store.keep_client(&ClientId::new("nobody"), later(60)).await.unwrap();
    assert_eq!(store.client(&ClientId::new("nobody"), NOW).await.unwrap(), None);
}

/// SEC-068: of many who bring one assertion, at any replica, one is the first.
pub(super) async fn one_of_many_uses_an_assertion(store: Arc<dyn Store>) {
    let [first, second] = ["first", "second"].map(Digest::of);
    let uses = race(50, |_| {
        let (store, first) = (Arc::clone(&store), first.clone());
        async move { store.use_assertion(&first, later(60), NOW).await.unwrap() }
    });
    assert_eq!(uses.await.into_iter().filter(|used| *used).count(), 1);
    assert!(!store.use_assertion(&first, later(60), later(59)).await.unwrap());
    assert!(store.use_assertion(&second, later(60), NOW).await.unwrap());
}

/// SEC-167: whatever stands in a client id, it meets no other record.
pub(super) async fn hostile_client_ids_do_not_meet(store: Arc<dyn Store>) {
    let long = "x".repeat(4096);
    let longer = format!("{long}x");
    let ids = [
        "",
        "a",
        "A",
        "a ",
        "{a}",
        "{}",
        "}{",
        "a\r\nb",
        "a\0b",
        "a:b",
        "*",
        "gl:1:client:{a}",
        &long,
        &longer,
    ];
    for id in ids {
        store.register_client(&client(id)).await.unwrap();
    }
    for id in ids {
        assert_eq!(store.client(&ClientId::new(id), NOW).await.unwrap(), Some(client(id)), "{id:?}");
    }
    assert_eq!(store.client(&ClientId::new("b"), NOW).await.unwrap(), None);
}
