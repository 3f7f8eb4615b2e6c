//! The store of a broker, opened by a command beside it: one that is there, never a new one.

use std::sync::Arc;

use crate::config::{Config, StoreConfig};
use crate::domain::AuditEvent;
use crate::store::Store;
use crate::store::audit::Journal;

use super::StartError;
pub(super) use super::state::OpenStore;

/// Why a command cannot have the store.
#[derive(Debug, thiserror::Error)]
pub enum CommandStoreError {
    /// The store or the secret.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The embedded store, which one process has at a time.
    #[error(
        "{0}\n    this command needs the store file for itself: stop the broker, run the command, start the \
         broker again"
    )]
    Embedded(StartError),
    /// Nothing is kept.
    #[error("the store is the memory of the broker that serves: what is in it ends with that process")]
    Memory,
    /// Another folder, or a broker that never started.
    #[error(
        "there is no store at {0} yet: relative paths are relative to the working directory, so run this where \
         the broker runs; the broker makes the store when it first starts"
    )]
    NoStore(String),
}

impl CommandStoreError {
    pub(super) fn of(config: &Config, fault: impl Into<StartError>) -> Self {
        match (&config.store, fault.into()) {
            (StoreConfig::Embedded { .. }, fault @ StartError::Store(_)) => Self::Embedded(fault),
            (_, fault) => Self::Start(fault),
        }
    }
}

/// Is there a store? Looking must not make one.
pub(super) fn exists(config: &Config) -> Result<(), CommandStoreError> {
    match &config.store {
        StoreConfig::Memory => Err(CommandStoreError::Memory),
        StoreConfig::Embedded { path } if !path.exists() => {
            Err(CommandStoreError::NoStore(path.display().to_string()))
        }
        StoreConfig::Embedded { .. } | StoreConfig::Redis { .. } => Ok(()),
    }
}

/// Opens the store that is there.
pub(super) async fn open(config: &Config) -> Result<OpenStore, CommandStoreError> {
    exists(config)?;
    OpenStore::open(config).await.map_err(|fault| CommandStoreError::of(config, fault))
}

/// Records what a command did; the store has been told when this ends.
pub(super) async fn record(store: Arc<dyn Store>, event: AuditEvent) {
    let journal = Journal::new(store);
    journal.record(event.because("by command"));
    journal.settled().await;
}
