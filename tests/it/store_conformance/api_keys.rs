//! API keys.

use std::sync::Arc;

use gatelodge::domain::{ApiKey, ApiKeyId, MOST_API_KEYS, MOST_API_KEYS_KEPT, PersonId};
use gatelodge::secret::{KeyedHash, MasterSecret};
use gatelodge::store::Store;

use super::backend::race;
use crate::harness::sample::{NOW, api_key, earlier, grant, later};

/// It comes back as it was, also when its time is over; another name is nobody's.
pub(super) async fn sec_148_a_key_comes_back_as_it_was(store: Arc<dyn Store>) {
    let key = api_key(grant().identity);
    let endless = ApiKey { expires_at: None, ..api_key(grant().identity) };
    assert_eq!(store.api_key(&key.id).await.unwrap(), None);
    assert_eq!(store.api_keys_of(&key.owner.person()).await.unwrap(), []);
    assert!(store.add_api_key(&key, NOW).await.unwrap());
    assert!(store.add_api_key(&endless, NOW).await.unwrap());
    assert!(!store.add_api_key(&key, NOW).await.unwrap(), "a name is somebody's once");
    assert_eq!(store.api_key(&key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(store.api_key(&endless.id).await.unwrap(), Some(endless));
    assert_eq!(store.api_key(&ApiKeyId::generate(&key.owner.person())).await.unwrap(), None);
    store.tend(later(400 * 86_400)).await.unwrap();
    assert_eq!(store.api_key(&key.id).await.unwrap(), Some(key), "it stays in the history");
}

/// A person's keys are listed, the oldest first, and nobody else's, also of somebody whose tag is the same.
pub(super) async fn a_persons_keys_are_listed(store: Arc<dyn Store>) {
    let first = api_key(grant().identity);
    let named = |created, owner: &ApiKey| ApiKey {
        id: ApiKeyId::generate(&first.owner.person()),
        created_at: later(created),
        ..owner.clone()
    };
    let (second, twin) = (named(1, &first), named(0, &api_key(grant().identity)));
    for key in [&second, &twin, &first, &api_key(grant().identity)] {
        assert!(store.add_api_key(key, NOW).await.unwrap());
    }
    assert_eq!(store.api_keys_of(&first.owner.person()).await.unwrap(), [first, second]);
    assert_eq!(store.api_keys_of(&twin.owner.person()).await.unwrap(), [], "its tag is another");
}

/// SEC-150: revoked is revoked, since the first time, whoever else revokes or uses it.
pub(super) async fn sec_150_a_revoked_key_stays_revoked(store: Arc<dyn Store>) {
    let key = api_key(grant().identity);
    let person: PersonId = key.owner.person();
    assert_eq!(store.revoke_api_key(&key.id, NOW).await.unwrap(), None);
    assert!(store.add_api_key(&key, NOW).await.unwrap());
    let revoked = race(10, |number| {
        let (store, id) = (Arc::clone(&store), key.id);
        async move { store.revoke_api_key(&id, later(number as u64)).await.unwrap() }
    })
    .await;
    let since = revoked[0];
    assert!(since.is_some() && revoked.iter().all(|other| *other == since), "{revoked:?}");
    assert_eq!(store.revoke_api_key(&key.id, later(100)).await.unwrap(), since);
    store.note_api_key_use(&key.id, &key.hash, later(200)).await.unwrap();
    assert!(!store.add_api_key(&key, later(300)).await.unwrap());
    let kept = ApiKey { revoked_at: since, last_used_at: Some(later(200)), ..key };
    assert_eq!(store.api_keys_of(&person).await.unwrap(), [kept]);
}

/// A use is noted to the minute, never back, with the hash of today; of a key that is not there nothing is.
pub(super) async fn a_use_is_noted_once_a_minute(store: Arc<dyn Store>) {
    let key = api_key(grant().identity);
    assert!(store.add_api_key(&key, NOW).await.unwrap());
    let other = KeyedHash::of(&MasterSecret::generate().mac_key("test"), "a", "b");
    let found = async || store.api_key(&key.id).await.unwrap().unwrap();
    store.note_api_key_use(&key.id, &other, later(10)).await.unwrap();
    assert_eq!((found().await.last_used_at, found().await.hash), (Some(later(10)), other));
    for (now, expected) in [(69, 10), (70, 70), (5, 70), (131, 131)] {
        store.note_api_key_use(&key.id, &key.hash, later(now)).await.unwrap();
        assert_eq!(found().await.last_used_at, Some(later(expected)), "{now}");
    }
    assert_eq!(found().await, ApiKey { last_used_at: Some(later(131)), ..key.clone() });
    let gone = ApiKeyId::generate(&key.owner.person());
    store.note_api_key_use(&gone, &key.hash, NOW).await.unwrap();
    assert_eq!(store.api_key(&gone).await.unwrap(), None);
}

/// A person has so many that count and so many at all; of these the oldest that does not count makes room.
pub(super) async fn keys_are_bounded(store: Arc<dyn Store>) {
    let usual = api_key(grant().identity);
    let person = usual.owner.person();
    let fresh = |key: &ApiKey| ApiKey { id: ApiKeyId::generate(&person), ..key.clone() };
    for _ in 0..MOST_API_KEYS {
        assert!(store.add_api_key(&fresh(&usual), NOW).await.unwrap());
    }
    assert!(!store.add_api_key(&usual, NOW).await.unwrap());
    let first = store.api_keys_of(&person).await.unwrap()[0].id;
    store.revoke_api_key(&first, NOW).await.unwrap();
    assert!(store.add_api_key(&usual, NOW).await.unwrap(), "a revoked key does not count");
    assert!(store.add_api_key(&fresh(&usual), later(3600)).await.unwrap(), "nor one whose time is over");
    let over = ApiKey { created_at: earlier(1), expires_at: Some(NOW), ..usual.clone() };
    let oldest = fresh(&over);
    store.revoke_api_key(&usual.id, later(3600)).await.unwrap();
    assert!(store.add_api_key(&oldest, later(3600)).await.unwrap());
    let kept = store.api_keys_of(&person).await.unwrap().len();
    for _ in kept..MOST_API_KEYS_KEPT {
        assert!(
            store
                .add_api_key(&fresh(&ApiKey { expires_at: Some(NOW), ..usual.clone() }), later(3600))
                .await
                .unwrap()
        );
    }
    assert!(store.api_key(&oldest.id).await.unwrap().is_some());
    assert!(store.add_api_key(&fresh(&usual), later(3600)).await.unwrap());
    assert_eq!(store.api_keys_of(&person).await.unwrap().len(), MOST_API_KEYS_KEPT);
    assert_eq!(store.api_key(&oldest.id).await.unwrap(), None);
}
