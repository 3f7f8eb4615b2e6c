//! Revocations of a person, of a client, of everything.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{ClientId, NotBefore, PersonId, Revoked};
use gatelodge::store::Store;
use gatelodge::store::faulty::{FaultyStore, Operation};
use gatelodge::store::revocations::Revocations;

use crate::harness::sample::{NOW, later};

use super::backend::race;

async fn all(store: &dyn Store) -> NotBefore {
    store.not_before("nothing that was ever a version").await.unwrap().expect("another version")
}

fn alice() -> PersonId {
    PersonId::of("https://idp.example", "alice")
}

/// SEC-132: each is kept by its own name, and a moment never moves back.
pub(super) async fn sec_132_moments_are_kept_and_never_move_back(store: Arc<dyn Store>) {
    assert_eq!(store.not_before("").await.unwrap(), None, "nothing is revoked, and a beginner knows it");
    let (person, client) = (Revoked::Person(alice()), ClientId::new("a client }{\r\n"));
    store.revoke(&person, later(100), later(1000), NOW).await.unwrap();
    store.revoke(&person, later(50), later(500), NOW).await.unwrap();
    store.revoke(&Revoked::Client(client.clone()), later(10), later(1000), NOW).await.unwrap();
    let known = all(&*store).await;
    let other = ClientId::new("other");
    assert!(known.revokes(&alice(), &other, later(100)) && !known.revokes(&alice(), &other, later(101)));
    let bob = PersonId::of("https://idp.example", "bob");
    assert!(known.revokes(&bob, &client, later(10)) && !known.revokes(&bob, &client, later(11)));
    assert!(!known.revokes(&bob, &other, NOW));

    assert_eq!(store.not_before(known.version()).await.unwrap(), None, "nothing new");
    store.revoke(&Revoked::Everything, later(5), later(1000), NOW).await.unwrap();
    let newer = store.not_before(known.version()).await.unwrap().expect("something new");
    assert!(newer.revokes(&bob, &other, later(5)) && newer.revokes(&alice(), &other, later(100)));
}

/// What no longer matters is forgotten when the next one comes, and not before.
pub(super) async fn old_revocations_are_forgotten(store: Arc<dyn Store>) {
    store.revoke(&Revoked::Person(alice()), NOW, later(100), NOW).await.unwrap();
    store.revoke(&Revoked::Everything, later(1), later(1000), later(100)).await.unwrap();
    let client = ClientId::new("c");
    assert!(all(&*store).await.revokes(&alice(), &client, NOW));
    let bob = PersonId::of("https://idp.example", "bob");
    store.revoke(&Revoked::Person(bob.clone()), later(101), later(1000), later(101)).await.unwrap();
    let known = all(&*store).await;
    // Only "everything" is left of the two.
    assert!(known.revokes(&alice(), &client, later(1)) && !known.revokes(&alice(), &client, later(2)));
    assert!(known.revokes(&bob, &client, later(101)));
}

/// What replicas remember of a client is no grant: no token ends with it, and everybody looks anew.
pub(super) async fn sec_066_memory_is_revoked_alone(store: Arc<dyn Store>) {
    let (client, other) = (ClientId::new("c"), ClientId::new("other"));
    store.revoke(&Revoked::MemoryOf(client.clone()), later(100), later(1000), NOW).await.unwrap();
    let known = all(&*store).await;
    assert!(known.revokes_memory_of(&client) && !known.revokes_memory_of(&other));
    assert!(!known.revokes(&alice(), &client, NOW));
    store.revoke(&Revoked::Client(other.clone()), later(100), later(1000), NOW).await.unwrap();
    let known = all(&*store).await;
    assert!(known.revokes_memory_of(&client) && known.revokes_memory_of(&other));
    assert!(!known.revokes(&alice(), &client, NOW) && known.revokes(&alice(), &other, NOW));
}

/// SEC-134: an answer from before a revocation of this process's own is not kept, however late it comes.
pub(super) async fn sec_134_a_late_answer_brings_nothing_back(store: Arc<dyn Store>) {
    let store = Arc::new(FaultyStore::new(store));
    let view = Arc::new(Revocations::new(Arc::clone(&store) as Arc<dyn Store>));
    let client = ClientId::new("c");
    view.current(NOW).await.unwrap();
    store.hold(Operation::NotBeforeAnswered);
    let asking = Arc::clone(&view);
    let late = tokio::spawn(async move { asking.current(later(1)).await });
    store.waits_at(Operation::NotBeforeAnswered).await;
    view.revoke(&Revoked::Person(alice()), later(1), Duration::from_secs(100)).await.unwrap();
    store.heal();
    late.await.unwrap().unwrap();
    assert!(view.current(later(1)).await.unwrap().revokes(&alice(), &client, later(1)));
}

/// Parallel revocations all stay.
pub(super) async fn parallel_revocations_all_stay(store: Arc<dyn Store>) {
    let person = |number: usize| PersonId::of("https://idp.example", &number.to_string());
    race(30, |number| {
        let store = Arc::clone(&store);
        async move { store.revoke(&Revoked::Person(person(number)), NOW, later(100), NOW).await.unwrap() }
    })
    .await;
    let known = all(&*store).await;
    assert!((0..30).all(|number| known.revokes(&person(number), &ClientId::new("c"), NOW)));
}

/// A replica believes what it knows for less than a second, and then asks.
pub(super) async fn sec_134_a_replica_knows_within_a_second(store: Arc<dyn Store>) {
    let (here, there) = (Revocations::new(Arc::clone(&store)), Revocations::new(Arc::clone(&store)));
    let client = ClientId::new("c");
    let revoked = async |view: &Revocations, at: u64, issued_at: u64| {
        view.current(later(at)).await.unwrap().revokes(&alice(), &client, later(issued_at))
    };
    assert!(!revoked(&here, 10, 10).await && !revoked(&there, 10, 10).await);
    here.revoke(&Revoked::Person(alice()), later(10), Duration::from_secs(100)).await.unwrap();
    assert!(revoked(&here, 10, 10).await, "who revokes knows at once");
    assert!(revoked(&there, 11, 10).await);
    // Opened at a replica whose clock is ahead.
    assert!(revoked(&there, 12, 15).await && !revoked(&there, 16, 16).await);
}
