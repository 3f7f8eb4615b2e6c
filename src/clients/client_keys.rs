//! The public keys of clients that sign: in their metadata, or at their `jwks_uri`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use url::Url;

use crate::clock::Timestamp;
use crate::domain::ClientId;
use crate::outbound::documents::{Documents, Reach};
use crate::protocol::KeySet;
use crate::protocol::client_document::ClientKeys;
use crate::rate::RateLimit;

use super::metadata_documents::DocumentFault;
use super::single_flight::SingleFlight;

/// How long fetched keys are used before they are asked for again.
const FRESH: Duration = Duration::from_secs(3600);
/// How long they serve while their host does not answer.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);
/// An unknown `kid` asks again at most this often, and so does a host that failed (SEC-052).
const REFETCH: Duration = Duration::from_secs(30);
/// Largest key set that is read.
const LARGEST: usize = 64 * 1024;
/// How many clients' keys are held; the ones that were fetched first make room.
const MOST: usize = 1000;

#[derive(Debug, Clone)]
struct Held {
    uri: Url,
    keys: KeySet,
    fetched_at: Timestamp,
    sought_at: Timestamp,
}

/// The keys that were fetched. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct KeyDirectory {
    fetcher: Documents,
    budget: Arc<RateLimit<String>>,
    places: Arc<Semaphore>,
    held: Arc<Mutex<HashMap<ClientId, Held>>>,
    flights: SingleFlight<Result<KeySet, DocumentFault>>,
}

impl KeyDirectory {
    /// Shares its bounds with the documents: keys are fetched at the word of strangers, too (SEC-128).
    pub(super) fn new(fetcher: Documents, budget: Arc<RateLimit<String>>, places: Arc<Semaphore>) -> Self {
        Self { fetcher, budget, places, held: Arc::default(), flights: SingleFlight::default() }
    }

    /// How many clients' keys are held, and how many are being fetched.
    pub(super) fn in_memory(&self) -> (usize, usize) {
        (self.held(|held| held.len()), self.flights.under_way())
    }

    /// A client's keys, this one among them if it can be had.
    pub(super) async fn knowing(
        &self,
        (client, reach): (&ClientId, Reach),
        keys: &ClientKeys,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<KeySet, DocumentFault> {
        let uri = match keys {
            ClientKeys::Jwks(jwks) => return Ok(KeySet::from_jwks(jwks)),
            ClientKeys::JwksUri(uri) => uri,
        };
        let held = self.held(|held| held.get(client).cloned()).filter(|held| held.uri == *uri);
        if let Some(held) = &held {
            let serves = now.since(held.fetched_at) < FRESH && held.keys.knows(kid);
            let was_just_sought = now.since(held.sought_at) < REFETCH;
            let is_good = now.since(held.fetched_at) < LAST_GOOD;
            if serves || (was_just_sought && is_good) {
                return Ok(held.keys.clone());
            }
            if was_just_sought {
                return Err(DocumentFault::Busy);
            }
        }
        let was_good = held.as_ref().is_some_and(|held| !held.keys.is_empty());
        let name = format!("{client} {uri}");
        let flight = self.flights.join(&name, || {
            let host = uri.host_str().unwrap_or_default().to_owned();
            let may_begin = was_good || self.budget.allows(&host);
            let (this, client, uri) = (self.clone(), client.clone(), uri.clone());
            may_begin.then_some(async move { this.fetch((&client, reach), &uri, now).await })
        });
        match (flight.await.unwrap_or(Err(DocumentFault::Busy)), held) {
            (Err(DocumentFault::Unreachable(fault)), Some(held))
                if now.since(held.fetched_at) < LAST_GOOD =>
            {
                tracing::warn!(%client, %fault, "a client's keys cannot be fetched; the last good ones serve");
                self.hold(client, Held { sought_at: now, ..held.clone() });
                Ok(held.keys)
            }
            (Err(fault), _) if !was_good => {
                // Remembered as well: whoever asks again at once costs its host nothing.
                let never = Timestamp::from_unix(0);
                let none = KeySet::default();
                self.hold(client, Held { uri: uri.clone(), keys: none, fetched_at: never, sought_at: now });
                Err(fault)
            }
            (fetched, _) => fetched,
        }
    }

    async fn fetch(
        &self,
        (client, reach): (&ClientId, Reach),
        uri: &Url,
        now: Timestamp,
    ) -> Result<KeySet, DocumentFault> {
        let _place = self.places.try_acquire().map_err(|_| DocumentFault::Busy)?;
        let document = self.fetcher.get(uri, reach, LARGEST).await?;
        let jwks = serde_json::from_slice(&document.body);
        let keys = jwks.map(|jwks| KeySet::from_jwks(&jwks)).unwrap_or_default();
        if keys.is_empty() {
            return Err(DocumentFault::NoKeys);
        }
        self.hold(client, Held { uri: uri.clone(), keys: keys.clone(), fetched_at: now, sought_at: now });
        Ok(keys)
    }

    fn hold(&self, client: &ClientId, new: Held) {
        self.held(|held| {
            if held.len() >= MOST && !held.contains_key(client) {
                let oldest = held.iter().min_by_key(|(_, held)| held.fetched_at).map(|(id, _)| id.clone());
                oldest.and_then(|oldest| held.remove(&oldest));
            }
            held.insert(client.clone(), new);
        });
    }

    fn held<T>(&self, look: impl FnOnce(&mut HashMap<ClientId, Held>) -> T) -> T {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
