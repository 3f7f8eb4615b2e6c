//! The audit stream, signs of life, and the store that fails on request.

use std::sync::Arc;

use gatelodge::domain::{AuditEvent, AuditKind, ClientId};
use gatelodge::store::audit::Journal;
use gatelodge::store::faulty::{FaultyStore, Operation};
use gatelodge::store::{Store, StoreError};

use crate::harness::sample::{NOW, client, grant, later};

/// SEC-163: what was recorded comes back whole, the newest first.
pub(super) async fn audit_events_come_back_newest_first(store: Arc<dyn Store>) {
    assert_eq!(store.recent_audit(10).await.unwrap(), vec![]);
    let first = AuditEvent::new(AuditKind::TokenIssued, NOW).grant(&grant());
    let second = AuditEvent::new(AuditKind::SignInDenied, later(1)).because("no\r\nrule \u{1b}[31m");
    let third = AuditEvent::new(AuditKind::ClientRegistered, later(2)).client(&ClientId::new("c"));
    let journal = Journal::new(Arc::clone(&store));
    for event in [&first, &second, &third] {
        journal.record(event.clone());
    }
    journal.settled().await;
    assert_eq!(store.recent_audit(10).await.unwrap(), vec![third.clone(), second.clone(), first]);
    assert_eq!(store.recent_audit(2).await.unwrap(), vec![third, second]);
    assert_eq!(store.recent_audit(0).await.unwrap(), vec![]);
}

/// The stream is capped, the oldest going first; the log has them all.
pub(super) async fn the_audit_stream_is_capped(store: Arc<dyn Store>) {
    let oldest = AuditEvent::new(AuditKind::SignedIn, NOW);
    store.append_audit(std::slice::from_ref(&oldest)).await.unwrap();
    let newer = vec![AuditEvent::new(AuditKind::SignedIn, later(1)); 100];
    for _ in 0..102 {
        store.append_audit(&newer).await.unwrap();
    }
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
    faulty.remember_client(&client("a")).await.unwrap();
    faulty.fail_everything();
    assert!(faulty.client(&ClientId::new("a"), NOW).await.is_err());
    let faulty = Arc::new(faulty);
    let journal = Journal::new(Arc::clone(&faulty) as Arc<dyn Store>);
    journal.record(AuditEvent::new(AuditKind::SignedIn, NOW));
    journal.settled().await;
    faulty.heal();
    assert!(faulty.client(&ClientId::new("a"), NOW).await.unwrap().is_some());
    faulty.ping().await.unwrap();
}
