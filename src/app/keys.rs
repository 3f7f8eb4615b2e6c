//! The signing keys of a broker, without serving: for the command line.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, StoreConfig};
use crate::domain::{Haste, KeyRing};
use crate::keyring::KeyringError;

use super::state::{self, OpenStore};
use super::{StartError, State, wiring};

/// Why keys cannot be listed or rotated.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store, the secret or a key.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The embedded store, which one process has at a time.
    #[error(
        "{0}\n    this command needs the store file for itself: stop the broker, run the command, start the \
         broker again; a running broker rotates by itself, see signing.rotate_every"
    )]
    Embedded(StartError),
    /// Nothing is kept.
    #[error(
        "the store is the memory of the broker that serves: its keys end with it; restart it for a new one"
    )]
    Memory,
    /// The broker has never started.
    #[error("there is no store at {0} yet: the broker makes it, and its first key, when it starts")]
    NoStore(String),
    /// The same in Redis.
    #[error("there are no signing keys yet: the broker makes the first when it starts")]
    NoKeys,
    /// The operator's own.
    #[error(
        "the keys are your own (signing.key_file); to rotate, make a key and list the files: \
         `key_file: [OLD, NEW]` for a day, `key_file: [NEW, OLD]` for another, then NEW alone"
    )]
    OwnFiles,
}

impl KeysError {
    fn of(config: &Config, fault: StartError) -> Self {
        match (&config.store, fault) {
            (StoreConfig::Embedded { .. }, fault @ StartError::Store(_)) => Self::Embedded(fault),
            (_, fault) => Self::Start(fault),
        }
    }
}

/// The keys that this configuration leads to, and whether the broker rotates them.
pub async fn signing_keys(config: &Config) -> Result<KeyRing, KeysError> {
    if !config.signing.key_files.is_empty() {
        return Ok(KeyRing::fixed(state::key_files(&config.signing)?, SystemClock.now()));
    }
    exists(config)?;
    let open = OpenStore::open(config).await.map_err(|fault| KeysError::of(config, fault))?;
    let ring = open.store.key_ring().await.map_err(|fault| KeysError::of(config, fault.into()))?;
    ring.ok_or(KeysError::NoKeys)
}

/// Publishes the next key; gives back the ring, and whether this rotation changed it.
pub async fn rotate_signing_keys(config: &Config, haste: Haste) -> Result<(KeyRing, bool), KeysError> {
    if !config.signing.key_files.is_empty() {
        return Err(KeysError::OwnFiles);
    }
    exists(config)?;
    let clock = Arc::new(SystemClock);
    let state = State::open(config, clock.now()).await.map_err(|fault| KeysError::of(config, fault))?;
    let keeper = wiring::keeper(config, &state, clock);
    let rotated = keeper.rotate(config.signing.algorithm, haste).await;
    let rotated = rotated.map_err(|fault: KeyringError| KeysError::of(config, fault.into()))?;
    Ok((keeper.keys.ring(), rotated))
}

/// Looking must not make a store.
fn exists(config: &Config) -> Result<(), KeysError> {
    match &config.store {
        StoreConfig::Memory => Err(KeysError::Memory),
        StoreConfig::Embedded { path } if !path.exists() => {
            Err(KeysError::NoStore(path.display().to_string()))
        }
        StoreConfig::Embedded { .. } | StoreConfig::Redis { .. } => Ok(()),
    }
}
