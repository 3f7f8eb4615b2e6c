//! Revoking by command, beside the broker.

use std::sync::Arc;

use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, LONGEST_GRANT, StoreConfig};
use crate::domain::{AuditEvent, AuditKind, Revoked};
use crate::store::StoreError;
use crate::store::revocations::Revocations;

use super::{CommandStoreError, command_store};

/// What a revocation by command did.
#[derive(Debug)]
pub struct RevokedBy {
    /// Into which store it was written, without its password.
    pub store: String,
    /// Does anybody know the client that was named? Always true for a person and for everything.
    pub known: bool,
}

/// Ends every grant of a person, of a client, or of everybody.
pub async fn revoke(config: &Config, what: &Revoked) -> Result<RevokedBy, CommandStoreError> {
    let failed = |fault: StoreError| CommandStoreError::of(config, fault);
    let store = command_store::open(config).await?.store;
    let now = SystemClock.now();
    let known = match what {
        Revoked::Client(id) => {
            let configured = config.clients.iter().any(|client| client.id == id.as_str());
            let added = store.operator_client(id).await.map_err(failed)?.is_some();
            configured || added || store.client(id, now).await.map_err(failed)?.is_some()
        }
        Revoked::Person(_) | Revoked::MemoryOf(_) | Revoked::Everything => true,
    };
    // Not what the configuration says now: older grants live by what it said then.
    let keep = LONGEST_GRANT + config.tokens.access_lifetime;
    Revocations::new(Arc::clone(&store)).revoke(what, now, keep).await.map_err(failed)?;
    let event = AuditEvent::new(AuditKind::AccessRevoked, now);
    let event = match what {
        Revoked::Person(person) => event.person(person.clone()),
        Revoked::Client(client) | Revoked::MemoryOf(client) => event.client(client),
        Revoked::Everything => event,
    };
    command_store::record(store, event).await;
    let name = match &config.store {
        StoreConfig::Memory => "memory".to_owned(),
        StoreConfig::Embedded { path } => path.display().to_string(),
        StoreConfig::Redis(redis) => format!("Redis, under {}", redis.prefix),
    };
    Ok(RevokedBy { store: name, known })
}
