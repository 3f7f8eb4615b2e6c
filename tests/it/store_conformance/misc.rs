//! Signing keys, the audit stream, signs of life, and the store that fails on request.

use std::sync::Arc;

use gatelodge::domain::{AuditEvent, AuditKind, ClientId};
use gatelodge::secret::Secret;
use gatelodge::store::faulty::{FaultyStore, Operation};
use gatelodge::store::{Store, StoreError, audit};

use crate::harness::sample::{NOW, client, grant, later};

use super::backend::race;

/// Replicas that start together sign with one key; another algorithm has its own.
pub(super) async fn replicas_agree_on_one_signing_key(store: Arc<dyn Store>) {
    let adopted = race(20, |number| {
        let store = Arc::clone(&store);
        async move { store.adopt_signing_key("ES256", &Secret::new(format!("pem-{number}"))).await.unwrap() }
    })
    .await;
    let first = adopted.first().unwrap();
    assert!(first.expose().starts_with("pem-"));
    assert!(adopted.iter().all(|key| key == first));
    let other = store.adopt_signing_key("RS256", &Secret::new("rsa".into())).await.unwrap();
    assert_eq!(other.expose(), "rsa");
    let still = store.adopt_signing_key("ES256", &Secret::new("late".into())).await.unwrap();
    assert_eq!(&still, first);
}

/// SEC-163: what was recorded comes back whole, the newest first.
pub(super) async fn audit_events_come_back_newest_first(store: Arc<dyn Store>) {
    assert_eq!(store.recent_audit(10).await.unwrap(), vec![]);
    let first = AuditEvent::new(AuditKind::TokenIssued, NOW).grant(&grant());
    let second = AuditEvent::new(AuditKind::SignInDenied, later(1)).because("no\r\nrule \u{1b}[31m");
    let third = AuditEvent::new(AuditKind::ClientRegistered, later(2)).client(&ClientId::new("c"));
    for event in [&first, &second, &third] {
        audit::record(&*store, event.clone()).await;
    }
    assert_eq!(store.recent_audit(10).await.unwrap(), vec![third.clone(), second.clone(), first]);
    assert_eq!(store.recent_audit(2).await.unwrap(), vec![third, second]);
    assert_eq!(store.recent_audit(0).await.unwrap(), vec![]);
}

/// The stream is capped, the oldest going first; the log has them all.
pub(super) async fn the_audit_stream_is_capped(store: Arc<dyn Store>) {
    let oldest = AuditEvent::new(AuditKind::SignedIn, NOW);
    store.append_audit(&oldest).await.unwrap();
    let many = futures::future::join_all((0..10_200).map(|_| {
        let store = Arc::clone(&store);
        async move { store.append_audit(&AuditEvent::new(AuditKind::SignedIn, later(1))).await }
    }));
    assert!(many.await.into_iter().all(|result| result.is_ok()));
    let kept = store.recent_audit(usize::MAX).await.unwrap();
    assert_eq!(kept.len(), 10_000);
    assert!(!kept.contains(&oldest));
}

/// A store that serves says so.
pub(super) async fn ping_answers(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
}

/// PRIN-5: a failing store is unavailable; and an event that cannot be kept fails nobody.
pub(super) async fn a_faulty_store_fails_what_it_was_told(store: Arc<dyn Store>) {
    let faulty = FaultyStore::new(store);
    faulty.ping().await.unwrap();
    faulty.fail(Operation::Ping);
    assert!(matches!(faulty.ping().await, Err(StoreError::Unavailable(_))));
    faulty.register_client(&client("a")).await.unwrap();
    faulty.fail_everything();
    assert!(faulty.client(&ClientId::new("a"), NOW).await.is_err());
    audit::record(&faulty, AuditEvent::new(AuditKind::SignedIn, NOW)).await;
    faulty.heal();
    assert!(faulty.client(&ClientId::new("a"), NOW).await.unwrap().is_some());
    faulty.ping().await.unwrap();
}
