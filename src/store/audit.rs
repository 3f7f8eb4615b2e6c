//! One audit event: one log line and one store operation, written together here and nowhere else.

use crate::domain::{AuditEvent, ClientId, PersonId, UpstreamId};

use super::Store;

/// How many events a store keeps; older ones are in the log.
pub(super) const KEPT: usize = 10_000;

/// Records `event` in the log (target `audit`) and in the store's stream. The log line comes
/// first: an event that happened is told even when the store is not there. A failure to append
/// is logged and does not fail the request that caused the event.
pub async fn record(store: &dyn Store, event: AuditEvent) {
    tracing::info!(
        target: "audit",
        kind = event.kind.as_str(),
        at = event.at.as_unix(),
        client = event.client.as_ref().map(ClientId::as_str),
        person = event.person.as_ref().map(PersonId::as_str),
        upstream = event.upstream.as_ref().map(UpstreamId::as_str),
        grant = event.grant.map(|id| id.to_string()),
        resource = event.resource.as_deref(),
        scopes = event.scopes.as_deref(),
        reason = event.reason.as_deref(),
        "{}", event.kind.as_str()
    );
    if let Err(error) = store.append_audit(&event).await {
        let kind = event.kind.as_str();
        tracing::error!(kind, %error, "an audit event could not be kept; it stands only in the log");
    }
}
