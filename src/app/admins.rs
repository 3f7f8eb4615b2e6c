//! The pins of admins' addresses, by command beside the broker.

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::{AuditEvent, AuditKind, EmailAddress, PersonId};
use crate::store::StoreError;

use super::{CommandStoreError, command_store};

/// The configured admins by address, and to whom each address is pinned.
pub async fn admin_pins(config: &Config) -> Result<Vec<(EmailAddress, Option<PersonId>)>, CommandStoreError> {
    let failed = |fault: StoreError| CommandStoreError::of(config, fault);
    let store = command_store::open(config).await?.store;
    let mut pins = Vec::new();
    for email in &config.access.admin_emails {
        let pinned = store.admin_pin(email).await.map_err(failed)?;
        pins.push((email.clone(), pinned));
    }
    Ok(pins)
}

/// Takes a pin out, so that the next sign-in with the address makes its account the admin. To whom
/// it was pinned.
pub async fn unpin_admin(
    config: &Config,
    email: &EmailAddress,
) -> Result<Option<PersonId>, CommandStoreError> {
    let failed = |fault: StoreError| CommandStoreError::of(config, fault);
    let store = command_store::open(config).await?.store;
    let pinned = store.admin_pin(email).await.map_err(failed)?;
    let Some(person) = pinned else { return Ok(None) };
    store.unpin_admin(email).await.map_err(failed)?;
    let event = AuditEvent::new(AuditKind::AdminUnpinned, SystemClock.now()).person(person.clone());
    command_store::record(store, event).await;
    Ok(Some(person))
}
