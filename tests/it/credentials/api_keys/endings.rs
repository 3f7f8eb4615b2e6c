//! Expired, revoked, a store that fails, and what a use leaves behind.

use std::time::Duration;

use gatelodge::access::ChangedBy;
use gatelodge::clock::Clock as _;
use gatelodge::domain::{ApiKey, ApiKeyLifetime};
use gatelodge::store::faulty::Operation;
use gatelodge::store::{ApiKeyStore as _, Store as _};

use super::{
    assert_passes, assert_refused, assert_unavailable, bob, broker, create, key, setup, signed_in, wanted,
    with_key,
};
use crate::harness::broker::{Setup, TestBroker};
use crate::harness::eventually::eventually_async;
use crate::harness::temp_dir::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// SEC-149: a key ends in its second, also one that was used a moment ago.
#[tokio::test]
async fn sec_149_an_expired_key_is_refused() {
    let (broker, owner) = broker().await;
    let wanted = wanted(&["mcp:read"], ApiKeyLifetime::Days(7));
    let (made, text) = broker.parts.api_keys.create(&owner, &wanted, &ChangedBy::Command).await.unwrap();
    assert_eq!(made.expires_at, Some(made.created_at.plus(DAY * 7)));
    broker.clock.advance(DAY * 7 - Duration::from_secs(1));
    assert_passes(&with_key(&broker, text.expose()).await, "mcp:read");
    broker.clock.advance(Duration::from_secs(1));
    assert_refused(&with_key(&broker, text.expose()).await);
    let listed = broker.parts.api_keys.list(&owner).await.unwrap();
    assert_eq!(listed[0].state(broker.clock.now()).as_str(), "expired");
}

/// SEC-150: a revoked key is refused within a second, by a replica that has just seen it used, too; and it
/// stays in the history.
#[tokio::test]
async fn sec_150_a_revoked_key_is_refused_within_a_second() {
    let (broker, owner) = broker().await;
    let (made, text) = key(&broker, &owner, &["mcp:read"]).await;
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    let book = &broker.parts.api_keys;
    let revoked = book.revoke(&made.id, &ChangedBy::Command).await.unwrap().unwrap();
    broker.clock.advance(Duration::from_secs(1));
    assert_refused(&with_key(&broker, &text).await);
    let again = book.revoke(&made.id, &ChangedBy::Command).await.unwrap().unwrap();
    assert_eq!(again.revoked_at, revoked.revoked_at);
    assert_eq!(book.list(&owner).await.unwrap()[0].revoked_at, revoked.revoked_at);
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(100).await.unwrap();
    let of_key: Vec<_> = events.iter().filter(|event| event.api_key == Some(made.id)).collect();
    let kinds: Vec<_> = of_key.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["api_key_revoked", "api_key_created"], "once each");
    assert!(of_key.iter().all(|event| event.person.as_ref() == Some(&owner)));
}

/// SEC-156, PRIN-5: where the store does not answer, nobody passes and nobody is told that the key is bad.
#[tokio::test]
async fn sec_150_a_store_that_fails_is_our_fault() {
    let (broker, owner) = broker().await;
    let (_, text) = key(&broker, &owner, &["mcp:read"]).await;
    for operation in [Operation::ApiKey, Operation::UpstreamGrants, Operation::NotBefore] {
        broker.clock.advance(Duration::from_secs(1));
        broker.store.fail(operation);
        assert_unavailable(&with_key(&broker, &text).await);
        broker.store.heal();
        assert_passes(&with_key(&broker, &text).await, "mcp:read");
    }
    for operation in [Operation::AddApiKey, Operation::GrantsOf, Operation::NotBefore] {
        broker.clock.advance(Duration::from_secs(1));
        broker.store.fail(operation);
        let failed = create(&broker, &owner, &["mcp:read"]).await.unwrap_err();
        assert!(matches!(failed, gatelodge::access::ApiKeyError::Unavailable(_)), "{operation:?}: {failed}");
        broker.store.heal();
    }
    broker.store.fail(Operation::NoteApiKeyUse);
    broker.clock.advance(DAY);
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
}

/// The last use is known to the minute, and nobody waits for the writing of it.
#[tokio::test]
async fn sec_148_the_last_use_is_noted() {
    let (broker, owner) = broker().await;
    let (made, text) = key(&broker, &owner, &["mcp:read"]).await;
    let used = async || broker.store.api_key(&made.id).await.unwrap().unwrap().last_used_at;
    assert_eq!(used().await, None);
    broker.store.hold(Operation::NoteApiKeyUse);
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    broker.store.waits_at(Operation::NoteApiKeyUse).await;
    broker.store.heal();
    let first = broker.clock.now();
    eventually_async("it is written", Duration::from_secs(5), async || used().await == Some(first)).await;
    broker.clock.advance(Duration::from_secs(59));
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    assert_eq!(used().await, Some(first));
    broker.clock.advance(Duration::from_secs(1));
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    let second = broker.clock.now();
    eventually_async("it is written", Duration::from_secs(5), async || used().await == Some(second)).await;
}

/// SEC-148: keys outlive a change of the operator's secret: a use under both writes them under the new one.
#[tokio::test]
async fn sec_148_keys_outlive_a_change_of_the_secret() {
    let folder = TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let old = Setup { store, ..setup() };
    let first = TestBroker::with(old.clone()).await;
    let (clock, provider) = (first.clock.clone(), first.provider.clone());
    let (owner, _) = signed_in(&first, bob(&[])).await;
    let (made, text) = key(&first, &owner, &["mcp:read"]).await;
    first.stop().await;

    let secret = "Nw4jRt7cBv9mXe2kLz5pQs8dYh1uGf6oWa3".to_owned();
    let extra = format!("{}previous_secrets: [{}]\n", old.extra, old.secret);
    let both = Setup { secret: secret.clone(), extra, ..old.clone() };
    let second = TestBroker::replica(both, clock.clone(), provider.clone()).await;
    assert_passes(&with_key(&second, &text).await, "mcp:read");
    let hash = async || second.store.api_key(&made.id).await.unwrap().unwrap().hash;
    eventually_async("it is written", Duration::from_secs(5), async || hash().await != made.hash).await;
    // The facts of the owner are written anew when they are read.
    second.stop().await;

    let third = TestBroker::replica(Setup { secret, ..old }, clock, provider).await;
    assert_passes(&with_key(&third, &text).await, "mcp:read");
    let listed: Vec<ApiKey> = third.parts.api_keys.list(&owner).await.unwrap();
    assert_eq!((listed.len(), listed[0].id), (1, made.id));
}
