//! The ring of signing keys.

use std::sync::Arc;

use gatelodge::domain::Haste;
use gatelodge::store::Store;

use crate::harness::sample::{NOW, key_ring, later, new_key};

use super::backend::race;

/// Replicas that start together sign with one key.
pub(super) async fn replicas_agree_on_one_key_ring(store: Arc<dyn Store>) {
    assert_eq!(store.key_ring().await.unwrap(), None);
    assert_eq!(store.adopted_signing_key("ES256").await.unwrap(), None);
    let first = race(20, |number| {
        let store = Arc::clone(&store);
        async move { store.replace_key_ring(&key_ring(&number.to_string()), 0).await.unwrap() }
    })
    .await;
    assert_eq!(first.iter().filter(|won| **won).count(), 1);
    let winner = first.iter().position(|won| *won).unwrap().to_string();
    assert_eq!(store.key_ring().await.unwrap(), Some(key_ring(&winner)));
    assert!(!store.replace_key_ring(&key_ring("late"), 0).await.unwrap());
}

/// SEC-165: replicas that rotate at the same moment agree on one next key.
pub(super) async fn one_of_many_rotates_the_key_ring(store: Arc<dyn Store>) {
    let ring = key_ring("first");
    assert!(!store.replace_key_ring(&ring, 7).await.unwrap(), "nobody has seen version 7");
    assert!(store.replace_key_ring(&ring, 0).await.unwrap());
    let rotated = race(20, |number| {
        let (store, ring) = (Arc::clone(&store), ring.clone());
        async move {
            let next = ring.rotated(new_key(&number.to_string()), later(1), Haste::Usual).unwrap();
            store.replace_key_ring(&next, ring.version).await.unwrap()
        }
    })
    .await;
    assert_eq!(rotated.iter().filter(|won| **won).count(), 1);
    let winner = rotated.iter().position(|won| *won).unwrap();
    let kept = store.key_ring().await.unwrap().unwrap();
    assert_eq!((kept.version, kept.keys.len()), (2, 2));
    assert_eq!(kept.next_key(later(1)).unwrap().kid, format!("kid-{winner}"));
}

/// Everything about a ring survives, and a version may be skipped: a replica puts back a ring
/// that the store has lost.
pub(super) async fn a_key_ring_comes_back_as_it_was(store: Arc<dyn Store>) {
    let first = key_ring("first");
    let second = first.rotated(new_key("second"), NOW, Haste::Now).unwrap();
    let third = second.rotated(new_key("third"), later(3600), Haste::Leaked).unwrap();
    assert!(store.replace_key_ring(&first, 0).await.unwrap());
    assert!(store.replace_key_ring(&third, 1).await.unwrap());
    let kept = store.key_ring().await.unwrap().unwrap();
    assert_eq!(kept, third);
    assert_eq!(kept.keys[2].pem.expose(), "third-pem");
}
