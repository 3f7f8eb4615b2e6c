//! Registered clients.

use std::sync::Arc;

use gatelodge::domain::{Client, ClientId, Place, StoredClient};
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

/// A client that has just registered itself, at one of so many places.
pub(super) async fn newcomer(store: &dyn Store, places: usize) -> Client {
    let place = store.next_place(places).await.unwrap();
    let newcomer = Client { id: ClientId::at(place), ..client("newcomer") };
    store.register_client(&newcomer).await.unwrap();
    newcomer
}

async fn newcomers(store: &dyn Store, places: usize, count: usize) -> Vec<Client> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(newcomer(store, places).await);
    }
    all
}

/// Whom a replica may remember: who has been used, and nobody else.
pub(super) async fn sec_113_a_store_says_who_is_used(store: Arc<dyn Store>) {
    let is_used = async |client: &Client| {
        let known = store.stored_client(&client.id, NOW).await.unwrap();
        known.map(|StoredClient { client: known, is_used }| {
            assert_eq!(known.id, client.id);
            is_used
        })
    };
    let new = newcomer(&*store, 10).await;
    assert_eq!(is_used(&new).await, Some(false));
    assert!(store.update_client(&Client { name: None, ..new.clone() }).await.unwrap());
    assert_eq!(is_used(&new).await, Some(false));
    assert!(store.keep_client(&new.id, later(60)).await.unwrap());
    assert_eq!(is_used(&new).await, Some(true));
    let remembered = client("a");
    store.remember_client(&remembered).await.unwrap();
    assert_eq!(is_used(&remembered).await, Some(true));
    assert_eq!(is_used(&client("nobody")).await, None);
}

/// Which of these are still there.
async fn left(store: &dyn Store, clients: &[Client]) -> Vec<bool> {
    let mut left = Vec::new();
    for client in clients {
        left.push(store.client(&client.id, NOW).await.unwrap().is_some());
    }
    left
}

/// SEC-113, INT-36: of those that nobody has used the oldest makes room; one that is used never does,
/// and its place has its turn like any other.
pub(super) async fn the_oldest_unused_client_makes_room(store: Arc<dyn Store>) {
    let store = &*store;
    let mut all = newcomers(store, 3, 5).await;
    assert_eq!(left(store, &all).await, [false, false, true, true, true]);
    assert_eq!(store.client(&all[4].id, later(3599)).await.unwrap(), Some(all[4].clone()));
    assert_eq!(store.client(&all[4].id, later(3600)).await.unwrap(), None);
    // Also where the end is not moved: whoever is used is used.
    assert!(store.keep_client(&all[2].id, later(60)).await.unwrap());
    assert!(store.keep_client(&all[3].id, later(7200)).await.unwrap());
    assert!(!store.keep_client(&all[0].id, later(7200)).await.unwrap());
    assert_eq!(store.client(&all[2].id, later(3599)).await.unwrap(), Some(all[2].clone()));
    let kept = Client { expires_at: Some(later(7200)), ..all[3].clone() };
    assert_eq!(store.client(&all[3].id, later(7199)).await.unwrap(), Some(kept));
    all.push(newcomer(store, 3).await);
    assert_eq!(
        left(store, &all).await,
        [false, false, true, true, true, true],
        "the place of one that is used"
    );
    all.extend(newcomers(store, 3, 3).await);
    assert_eq!(left(store, &all).await, [false, false, true, true, false, false, true, true, true]);
    // At fewer places those at the higher ones stay until they expire.
    all.extend(newcomers(store, 1, 2).await);
    let expected = [false, false, true, true, false, false, false, true, true, false, true];
    assert_eq!(left(store, &all).await, expected);
}

/// SEC-113: whoever races, the bound holds, and nobody who is used is lost.
pub(super) async fn the_bound_on_unused_clients_holds_in_a_race(store: Arc<dyn Store>) {
    let used = newcomers(&*store, 70, 5).await;
    let racers = race(65, |number| {
        let (store, used) = (Arc::clone(&store), used.get(number).cloned());
        async move {
            match used {
                Some(used) => {
                    assert!(store.keep_client(&used.id, later(7200)).await.unwrap(), "not among the oldest");
                    used
                }
                None => newcomer(&*store, 70).await,
            }
        }
    })
    .await;
    assert!(left(&*store, &racers).await.iter().all(|left| *left), "there are places enough");
    let late = race(80, |_| {
        let store = Arc::clone(&store);
        async move { newcomer(&*store, 70).await }
    });
    let late = late.await;
    assert_eq!(left(&*store, &used).await, [true; 5]);
    assert_eq!(left(&*store, &racers[5..]).await, [false; 60]);
    assert_eq!(left(&*store, &late).await.iter().filter(|left| **left).count(), 70);
}

/// SEC-113, INT-36: at the moment when it makes room a client is used in time, or it is not.
pub(super) async fn a_first_use_races_with_the_next_at_its_place(store: Arc<dyn Store>) {
    for round in 0..20 {
        let first = newcomer(&*store, 1).await;
        let answers = race(4, |racer| {
            let (store, id) = (Arc::clone(&store), first.id.clone());
            async move {
                match racer {
                    0 => {
                        newcomer(&*store, 1).await;
                        None
                    }
                    _ => Some(store.keep_client(&id, later(7200)).await.unwrap()),
                }
            }
        });
        let used = answers.await.contains(&Some(true));
        let there = store.client(&first.id, NOW).await.unwrap();
        assert_eq!(there.is_some(), used, "{round}");
        assert!(there.is_none_or(|client| client.expires_at == Some(later(7200))), "{round}");
    }
}

/// SEC-113: two clients at one place never meet, whatever becomes of either; and nobody is found by an
/// identifier that somebody made up.
pub(super) async fn who_was_displaced_is_nobody(store: Arc<dyn Store>) {
    let store = &*store;
    let [first, second] = newcomers(store, 1, 2).await.try_into().unwrap();
    assert_eq!(first.id.place(), second.id.place());
    let made_up = Client { id: ClientId::at(second.id.place().unwrap()), ..client("made up") };
    let elsewhere = Client { id: ClientId::at(Place::new(u32::MAX)), ..client("elsewhere") };
    for nobody in [&first, &made_up, &elsewhere] {
        assert_eq!(store.client(&nobody.id, NOW).await.unwrap(), None);
        assert!(!store.keep_client(&nobody.id, later(7200)).await.unwrap());
        assert!(!store.update_client(nobody).await.unwrap());
        assert!(!store.forget_unused_client(&nobody.id).await.unwrap());
        assert!(!store.forget_client(&nobody.id).await.unwrap());
        assert_eq!(store.client(&nobody.id, NOW).await.unwrap(), None);
        assert_eq!(store.client(&second.id, NOW).await.unwrap(), Some(second.clone()));
    }
    // One that is used, and the next at its place.
    assert!(store.keep_client(&second.id, later(7200)).await.unwrap());
    let third = newcomer(store, 1).await;
    assert!(store.forget_client(&second.id).await.unwrap());
    assert_eq!(left(store, &[second, third.clone()]).await, [false, true]);
    assert!(store.keep_client(&third.id, later(7200)).await.unwrap());
}

/// Whoever's identifier names no place is remembered for as long as it lives.
pub(super) async fn without_a_place_nobody_makes_room(store: Arc<dyn Store>) {
    let placeless = client("glc_placeless");
    store.register_client(&placeless).await.unwrap();
    newcomers(&*store, 1, 3).await;
    assert_eq!(store.client(&placeless.id, NOW).await.unwrap(), Some(placeless.clone()));
    assert!(!store.forget_unused_client(&placeless.id).await.unwrap());
    assert!(store.forget_client(&placeless.id).await.unwrap());
}

/// RFC 7592: what a client says is replaced, and neither its end nor that nobody used it.
pub(super) async fn an_updated_client_lives_as_long_as_before(store: Arc<dyn Store>) {
    let said = |known: &Client| Client { name: Some("other".into()), expires_at: None, ..known.clone() };
    let a = newcomer(&*store, 1).await;
    assert!(store.update_client(&said(&a)).await.unwrap());
    let expected = Client { expires_at: Some(later(3600)), ..said(&a) };
    assert_eq!(store.client(&a.id, NOW).await.unwrap(), Some(expected));
    let b = newcomer(&*store, 1).await;
    assert_eq!(store.client(&a.id, NOW).await.unwrap(), None, "nobody had used it");
    assert!(store.update_client(&said(&b)).await.unwrap());
    assert!(store.keep_client(&b.id, later(7200)).await.unwrap());
    let kept = Client { expires_at: Some(later(7200)), ..said(&b) };
    assert_eq!(store.client(&b.id, later(7199)).await.unwrap(), Some(kept.clone()), "as it was changed");
    let again = Client { name: Some("again".into()), ..kept };
    assert!(store.update_client(&Client { expires_at: None, ..again.clone() }).await.unwrap());
    newcomer(&*store, 1).await;
    assert_eq!(store.client(&b.id, later(7199)).await.unwrap(), Some(again));
}

/// SEC-115: what is forgotten is gone; a used client is not forgotten as an unused one.
pub(super) async fn a_forgotten_client_is_gone(store: Arc<dyn Store>) {
    let all = newcomers(&*store, 4, 3).await;
    let [a, b, c] = [0, 1, 2].map(|at: usize| all[at].id.clone());
    assert!(store.keep_client(&b, later(60)).await.unwrap());
    assert!(!store.forget_unused_client(&b).await.unwrap());
    assert!(store.forget_unused_client(&a).await.unwrap());
    assert!(!store.forget_unused_client(&a).await.unwrap());
    assert!(!store.forget_client(&a).await.unwrap());
    assert!(store.client(&b, NOW).await.unwrap().is_some());
    for id in [&b, &c] {
        assert!(store.forget_client(id).await.unwrap());
        assert!(!store.forget_client(id).await.unwrap());
    }
    for id in [&a, &b, &c] {
        assert!(!store.keep_client(id, later(7200)).await.unwrap());
    }
    assert_eq!(left(&*store, &all).await, [false; 3]);
    // Also one that is remembered as another than it was.
    let changed = newcomer(&*store, 4).await;
    store.remember_client(&changed).await.unwrap();
    assert!(!store.forget_unused_client(&changed.id).await.unwrap());
    assert!(store.forget_client(&changed.id).await.unwrap());
    assert_eq!(left(&*store, &[changed]).await, [false]);
}

/// SEC-115: whatever happens at the same moment, what was forgotten is gone, and what was changed is not lost.
pub(super) async fn a_first_use_races_with_changes(store: Arc<dyn Store>) {
    let other = |known: &Client| Client { name: Some("other".into()), expires_at: None, ..known.clone() };
    for round in 0..20 {
        let [gone, changed] = newcomers(&*store, 100, 2).await.try_into().unwrap();
        race(6, |racer| {
            let (store, gone, changed) = (Arc::clone(&store), gone.clone(), changed.clone());
            async move {
                match racer {
                    0 => assert!(store.forget_client(&gone.id).await.unwrap()),
                    1 => assert!(store.update_client(&other(&changed)).await.unwrap()),
                    2 | 3 => assert!(store.keep_client(&changed.id, later(7200)).await.unwrap()),
                    _ => drop(store.keep_client(&gone.id, later(7200)).await.unwrap()),
                }
            }
        })
        .await;
        assert_eq!(store.client(&gone.id, NOW).await.unwrap(), None, "{round}");
        let left = store.client(&changed.id, NOW).await.unwrap();
        assert_eq!(left, Some(Client { expires_at: Some(later(7200)), ..other(&changed) }), "{round}");
    }
}

/// SEC-115: a client is used, or it is forgotten as one that nobody has used: never both, and one of the two.
pub(super) async fn a_first_use_races_with_a_client_that_takes_itself_back(store: Arc<dyn Store>) {
    for round in 0..20 {
        let known = newcomer(&*store, 100).await;
        let answers = race(2, |racer| {
            let (store, id) = (Arc::clone(&store), known.id.clone());
            async move {
                match racer {
                    0 => store.forget_unused_client(&id).await.unwrap(),
                    _ => store.keep_client(&id, later(7200)).await.unwrap(),
                }
            }
        });
        let [forgotten, used] = answers.await.try_into().unwrap();
        assert_ne!(forgotten, used, "{round}");
        assert_eq!(store.client(&known.id, NOW).await.unwrap().is_some(), used, "{round}");
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
