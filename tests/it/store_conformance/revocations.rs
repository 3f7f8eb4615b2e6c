//! Revocations of a person, of a client, of everything.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{ClientId, NotBefore, PersonId, Revoked};
use gatelodge::store::Store;
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

/// Another version without a revocation: whoever remembers something asks anew, and what was revoked stays so.
pub(super) async fn a_version_is_renewed_without_a_revocation(store: Arc<dyn Store>) {
    let mut versions = vec![String::new()];
    let mut renewed = async || {
        let known = versions.last().unwrap();
        store.renew_version(NOW).await.unwrap();
        let newer = store.not_before(known).await.unwrap().expect("another version");
        assert_eq!(store.not_before(newer.version()).await.unwrap(), None, "nothing new");
        assert!(versions.iter().all(|older| older != newer.version()), "{versions:?}");
        versions.push(newer.version().to_owned());
        newer
    };
    let client = ClientId::new("c");
    for _ in 0..2 {
        assert!(!renewed().await.revokes(&alice(), &client, NOW));
    }
    store.revoke(&Revoked::Person(alice()), later(100), later(1000), NOW).await.unwrap();
    for _ in 0..2 {
        let newer = renewed().await;
        assert!(
            newer.revokes(&alice(), &client, later(100)) && !newer.revokes(&alice(), &client, later(101))
        );
    }
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
