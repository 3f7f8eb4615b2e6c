//! Keeps the signing keys: opens the ring of a store, notices what other replicas changed, and
//! rotates when it is time.
//!
//! Nothing here decides who signs: [`KeyRing::at`] does, from the ring and the time. Replicas
//! agree because a ring is replaced only by whoever has seen its newest version, and because a
//! key is published long before it signs.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::domain::{AuditEvent, AuditKind, Haste, KeyRing, NewKey};
use crate::protocol::SigningAlgorithm;
use crate::store::audit::Journal;
use crate::store::{Store, StoreError};
use crate::tokens::{CurrentKeys, KeyError, SigningKeys, named, new_key};

/// How often a replica looks whether another changed the ring. Well below
/// [`NOTICED`](crate::domain::NOTICED): a key is published everywhere before it signs anywhere.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often a change is tried again that somebody else's change came before.
const ATTEMPTS: usize = 8;

/// What keeps the keys from being kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key of the ring.
    #[error("the signing key in the store {0}")]
    Key(#[from] KeyError),
    /// Others change the ring all the time.
    #[error("the signing keys in the store change faster than they can be read; try again")]
    Contended,
}

/// When keys of a ring follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRules {
    /// What the next key signs with.
    pub algorithm: SigningAlgorithm,
    /// How long a key signs; for ever if nothing is said.
    pub every: Option<Duration>,
}

/// The keys of the ring in the store; the first replica makes the first key.
pub async fn open(
    store: &dyn Store,
    algorithm: SigningAlgorithm,
    now: Timestamp,
) -> Result<SigningKeys, KeyringError> {
    for _ in 0..ATTEMPTS {
        if let Some(ring) = store.key_ring().await? {
            return Ok(SigningKeys::new(ring, now)?);
        }
        let first = match store.adopted_signing_key(algorithm.as_str()).await? {
            Some(pem) => named(algorithm, pem)?,
            None => fresh(algorithm).await?,
        };
        let ring = KeyRing::first(first, now);
        if store.replace_key_ring(&ring, 0).await? {
            return Ok(SigningKeys::new(ring, now)?);
        }
    }
    Err(KeyringError::Contended)
}

/// Making an RSA key takes long enough to hold up other requests.
async fn fresh(algorithm: SigningAlgorithm) -> Result<NewKey, KeyringError> {
    let made = tokio::task::spawn_blocking(move || new_key(algorithm)).await;
    Ok(made.unwrap_or(Err(KeyError::Generation))?)
}

/// Keeps the keys of one broker.
#[derive(Debug)]
pub struct KeyKeeper {
    /// What the broker signs and publishes with.
    pub keys: Arc<SigningKeys>,
    /// Where the ring is kept.
    pub store: Arc<dyn Store>,
    /// What happened.
    pub journal: Journal,
    /// When keys follow one another; nothing where the operator brings the keys.
    pub rules: Option<KeyRules>,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

impl KeyKeeper {
    /// What signs and is published now.
    #[must_use]
    pub fn current(&self) -> Arc<CurrentKeys> {
        self.keys.at(self.clock.now())
    }

    /// Looks what others changed, publishes the next key when it is time, and forgets keys that
    /// are published no longer. To be called every [`LOOK_EVERY`].
    pub async fn tend(&self) -> Result<(), KeyringError> {
        let Some(rules) = self.rules else { return Ok(()) };
        let now = self.clock.now();
        self.catch_up(now).await?;
        let ring = self.keys.ring();
        if ring.is_due(now, rules.algorithm, rules.every) {
            self.rotate(rules.algorithm, Haste::Usual).await?;
        } else if let Some(less) = ring.without_removed(now)
            && self.store.replace_key_ring(&less, ring.version).await?
        {
            self.keys.replace(less, now)?;
        }
        Ok(())
    }

    /// Publishes the next key. False if one is waiting for its time already.
    pub async fn rotate(&self, algorithm: SigningAlgorithm, haste: Haste) -> Result<bool, KeyringError> {
        let key = fresh(algorithm).await?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let ring = self.keys.ring();
            let Some(next) = ring.rotated(key.clone(), now, haste) else { return Ok(false) };
            if self.store.replace_key_ring(&next, ring.version).await? {
                self.keys.replace(next.clone(), now)?;
                self.record(&next, now);
                return Ok(true);
            }
            self.catch_up(now).await?;
        }
        Err(KeyringError::Contended)
    }

    /// Takes over what others changed.
    async fn catch_up(&self, now: Timestamp) -> Result<(), KeyringError> {
        let (kept, own) = (self.store.key_ring().await?, self.keys.ring());
        match kept {
            Some(kept) if kept.version >= own.version => {
                if kept != own {
                    self.keys.replace(kept, now)?;
                }
            }
            // The store has lost its newest records (PRIN-6). Ours may be signing already: it is
            // put back, or else its tokens would be refused.
            older => {
                let from = older.map_or(0, |older| older.version);
                if self.store.replace_key_ring(&own, from).await? {
                    tracing::warn!(from, to = own.version, "the store had lost signing keys; they are back");
                }
            }
        }
        Ok(())
    }

    fn record(&self, ring: &KeyRing, now: Timestamp) {
        let newest = ring.keys.iter().max_by_key(|key| (key.active_from, key.published_at));
        let said = newest.map(|key| format!("{} signs from {}", key.kid, key.active_from));
        let event = AuditEvent::new(AuditKind::KeysRotated, now).because(said.unwrap_or_default());
        self.journal.record(event);
    }
}
