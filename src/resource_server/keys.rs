//! The issuer's public keys: fetched when they are needed, fetched anew while they are used, and kept while
//! the issuer does not answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use crate::bearer::AccessTokenVerifier;
use crate::clock::Clock;
use crate::outbound::Outbound;
use crate::protocol::{Issuer, KeySet};
use crate::single_flight::SingleFlight;

/// Loads a JWK set; the error is for the log.
pub type KeyLoader = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Our broker sends its keys with this `max-age`. Older ones are used while newer ones are fetched.
const FRESH: Duration = Duration::from_secs(300);

/// Keys that are older, because nobody asked for a while, are not used before newer ones were asked for: one
/// that was withdrawn must not count.
const STALE: Duration = Duration::from_secs(600);

/// The issuer is asked no more often, whatever names of keys strangers invent.
const PAUSE: Duration = Duration::from_secs(30);

/// The same as long as there is no key at all.
const PAUSE_WITHOUT: Duration = Duration::from_secs(1);

/// How long keys count that could not be renewed: one that leaked and was withdrawn must not for ever.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);

/// What is needed of the issuer's metadata (RFC 8414 section 2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Finds the keys of an issuer by its metadata, each time anew.
#[must_use]
pub fn keys_by_discovery(outbound: Outbound, issuer: &Issuer) -> KeyLoader {
    let url = format!("{}/.well-known/oauth-authorization-server{}", issuer.origin(), issuer.path());
    let issuer = issuer.as_str().to_owned();
    Arc::new(move || {
        let (outbound, url, issuer) = (outbound.clone(), url.clone(), issuer.clone());
        Box::pin(async move {
            let metadata = outbound.get(&url).await.map_err(|fault| fault.to_string())?;
            let metadata: Metadata = serde_json::from_slice(&metadata).map_err(|fault| fault.to_string())?;
            // RFC 8414 section 3.3.
            if metadata.issuer != issuer {
                return Err(format!("its metadata is of {}", metadata.issuer));
            }
            let keys = outbound.get(&metadata.jwks_uri).await.map_err(|fault| fault.to_string())?;
            serde_json::from_slice(&keys).map_err(|fault| fault.to_string())
        })
    })
}

/// The issuer's keys have never been had, or not for a day.
#[derive(Debug)]
pub(super) struct NoKeys;

/// Keeps the issuer's keys.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    issuer: String,
    load: KeyLoader,
    clock: Arc<dyn Clock>,
    held: RwLock<Option<Held>>,
    asked: Mutex<Option<Asked>>,
    flights: SingleFlight<()>,
}

#[derive(Clone)]
struct Held {
    verifier: Arc<AccessTokenVerifier>,
    as_of: Duration,
}

/// When the issuer was last asked, and whether that came to nothing.
#[derive(Clone, Copy)]
struct Asked {
    at: Duration,
    failed: bool,
}

impl Keys {
    /// No key yet.
    pub(super) fn new(issuer: String, load: KeyLoader, clock: Arc<dyn Clock>) -> Self {
        let (held, asked, flights) = (RwLock::default(), Mutex::default(), SingleFlight::default());
        Self(Arc::new(Inner { issuer, load, clock, held, asked, flights }))
    }

    /// A verifier, with the key of this token if the issuer publishes it.
    pub(super) async fn verifier_for(&self, token: &str) -> Result<Arc<AccessTokenVerifier>, NoKeys> {
        match self.0.held() {
            Some(held) if !held.verifier.lacks_key_of(token) => {
                let age = self.0.clock.elapsed().saturating_sub(held.as_of);
                if age >= STALE && !self.0.asked().is_some_and(|asked| asked.failed) {
                    self.renew(PAUSE).await;
                } else if age >= FRESH && self.0.may_ask(PAUSE) {
                    let keys = self.clone();
                    tokio::spawn(async move { keys.renew(PAUSE).await });
                }
            }
            Some(_) => self.renew(PAUSE).await,
            None => self.renew(PAUSE_WITHOUT).await,
        }
        self.0.held().map(|held| held.verifier).ok_or(NoKeys)
    }

    /// Fetches the keys, or waits for whoever does already; not if somebody did a moment ago.
    async fn renew(&self, pause: Duration) {
        let start = || {
            if !self.0.may_ask(pause) {
                return Err(());
            }
            *self.0.asked() = Some(Asked { at: self.0.clock.elapsed(), failed: false });
            Ok(Arc::clone(&self.0).fetch())
        };
        self.0.flights.join("", start).await;
    }
}

impl Inner {
    fn may_ask(&self, pause: Duration) -> bool {
        let now = self.clock.elapsed();
        self.asked().is_none_or(|asked| now.saturating_sub(asked.at) >= pause)
    }

    async fn fetch(self: Arc<Self>) {
        let as_of = self.clock.elapsed();
        let loaded = (self.load)().await.map(|document| KeySet::from_jwks(&document));
        match loaded.and_then(|keys| if keys.is_empty() { Err("it has none".to_owned()) } else { Ok(keys) }) {
            Ok(keys) => {
                let verifier = Arc::new(AccessTokenVerifier::new(&self.issuer, keys));
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Held { verifier, as_of });
            }
            Err(reason) => {
                *self.asked() = Some(Asked { at: as_of, failed: true });
                tracing::warn!(issuer = %self.issuer, %reason, "the issuer's keys cannot be loaded");
            }
        }
    }

    fn held(&self) -> Option<Held> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|held| self.clock.elapsed().saturating_sub(held.as_of) < LAST_GOOD)
    }

    /// The guarded value is replaced whole: there is no half of one.
    fn asked(&self) -> MutexGuard<'_, Option<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
