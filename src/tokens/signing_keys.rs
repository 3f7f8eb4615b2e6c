//! The keys of a running broker: the ring with every key pair parsed once, and what holds now.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::domain::{KeyRing, NewKey};
use crate::protocol::{KeySet, SigningAlgorithm};
use crate::secret::Secret;

use super::{KeyError, SigningKey};

/// What holds for some time: who signs, who is published, and what verifies.
#[derive(Debug)]
pub struct CurrentKeys {
    signer: Arc<SigningKey>,
    jwks: Value,
    verifying: KeySet,
    from: Timestamp,
    until: Option<Timestamp>,
}

impl CurrentKeys {
    /// The key that signs.
    #[must_use]
    pub fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// The published keys as a JWK set (SEC-138: public members only).
    #[must_use]
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// What verifies the signatures of every published key.
    #[must_use]
    pub fn verifying(&self) -> &KeySet {
        &self.verifying
    }

    fn hold_at(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|end| now < end)
    }
}

/// A ring whose keys are parsed: parsing a private key costs more than a signature.
#[derive(Debug)]
struct Held {
    ring: KeyRing,
    pairs: Vec<Arc<SigningKey>>,
    current: Arc<CurrentKeys>,
}

/// The keys of a running broker. Everybody who signs or publishes holds the same ones.
#[derive(Debug)]
pub struct SigningKeys(RwLock<Held>);

impl SigningKeys {
    /// The keys of a ring.
    pub fn new(ring: KeyRing, now: Timestamp) -> Result<Self, KeyError> {
        held(ring, &[], now).map(|held| Self(RwLock::new(held)))
    }

    /// From now on the keys of this ring. Keys that are known already are not parsed again.
    pub fn replace(&self, ring: KeyRing, now: Timestamp) -> Result<(), KeyError> {
        let known = self.read(|held| held.pairs.clone());
        let new = held(ring, &known, now)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The ring.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        self.read(|held| held.ring.clone())
    }

    /// What holds at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Arc<CurrentKeys> {
        let current = self.read(|held| Arc::clone(&held.current));
        if current.hold_at(now) {
            return current;
        }
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = current_keys(&held.ring, &held.pairs, now) {
            held.current = Arc::new(fresh);
        }
        Arc::clone(&held.current)
    }

    fn read<T>(&self, what: impl FnOnce(&Held) -> T) -> T {
        what(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn held(ring: KeyRing, known: &[Arc<SigningKey>], now: Timestamp) -> Result<Held, KeyError> {
    let pairs = ring.keys.iter().map(|key| match known.iter().find(|pair| pair.kid() == key.kid) {
        Some(pair) => Ok(Arc::clone(pair)),
        None => SigningKey::from_pem(key.algorithm, &key.pem).map(Arc::new),
    });
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    let current = current_keys(&ring, &pairs, now).ok_or(KeyError::Empty)?;
    Ok(Held { ring, pairs, current: Arc::new(current) })
}

/// Nothing where the ring has no key, or a key has another name than the ring says.
fn current_keys(ring: &KeyRing, pairs: &[Arc<SigningKey>], now: Timestamp) -> Option<CurrentKeys> {
    let keys = ring.at(now)?;
    let find = |kid: &str| pairs.iter().find(|pair| pair.kid() == kid);
    let signer = Arc::clone(find(&keys.signing.kid)?);
    let published: Vec<_> = keys.published.iter().filter_map(|key| find(&key.kid)).collect();
    let jwks = json!({ "keys": published.iter().map(|pair| pair.public()).collect::<Vec<_>>() });
    let verifying = KeySet::new(published.iter().map(|pair| pair.public()));
    Some(CurrentKeys { signer, jwks, verifying, from: now, until: keys.until })
}

/// A fresh key for a ring.
pub fn new_key(algorithm: SigningAlgorithm) -> Result<NewKey, KeyError> {
    named(algorithm, SigningKey::generate(algorithm)?)
}

/// A key that exists, under its name.
pub fn named(algorithm: SigningAlgorithm, pem: Secret) -> Result<NewKey, KeyError> {
    let kid = SigningKey::from_pem(algorithm, &pem)?.kid().to_owned();
    Ok(NewKey { kid, algorithm, pem })
}
