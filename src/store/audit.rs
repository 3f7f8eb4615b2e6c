//! One event: one log line and one store operation.
use super::Store;
use crate::domain::AuditEvent;
/// Records an event.
pub async fn record(store: &dyn Store, event: AuditEvent) {
    tracing::info!(target: "audit", kind = event.kind.as_str());
    if let Err(fault) = store.append_audit(&event).await {
        tracing::error!(%fault, "audit event not stored");
    }
}
