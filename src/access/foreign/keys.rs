//! The keys of an issuer that is not ours: fetched when first needed, kept for a while, the last good ones
//! kept while the issuer does not answer. Tokens are invented by anybody, so nobody makes us ask often.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::outbound::Outbound;
use crate::protocol::KeySet;
use crate::secret::Digest;
use crate::single_flight::SingleFlight;

use super::metadata::Metadata;

/// How long the last good keys serve while there are no newer ones.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);

/// An unknown `kid` asks for new keys at most this often, and so does an issuer that failed (SEC-052).
const REFETCH: Duration = Duration::from_secs(30);

/// Where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAt {
    /// Where the issuer's metadata says.
    Discovered,
    /// At this URL.
    Url(String),
}

/// The keys as they were published at one moment.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) keys: KeySet,
    /// Other keys, another version: what was verified with earlier ones is verified again.
    pub(super) version: Digest,
    fetched_at: Timestamp,
}

impl Published {
    fn is_good(&self, now: Timestamp) -> bool {
        now.since(self.fetched_at) < LAST_GOOD
    }
}

#[derive(Debug, Default)]
struct State {
    published: Option<Arc<Published>>,
    /// When somebody last asked for a `kid` that nobody knew, or in vain.
    sought_at: Option<Timestamp>,
    /// What came of the last attempt, if not keys.
    fault: Option<String>,
}

/// The keys of one issuer. Cheap to clone.
#[derive(Clone)]
pub(super) struct IssuerKeys {
    issuer: Arc<str>,
    at: KeysAt,
    fresh: Duration,
    outbound: Outbound,
    state: Arc<Mutex<State>>,
    flights: SingleFlight<Result<Arc<Published>, String>>,
}

impl IssuerKeys {
    /// Asks for nothing yet. Keys are asked for again after `fresh`.
    pub(super) fn new(issuer: &str, at: KeysAt, fresh: Duration, outbound: Outbound) -> Self {
        let (state, flights) = (Arc::default(), SingleFlight::default());
        Self { issuer: issuer.into(), at, fresh, outbound, state, flights }
    }

    /// The keys, this one among them if it can be had. A fault says nothing of the token.
    pub(super) async fn knowing(&self, kid: Option<&str>, now: Timestamp) -> Result<Arc<Published>, String> {
        let (good, rests, fault) = {
            let state = self.state();
            let good = state.published.clone().filter(|published| published.is_good(now));
            let rests = state.sought_at.is_some_and(|at| now.since(at) < REFETCH);
            (good, rests, state.fault.clone())
        };
        let knows = good.as_ref().is_some_and(|good| good.keys.knows(kid));
        match good.clone() {
            Some(good) if knows && now.since(good.fetched_at) < self.fresh => return Ok(good),
            // Where this key is not among them, a fault of the moment says nothing.
            Some(good) if rests && (knows || fault.is_none()) => return Ok(good),
            _ if rests => return Err(fault.unwrap_or_else(|| "its keys are not known".to_owned())),
            _ => {}
        }
        let is_sought = good.is_some() && !knows;
        let flight = self.flights.join("keys", || {
            let this = self.clone();
            Ok(async move { this.renewed(is_sought, now).await })
        });
        let fault = match flight.await.unwrap_or_else(|| Err("asking for its keys broke off".to_owned())) {
            Ok(published) => return Ok(published),
            Err(fault) => fault,
        };
        let last_good = good.filter(|_| knows).ok_or_else(|| fault.clone())?;
        tracing::warn!(issuer = %self.issuer, fault, "an issuer's keys could not be renewed; the last good ones serve");
        Ok(last_good)
    }

    async fn renewed(&self, is_sought: bool, now: Timestamp) -> Result<Arc<Published>, String> {
        let fetched = self.fetch(now).await;
        let mut state = self.state();
        state.sought_at = (is_sought || fetched.is_err()).then_some(now);
        match fetched {
            Ok(published) => {
                let published = Arc::new(published);
                (state.published, state.fault) = (Some(Arc::clone(&published)), None);
                Ok(published)
            }
            Err(fault) => {
                state.fault = Some(fault.clone());
                Err(fault)
            }
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Published, String> {
        let url = match &self.at {
            KeysAt::Url(url) => url.clone(),
            KeysAt::Discovered => {
                let metadata = Metadata::fetch(&self.outbound, &self.issuer).await?;
                metadata.jwks_uri.ok_or("its metadata names no jwks_uri")?
            }
        };
        let document = self.outbound.get(&url).await.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&document).map_err(|_| "its keys are not JSON".to_owned())?;
        let jwks: Value = serde_json::from_str(text).map_err(|_| "its keys are not JSON".to_owned())?;
        let keys = KeySet::from_jwks(&jwks);
        // The last good ones serve rather than none.
        if keys.is_empty() {
            return Err("it publishes no key that can be used".to_owned());
        }
        Ok(Published { keys, version: Digest::of(text), fetched_at: now })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment: there is no half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys")
            .field("issuer", &self.issuer)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
