//! One person's sessions by command, beside the broker.

use std::sync::Arc;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::{AuditEvent, AuditKind, Grant, GrantId, PersonId};
use crate::store::StoreError;
use crate::store::revocations::Revocations;

use super::{CommandStoreError, command_store};

/// Every grant of a person that is not over and not revoked, the oldest first.
pub async fn sessions(config: &Config, person: &PersonId) -> Result<Vec<Grant>, CommandStoreError> {
    let failed = |fault: StoreError| CommandStoreError::of(config, fault);
    let store = command_store::open(config).await?.store;
    let now = SystemClock.now();
    let revoked = Revocations::new(Arc::clone(&store)).current(now).await.map_err(failed)?;
    let mut grants = store.grants_of(person, now).await.map_err(failed)?;
    grants.retain(|grant| !revoked.revokes_grant(grant));
    Ok(grants)
}

/// Ends one grant. False if there is none of that name.
pub async fn end_session(config: &Config, id: &GrantId) -> Result<bool, CommandStoreError> {
    let failed = |fault: StoreError| CommandStoreError::of(config, fault);
    let store = command_store::open(config).await?.store;
    let now = SystemClock.now();
    let grant = store.grant(id, now).await.map_err(failed)?;
    // Asked even where nothing is found: a first call may have been told to come again, because no
    // replica had heard of the end yet.
    let ended = store.end_grant(id).await.map_err(failed)?;
    if let Some(grant) = grant {
        command_store::record(store, AuditEvent::new(AuditKind::GrantRevoked, now).grant(&grant)).await;
    }
    Ok(ended)
}
