//! The broker's public keys, fetched when they are needed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::outbound::Outbound;
use crate::protocol::KeySet;
use crate::tokens::AccessTokenVerifier;

/// Loads a JWK set; the error is for the log.
pub type KeyLoader = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Loads the keys of a broker as any MCP server would: over HTTP.
#[must_use]
pub fn keys_over_http(outbound: Outbound, issuer: &str) -> KeyLoader {
    let url = format!("{issuer}/.well-known/jwks.json");
    Arc::new(move || {
        let (outbound, url) = (outbound.clone(), url.clone());
        Box::pin(async move {
            let body = outbound.get(&url).await.map_err(|fault| fault.to_string())?;
            serde_json::from_slice(&body).map_err(|fault| fault.to_string())
        })
    })
}

/// At most one refetch for unknown keys in this time: anybody can invent key names.
const PAUSE: Duration = Duration::from_secs(30);

/// The issuer's keys cannot be loaded.
#[derive(Debug)]
pub(super) struct NoKeys;

/// Keeps the issuer's keys.
pub(super) struct KeyCache {
    issuer: String,
    load: KeyLoader,
    clock: Arc<dyn Clock>,
    current: RwLock<Option<Arc<AccessTokenVerifier>>>,
    /// When the keys were last asked for. Held while they are: one request loads, others wait.
    asked_at: Mutex<Option<Timestamp>>,
}

impl KeyCache {
    /// An empty cache.
    pub(super) fn new(issuer: String, load: KeyLoader, clock: Arc<dyn Clock>) -> Self {
        Self { issuer, load, clock, current: RwLock::default(), asked_at: Mutex::default() }
    }

    /// A verifier, with the key of this token if the issuer publishes it.
    pub(super) async fn verifier_for(&self, token: &str) -> Result<Arc<AccessTokenVerifier>, NoKeys> {
        if let Some(verifier) = self.current().filter(|verifier| !verifier.lacks_key_of(token)) {
            return Ok(verifier);
        }
        let mut asked_at = self.asked_at.lock().await;
        let now = self.clock.now();
        if let Some(verifier) = self.current() {
            // Somebody else may have loaded the key meanwhile.
            let fresh = asked_at.is_some_and(|asked_at| now.since(asked_at) < PAUSE);
            if fresh || !verifier.lacks_key_of(token) {
                return Ok(verifier);
            }
        }
        *asked_at = Some(now);
        match (self.load)().await {
            Ok(document) => {
                let verifier = Arc::new(AccessTokenVerifier::new(&self.issuer, KeySet::from_jwks(&document)));
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(verifier.clone());
                Ok(verifier)
            }
            Err(reason) => {
                tracing::warn!(issuer = %self.issuer, %reason, "the issuer's keys cannot be loaded");
                self.current().ok_or(NoKeys)
            }
        }
    }

    fn current(&self) -> Option<Arc<AccessTokenVerifier>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
