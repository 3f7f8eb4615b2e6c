//! The public keys of clients that sign: in their metadata, or at their `jwks_uri`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::domain::ClientId;
use crate::outbound::documents::{Documents, Reach};
use crate::protocol::client_document::ClientKeys;
use crate::protocol::{ClientIdUrl, KeySet};

use super::bounded;
use super::document_fault::DocumentFault;
use super::fetch_budget::{KeyBudget, Limit};
use crate::single_flight::SingleFlight;

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

/// Whose keys are asked for, and by whom.
#[derive(Debug, Clone)]
pub(super) struct KeyOwner<'a> {
    pub(super) id: &'a ClientId,
    /// Where the keys may be.
    pub(super) reach: Reach,
    /// The operator's own clients are not counted with those of strangers.
    pub(super) is_the_operator_s: bool,
    /// Where the request comes from. For the log.
    pub(super) address: Option<IpAddr>,
}

#[derive(Debug, Clone)]
struct Held {
    uri: Url,
    /// None, if they could not be had.
    keys: KeySet,
    fetched_at: Timestamp,
    sought_at: Timestamp,
    /// What came of the last attempt, if not keys.
    fault: Option<DocumentFault>,
}

impl Held {
    /// May the keys serve while there are no newer ones?
    fn are_good(&self, now: Timestamp) -> bool {
        !self.keys.is_empty() && now.since(self.fetched_at) < LAST_GOOD
    }

    /// The keys, if they serve; where this one is not among them, a fault of the moment says nothing.
    fn serves(&self, kid: Option<&str>, now: Timestamp) -> Option<KeySet> {
        let is_enough = self.keys.knows(kid) || self.fault.is_none();
        (self.are_good(now) && is_enough).then(|| self.keys.clone())
    }
}

/// The keys that were fetched. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct KeyDirectory {
    fetcher: Documents,
    budget: Arc<KeyBudget>,
    held: Arc<Mutex<HashMap<ClientId, Held>>>,
    flights: SingleFlight<Result<KeySet, DocumentFault>>,
}

impl KeyDirectory {
    /// Bounded, as keys are fetched at the word of strangers, too (SEC-128).
    pub(super) fn new(fetcher: Documents, clock: &Arc<dyn Clock>) -> Self {
        let budget = Arc::new(KeyBudget::new(clock));
        Self { fetcher, budget, held: Arc::default(), flights: SingleFlight::default() }
    }

    /// How many clients' keys are held, how many are being fetched, and how many hosts are counted.
    pub(super) fn in_memory(&self) -> (usize, usize, usize) {
        (self.held(|held| held.len()), self.flights.under_way(), self.budget.counted())
    }

    /// Forgets the counters of hosts that nobody asked for lately.
    pub(super) fn collect_garbage(&self) {
        self.budget.collect_garbage();
    }

    /// A client's keys, this one among them if it can be had.
    pub(super) async fn knowing(
        &self,
        owner: KeyOwner<'_>,
        keys: &ClientKeys,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<KeySet, DocumentFault> {
        let uri = match keys {
            ClientKeys::Jwks(jwks) => return Ok(KeySet::from_jwks(jwks)),
            ClientKeys::JwksUri(uri) => uri,
        };
        let KeyOwner { id: client, reach, is_the_operator_s, address } = owner;
        let held = self.held(|held| held.get(client).cloned()).filter(|held| held.uri == *uri);
        if let Some(held) = &held {
            if now.since(held.fetched_at) < FRESH && held.keys.knows(kid) {
                return Ok(held.keys.clone());
            }
            if now.since(held.sought_at) < REFETCH {
                let fault = || held.fault.clone().unwrap_or(DocumentFault::NoKeys);
                return held.serves(kid, now).ok_or_else(fault);
            }
        }
        let keys_host = uri.host_str().unwrap_or_default();
        let were_good = held.as_ref().is_some_and(|held| held.are_good(now));
        let name = format!("{client} {uri}");
        let flight = self.flights.join(&name, || {
            let place = if is_the_operator_s {
                None
            } else {
                if !were_good {
                    let client_host = ClientIdUrl::parse(client.as_str());
                    let client_host = client_host.as_ref().map_or("", ClientIdUrl::host);
                    self.budget.take_turn(client_host, keys_host).map_err(busy)?;
                }
                Some(self.budget.place().map_err(busy)?)
            };
            let (this, client, uri) = (self.clone(), client.clone(), uri.clone());
            Ok(async move {
                let _place = place;
                this.fetch((&client, reach), uri, now).await
            })
        });
        let fault = match flight.await.unwrap_or_else(|| Err(DocumentFault::broke_off(keys_host))) {
            Ok(keys) => return Ok(keys),
            Err(fault) => fault,
        };
        if let DocumentFault::Busy(limit) = fault {
            let address = address.map(tracing::field::display);
            tracing::warn!(%client, address, %limit, "a client's keys are not fetched: there are too many");
        }
        // An unknown key may stand where nobody could look.
        let last_good = held.filter(|held| fault.may_pass() && held.are_good(now) && held.keys.knows(kid));
        let last_good = last_good.ok_or_else(|| fault.clone())?;
        tracing::warn!(%client, %fault, "a client's keys cannot be fetched; the last good ones serve");
        Ok(last_good.keys)
    }

    /// Also what fails is remembered: whoever asks again at once costs the host nothing.
    async fn fetch(
        &self,
        (client, reach): (&ClientId, Reach),
        uri: Url,
        now: Timestamp,
    ) -> Result<KeySet, DocumentFault> {
        let asked = self.asked(&uri, reach).await;
        let new = match &asked {
            Ok(keys) => Held { uri, keys: keys.clone(), fetched_at: now, sought_at: now, fault: None },
            Err(fault) => {
                let before = self.held(|held| held.get(client).cloned());
                let good = before.filter(|held| held.uri == uri && held.are_good(now) && fault.may_pass());
                let (keys, fetched_at) = good.map_or((KeySet::default(), Timestamp::from_unix(0)), |held| {
                    (held.keys, held.fetched_at)
                });
                Held { uri, keys, fetched_at, sought_at: now, fault: Some(fault.clone()) }
            }
        };
        self.hold(client, new);
        asked
    }

    async fn asked(&self, uri: &Url, reach: Reach) -> Result<KeySet, DocumentFault> {
        let document = self.fetcher.get(uri, reach, LARGEST).await?;
        let jwks: Map<String, Value> =
            serde_json::from_slice(&document.body).map_err(|_| DocumentFault::broken())?;
        let keys = KeySet::from_jwks(&Value::Object(jwks));
        if keys.is_empty() { Err(DocumentFault::NoKeys) } else { Ok(keys) }
    }

    fn hold(&self, client: &ClientId, new: Held) {
        self.held(|held| bounded::hold(held, MOST, (client, new), |held| held.fetched_at));
    }

    fn held<T>(&self, look: impl FnOnce(&mut HashMap<ClientId, Held>) -> T) -> T {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn busy(limit: Limit) -> Result<KeySet, DocumentFault> {
    Err(DocumentFault::Busy(limit))
}
