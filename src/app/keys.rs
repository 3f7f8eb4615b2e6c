//! The signing keys of a broker, without serving: for the command line.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::{Haste, KeyRing};
use crate::keyring::KeyringError;
use crate::store::audit::Journal;

use super::state;
use super::{CommandStoreError, StartError, State, command_store, wiring};

/// Why keys cannot be listed or rotated.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store.
    #[error(transparent)]
    Store(#[from] CommandStoreError),
    /// The secret or a key.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The broker has never started.
    #[error("there are no signing keys yet: the broker makes the first when it starts")]
    NoKeys,
    /// The operator's own.
    #[error(
        "the keys are your own (signing.key_file); to rotate, make a key and list the files: \
         `key_file: [OLD, NEW]` for a day, `key_file: [NEW, OLD]` for another, then NEW alone"
    )]
    OwnFiles,
}

/// The keys that this configuration leads to, and whether the broker rotates them.
pub async fn signing_keys(config: &Config) -> Result<KeyRing, KeysError> {
    if !config.signing.key_files.is_empty() {
        return Ok(KeyRing::fixed(state::key_files(&config.signing)?, SystemClock.now()));
    }
    let open = command_store::open(config).await?;
    let ring = open.store.key_ring().await.map_err(|fault| CommandStoreError::of(config, fault))?;
    ring.ok_or(KeysError::NoKeys)
}

/// Publishes the next key; gives back the ring, and whether this rotation changed it.
pub async fn rotate_signing_keys(config: &Config, haste: Haste) -> Result<(KeyRing, bool), KeysError> {
    if !config.signing.key_files.is_empty() {
        return Err(KeysError::OwnFiles);
    }
    command_store::exists(config)?;
    let clock = Arc::new(SystemClock);
    let state =
        State::open(config, clock.now()).await.map_err(|fault| CommandStoreError::of(config, fault))?;
    let journal = Journal::new(Arc::clone(&state.store));
    let keeper = wiring::keeper(config, &state, journal, clock);
    let rotated = keeper.rotate(config.signing.algorithm, haste).await;
    keeper.journal.settled().await;
    let rotated = rotated.map_err(|fault: KeyringError| CommandStoreError::of(config, fault))?;
    Ok((keeper.keys.ring(), rotated))
}
