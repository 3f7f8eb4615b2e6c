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
    store.remember_client(&known).await.unwrap();
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(known.clone()));
    assert_eq!(store.client(&known.id, later(3599)).await.unwrap(), Some(known.clone()));
    assert_eq!(store.client(&known.id, later(3600)).await.unwrap(), None);
    assert_eq!(store.client(&ClientId::new("b"), NOW).await.unwrap(), None);

    let for_ever = Client { expires_at: None, ..client("for ever") };
    store.remember_client(&for_ever).await.unwrap();
    assert_eq!(store.client(&for_ever.id, later(1 << 40)).await.unwrap(), Some(for_ever));
}

/// INT-36: use moves the end of a registration forward, never back.
pub(super) async fn keeping_a_client_never_shortens_its_life(store: Arc<dyn Store>) {
    let known = client("a");
    store.remember_client(&known).await.unwrap();
    store.keep_client(&known.id, later(60)).await.unwrap();
    assert!(store.client(&known.id, later(3599)).await.unwrap().is_some());
    store.keep_client(&known.id, later(7200)).await.unwrap();
    let kept = Client { expires_at: Some(later(7200)), ..known.clone() };
    assert_eq!(store.client(&known.id, later(7199)).await.unwrap(), Some(kept));
    assert_eq!(store.client(&known.id, later(7200)).await.unwrap(), None);

    let for_ever = Client { expires_at: None, ..client("for ever") };
    store.remember_client(&for_ever).await.unwrap();
    store.keep_client(&for_ever.id, later(60)).await.unwrap();
    assert!(store.client(&for_ever.id, later(1 << 40)).await.unwrap().is_some());

    store.keep_client(&ClientId::new("nobody"), later(60)).await.unwrap();
    assert_eq!(store.client(&ClientId::new("nobody"), NOW).await.unwrap(), None);
}

/// What is still there of these.
async fn left(store: &dyn Store, ids: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut left = Vec::new();
    for id in ids {
        if store.client(&ClientId::new(&id), NOW).await.unwrap().is_some() {
            left.push(id);
        }
    }
    left
}

/// SEC-113, INT-36: of those that nobody has used the oldest makes room; one that is used never does,
/// and takes nobody's place.
pub(super) async fn the_oldest_unused_client_makes_room(store: Arc<dyn Store>) {
    let numbered = |numbers: std::ops::Range<u32>| numbers.map(|number| format!("unused {number}"));
    for id in numbered(0..5) {
        store.register_client(&client(&id), 3).await.unwrap();
    }
    assert_eq!(left(&*store, numbered(0..5)).await, ["unused 2", "unused 3", "unused 4"]);
    // Also where the end is not moved: whoever is used is used.
    assert!(store.keep_client(&ClientId::new("unused 2"), later(60)).await.unwrap());
    assert!(store.keep_client(&ClientId::new("unused 3"), later(7200)).await.unwrap());
    assert!(!store.keep_client(&ClientId::new("unused 0"), later(7200)).await.unwrap());
    for id in numbered(5..9) {
        store.register_client(&client(&id), 3).await.unwrap();
    }
    let expected = ["unused 2", "unused 3", "unused 6", "unused 7", "unused 8"];
    assert_eq!(left(&*store, numbered(0..9)).await, expected);
    // A lower bound is reached step by step.
    for id in numbered(9..11) {
        store.register_client(&client(&id), 1).await.unwrap();
    }
    assert_eq!(left(&*store, numbered(0..11)).await, ["unused 2", "unused 3", "unused 10"]);
}

/// SEC-113: whoever races, the bound holds, and nobody who is used is lost.
pub(super) async fn the_bound_on_unused_clients_holds_in_a_race(store: Arc<dyn Store>) {
    let used: Vec<String> = (0..5).map(|number| format!("used {number}")).collect();
    for id in &used {
        store.register_client(&client(id), 20).await.unwrap();
    }
    race(65, |number| {
        let store = Arc::clone(&store);
        async move {
            match number {
                0..5 => {
                    let id = ClientId::new(format!("used {number}"));
                    assert!(store.keep_client(&id, later(7200)).await.unwrap(), "not among the oldest yet");
                }
                _ => store.register_client(&client(&format!("racer {number}")), 70).await.unwrap(),
            }
        }
    })
    .await;
    race(60, |number| {
        let store = Arc::clone(&store);
        async move { store.register_client(&client(&format!("late {number}")), 20).await.unwrap() }
    })
    .await;
    assert_eq!(left(&*store, used.clone()).await, used);
    let all = (0..65).flat_map(|number| [format!("racer {number}"), format!("late {number}")]);
    let left = left(&*store, all).await;
    assert_eq!(left.len(), 20, "{left:?}");
    assert!(left.iter().all(|id| id.starts_with("late")), "{left:?}");
}

/// RFC 7592: what a client says is replaced, and neither its end nor that nobody used it.
pub(super) async fn an_updated_client_lives_as_long_as_before(store: Arc<dyn Store>) {
    let said = |id: &str| Client { name: Some("other".into()), expires_at: None, ..client(id) };
    assert!(!store.update_client(&said("a")).await.unwrap());
    store.register_client(&client("a"), 1).await.unwrap();
    assert!(store.update_client(&said("a")).await.unwrap());
    let expected = Client { expires_at: Some(later(3600)), ..said("a") };
    assert_eq!(store.client(&expected.id, NOW).await.unwrap(), Some(expected.clone()));
    store.register_client(&client("b"), 1).await.unwrap();
    assert_eq!(store.client(&expected.id, NOW).await.unwrap(), None, "nobody had used it");
    store.keep_client(&ClientId::new("b"), later(7200)).await.unwrap();
    assert!(store.update_client(&said("b")).await.unwrap());
    let kept = store.client(&ClientId::new("b"), later(7199)).await.unwrap().unwrap();
    assert_eq!((kept.name.as_deref(), kept.expires_at), (Some("other"), Some(later(7200))));
}

/// SEC-115: what is forgotten is gone, and its place is free; a used client is not forgotten as an
/// unused one.
pub(super) async fn a_forgotten_client_is_gone(store: Arc<dyn Store>) {
    let [a, b] = ["a", "b"].map(ClientId::new);
    for id in ["a", "b"] {
        store.register_client(&client(id), 2).await.unwrap();
    }
    assert!(store.keep_client(&b, later(60)).await.unwrap());
    assert!(!store.forget_unused_client(&b).await.unwrap());
    assert!(store.forget_unused_client(&a).await.unwrap());
    assert!(!store.forget_unused_client(&a).await.unwrap());
    assert!(store.client(&b, NOW).await.unwrap().is_some());
    assert!(store.forget_client(&b).await.unwrap());
    assert!(!store.forget_client(&b).await.unwrap());
    assert_eq!(left(&*store, ["a".to_owned(), "b".to_owned()]).await, Vec::<String>::new());
    for id in ["c", "d"] {
        store.register_client(&client(id), 2).await.unwrap();
    }
    assert_eq!(left(&*store, ["c".to_owned(), "d".to_owned()]).await, ["c", "d"]);
}

/// SEC-115: whatever happens at the same moment, what was forgotten is gone, and what was changed is not lost.
pub(super) async fn a_first_use_races_with_changes(store: Arc<dyn Store>) {
    let other = |id: &str| Client { name: Some("other".into()), expires_at: None, ..client(id) };
    for number in 0..10 {
        let [gone, changed] = ["gone", "changed"].map(|what| format!("{what} {number}"));
        for id in [&gone, &changed] {
            store.register_client(&client(id), 100).await.unwrap();
        }
        race(5, |racer| {
            let (store, gone, changed) = (Arc::clone(&store), gone.clone(), changed.clone());
            async move {
                match racer {
                    0 => assert!(store.forget_client(&ClientId::new(gone)).await.unwrap()),
                    1 => assert!(store.update_client(&other(&changed)).await.unwrap()),
                    2 => assert!(store.keep_client(&ClientId::new(changed), later(7200)).await.unwrap()),
                    _ => drop(store.keep_client(&ClientId::new(gone), later(7200)).await.unwrap()),
                }
            }
        })
        .await;
        assert_eq!(store.client(&ClientId::new(&gone), NOW).await.unwrap(), None, "{gone}");
        let left = store.client(&ClientId::new(&changed), NOW).await.unwrap();
        assert_eq!(left, Some(Client { expires_at: Some(later(7200)), ..other(&changed) }), "{changed}");
    }
}

/// SEC-068: of many who bring one assertion, at any replica, one is the first.
pub(super) async fn one_of_many_uses_an_assertion(store: Arc<dyn Store>) {
    let [first, second] = ["first", "second"].map(Digest::of);
    let uses = race(50, |_| {
        let (store, first) = (Arc::clone(&store), first.clone());
        async move { store.use_assertion((&first, "one"), later(60), NOW).await.unwrap() }
    });
    assert_eq!(uses.await.into_iter().filter(|used| *used).count(), 1);
    assert!(!store.use_assertion((&first, "two"), later(60), later(59)).await.unwrap());
    assert!(store.use_assertion((&second, "one"), later(60), NOW).await.unwrap());
}

/// SEC-068: who has used an assertion can take that back, and nobody else can.
pub(super) async fn only_its_own_use_is_released(store: Arc<dyn Store>) {
    let assertion = Digest::of("released");
    let uses =
        async |request: &str| store.use_assertion((&assertion, request), later(60), NOW).await.unwrap();
    store.release_assertion(&assertion, "one").await.unwrap();
    assert!(uses("one").await);
    store.release_assertion(&assertion, "two").await.unwrap();
    assert!(!uses("two").await);
    store.release_assertion(&assertion, "one").await.unwrap();
    assert!(uses("two").await);
    store.release_assertion(&assertion, "one").await.unwrap();
    assert!(!uses("three").await);
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
        store.remember_client(&client(id)).await.unwrap();
    }
    for id in ids {
        assert_eq!(store.client(&ClientId::new(id), NOW).await.unwrap(), Some(client(id)), "{id:?}");
    }
    assert_eq!(store.client(&ClientId::new("b"), NOW).await.unwrap(), None);
}
