//! Clients whose identifier is a URL (draft-ietf-oauth-client-id-metadata-document): what stands
//! there is fetched, checked, and kept for as long as its server and our own bounds say.
//!
//! A fetch that fails is no verdict on the client (INT-43): the last good document serves on, from
//! memory or from the store, and only errors are forgotten at once (SEC-126).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::domain::{Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin, DomainName};
use crate::outbound::documents::{Documents, Reach};
use crate::protocol::client_document::{ClientDocument, ClientKeys};
use crate::protocol::{ClientIdUrl, KeySet};
use crate::store::{Store, StoreError};

use super::FindClientError;
use super::bounded;
use super::client_keys::{KeyDirectory, KeyOwner};
use super::document_fault::DocumentFault;
use super::fetch_budget::{DocumentBudget, Limit};
use crate::single_flight::SingleFlight;

/// How long a document is used whose server says nothing, and at least and at most.
const USUALLY: Duration = Duration::from_secs(3600);
const AT_LEAST: Duration = Duration::from_secs(5 * 60);
const AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// Until the next attempt at a document whose last good state serves.
const RETRY: Duration = Duration::from_secs(60);

/// How many documents are held in memory (SEC-113); the one that was fetched first makes room.
const MOST: usize = 1000;

/// Largest document (SEC-121).
const LARGEST: usize = 5 * 1024;

/// Whose documents are looked at, and for how long they are remembered.
#[derive(Debug, Clone)]
pub struct DocumentRules {
    /// Are there such clients beside those whose documents are pinned?
    pub enabled: bool,
    /// Only clients of these hosts, if any are named; a name means its subdomains, too.
    pub allowed_hosts: Vec<DomainName>,
    /// No clients of these hosts.
    pub denied_hosts: Vec<DomainName>,
    /// How many that were never good are fetched for one address in a minute.
    pub per_address: NonZeroU32,
    /// How long the last good document outlives its last fetch (INT-36).
    pub keep: Duration,
}

type Fetched = Result<Arc<Held>, DocumentFault>;

/// How much is in memory: what strangers make us fetch must not fill it (REL-22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InMemory {
    /// Good documents.
    pub documents: usize,
    /// Clients' keys, also of those whose keys could not be had.
    pub keys: usize,
    /// Fetches under way.
    pub fetches: usize,
    /// Hosts and addresses that are counted.
    pub counted: usize,
}

impl InMemory {
    /// Everything together.
    #[must_use]
    pub fn all(self) -> usize {
        self.documents + self.keys + self.fetches + self.counted
    }
}

/// A good document.
#[derive(Debug)]
struct Held {
    client: Client,
    fetched_at: Timestamp,
    renew_at: Timestamp,
}

/// What is known of the clients behind URLs. Cheap to clone.
#[derive(Clone)]
pub struct MetadataDocuments {
    rules: Arc<DocumentRules>,
    fetcher: Documents,
    pinned: Arc<HashMap<ClientId, Client>>,
    store: Arc<dyn Store>,
    held: Arc<Mutex<HashMap<ClientId, Arc<Held>>>>,
    /// What was taken out of the store, and goes back when it is good again.
    forgotten: Arc<Mutex<HashSet<ClientId>>>,
    flights: SingleFlight<Fetched>,
    keys: KeyDirectory,
    budget: Arc<DocumentBudget>,
}

impl fmt::Debug for MetadataDocuments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataDocuments").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl MetadataDocuments {
    /// Nothing is known yet but the documents that the operator has pinned.
    #[must_use]
    pub fn new(
        rules: DocumentRules,
        fetcher: Documents,
        pinned: HashMap<ClientId, Client>,
        store: Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let budget = Arc::new(DocumentBudget::new(rules.per_address, clock));
        let keys = KeyDirectory::new(fetcher.clone(), clock);
        Self {
            rules: Arc::new(rules),
            fetcher,
            pinned: Arc::new(pinned),
            store,
            held: Arc::default(),
            forgotten: Arc::default(),
            flights: SingleFlight::default(),
            keys,
            budget,
        }
    }

    /// Can a client name itself by URL here?
    #[must_use]
    pub fn are_taken(&self) -> bool {
        self.rules.enabled || !self.pinned.is_empty()
    }

    /// Has the operator named this document?
    pub(super) fn is_pinned(&self, id: &ClientId) -> bool {
        self.pinned.contains_key(id)
    }

    /// May there be a client at this URL, as the operator has it?
    pub(super) fn may_be_used(&self, id: &ClientId) -> bool {
        self.is_pinned(id) || ClientIdUrl::parse(id.as_str()).is_ok_and(|url| self.admits(url.host()))
    }

    /// What is known of the client of this URL without asking its host.
    pub(super) async fn known(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        if let Some(pinned) = self.pinned.get(id) {
            return Ok(Some(pinned.clone()));
        }
        match self.remembered(id, now) {
            Some(held) => Ok(Some(held.client.clone())),
            None => self.store.client(id, now).await,
        }
    }

    /// What this process knows, unless it is too old to count.
    fn remembered(&self, id: &ClientId, now: Timestamp) -> Option<Arc<Held>> {
        let held = self.held().get(id).cloned();
        held.filter(|held| now.since(held.fetched_at) < self.rules.keep)
    }

    /// The client of this URL. Whoever asks at this address makes us ask for so many that were never good.
    pub(super) async fn find(
        &self,
        id: &ClientId,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Client, DocumentFault> {
        if let Some(pinned) = self.pinned.get(id) {
            return Ok(pinned.clone());
        }
        let url = ClientIdUrl::parse(id.as_str())?;
        if !self.admits(url.host()) {
            return Err(DocumentFault::NotAdmitted);
        }
        let held = self.remembered(id, now);
        if let Some(fresh) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(fresh.client.clone());
        }
        match self.fetched((id, url), held.is_some(), address, now).await {
            Ok(new) => Ok(new.client.clone()),
            Err(fault) if fault.may_pass() => self.last_good(id, held, now).await?.ok_or(fault),
            Err(fault) => Err(fault),
        }
    }

    /// The keys of a client that signs, this one among them if it can be had.
    pub(super) async fn keys_knowing(
        &self,
        (client, address): (&Client, Option<IpAddr>),
        keys: &ClientKeys,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<KeySet, FindClientError> {
        if let (ClientOrigin::Registered, ClientKeys::JwksUri(uri)) = (client.origin, keys)
            && !self.admits_keys_at(uri)
        {
            return Err(DocumentFault::NotAdmitted.into());
        }
        let (reach, is_the_operator_s) = (self.reach_of(client, keys), self.is_the_operator_s(client));
        let owner = KeyOwner { id: &client.id, reach, is_the_operator_s, address };
        Ok(self.keys.knowing(owner, keys, kid, now).await?)
    }

    /// Has the operator named this very client?
    fn is_the_operator_s(&self, client: &Client) -> bool {
        client.origin.is_the_operator_s() || self.is_pinned(&client.id)
    }

    /// May the keys of a client that registered itself be fetched there? Whoever wants no documents, or
    /// those of some hosts only, wants nothing else fetched at the word of strangers either.
    pub(super) fn admits_keys_at(&self, uri: &Url) -> bool {
        uri.host_str().is_some_and(|host| self.admits(host))
    }

    /// Where a client's keys may be. That a host may be private is said for that host's own documents: a
    /// stranger who names it as the place of their keys would have us call it (SEC-122).
    fn reach_of(&self, client: &Client, keys: &ClientKeys) -> Reach {
        let at_own_host = || match keys {
            ClientKeys::JwksUri(keys) => ClientIdUrl::parse(client.id.as_str())
                .is_ok_and(|document| keys.host_str() == Some(document.host())),
            ClientKeys::Jwks(_) => false,
        };
        if self.is_the_operator_s(client) || at_own_host() { Reach::Named } else { Reach::Public }
    }

    /// What serves while nothing newer can be had.
    async fn last_good(
        &self,
        id: &ClientId,
        held: Option<Arc<Held>>,
        now: Timestamp,
    ) -> Result<Option<Client>, StoreError> {
        let client = match held {
            Some(held) => Some(held.client.clone()),
            None => self.store.client(id, now).await?,
        };
        let Some(client) = client.filter(|client| now.since(client.created_at) < self.rules.keep) else {
            return Ok(None);
        };
        tracing::warn!(client = %id, "a client's metadata document cannot be fetched; the last good one serves");
        let again = Held { client: client.clone(), fetched_at: client.created_at, renew_at: now.plus(RETRY) };
        self.hold(id, Arc::new(again));
        Ok(Some(client))
    }

    /// The document as it is now; one fetch for all who ask at the same moment.
    async fn fetched(
        &self,
        (id, url): (&ClientId, ClientIdUrl),
        was_good: bool,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Fetched {
        let busy = |limit: Limit| {
            let address = address.map(tracing::field::display);
            tracing::warn!(client = %id, address, %limit, "a client's document is not fetched: there are too many");
            Err(DocumentFault::Busy(limit))
        };
        let host = url.host().to_owned();
        let flight = self.flights.join(id.as_str(), || {
            if !was_good {
                self.budget.take_turn(address, url.host()).map_err(busy)?;
            }
            let place = self.budget.place().map_err(busy)?;
            let (this, id) = (self.clone(), id.clone());
            Ok(async move {
                let _place = place;
                this.fetch(&id, &url, now).await
            })
        });
        flight.await.unwrap_or_else(|| Err(DocumentFault::broke_off(&host)))
    }

    async fn fetch(&self, id: &ClientId, url: &ClientIdUrl, now: Timestamp) -> Fetched {
        match self.asked(id, url, now).await {
            Ok(new) => {
                self.keep_if_used(&new.client, now).await;
                self.hold(id, Arc::clone(&new));
                Ok(new)
            }
            Err(fault) if fault.may_pass() => Err(fault),
            Err(fault) => {
                tracing::info!(client = %id, %fault, "a client's metadata document is refused");
                self.forget(id, now).await?;
                Err(fault)
            }
        }
    }

    async fn asked(&self, id: &ClientId, url: &ClientIdUrl, now: Timestamp) -> Fetched {
        let document = self.fetcher.get(url.as_url(), Reach::Named, LARGEST).await?;
        let fresh_for = document.fresh_for.unwrap_or(USUALLY).clamp(AT_LEAST, AT_MOST);
        // What is whole and does not hold is the client's word; half of it is nobody's.
        let _: Map<String, Value> =
            serde_json::from_slice(&document.body).map_err(|_| DocumentFault::broken())?;
        let document = ClientDocument::read(url.as_str(), &document.body)?;
        let client = described(id.clone(), document, now.plus(self.rules.keep), now);
        Ok(Arc::new(Held { client, fetched_at: now, renew_at: now.plus(fresh_for) }))
    }

    /// What its host has taken back does not come back when the host is away: neither from here nor, after
    /// a restart, from the store.
    async fn forget(&self, id: &ClientId, now: Timestamp) -> Result<(), StoreError> {
        self.held().remove(id);
        if self.store.client(id, now).await?.is_some() {
            self.store.forget_client(id).await?;
            let mut forgotten = self.forgotten();
            if forgotten.len() < MOST {
                forgotten.insert(id.clone());
            }
        }
        Ok(())
    }

    fn forgotten(&self) -> MutexGuard<'_, HashSet<ClientId>> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the time when neither its host nor this process's memory has it. Only of a client that somebody
    /// has used, which its redemption remembers: anybody can publish any number of documents.
    async fn keep_if_used(&self, client: &Client, now: Timestamp) {
        let kept = async {
            let is_used =
                self.forgotten().contains(&client.id) || self.store.client(&client.id, now).await?.is_some();
            if is_used {
                self.store.remember_client(client).await?;
                self.forgotten().remove(&client.id);
            }
            Ok::<_, StoreError>(())
        };
        if let Err(fault) = kept.await {
            tracing::warn!(client = %client.id, %fault, "a client's metadata document could not be kept");
        }
    }

    fn hold(&self, id: &ClientId, new: Arc<Held>) {
        bounded::hold(&mut self.held(), MOST, (id, new), |held| held.fetched_at);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ClientId, Arc<Held>>> {
        // Every change is one insertion or removal: there is no half of one.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whole labels: `example.com` admits `apps.example.com` and not `badexample.com` (SEC-128).
    fn admits(&self, host: &str) -> bool {
        let is_one = |named: &DomainName| {
            host.strip_suffix(named.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let DocumentRules { enabled, allowed_hosts, denied_hosts, .. } = self.rules.as_ref();
        let is_allowed = allowed_hosts.is_empty() || allowed_hosts.iter().any(is_one);
        *enabled && is_allowed && !denied_hosts.iter().any(is_one)
    }

    /// How much is in memory.
    #[must_use]
    pub fn in_memory(&self) -> InMemory {
        let (keys, key_fetches, key_hosts) = self.keys.in_memory();
        InMemory {
            documents: self.held().len(),
            keys,
            fetches: self.flights.under_way() + key_fetches,
            counted: self.budget.counted() + key_hosts,
        }
    }

    /// Forgets the counters of hosts that nobody asked for lately, and of addresses that were quiet.
    pub(super) fn collect_garbage(&self) {
        self.budget.collect_garbage();
        self.keys.collect_garbage();
    }
}

/// The client that a document is about.
#[must_use]
pub fn described(id: ClientId, document: ClientDocument, until: Timestamp, now: Timestamp) -> Client {
    let ClientDocument { name, redirect_uris, keys, may_be_public } = document;
    Client {
        id,
        name: Some(name),
        redirect_uris,
        auth: match keys {
            Some(keys) => ClientAuthMethod::PrivateKeyJwt { keys, required: !may_be_public },
            None => ClientAuthMethod::None,
        },
        origin: ClientOrigin::MetadataDocument,
        // Also where the document does not list it (INT-41).
        may_refresh: true,
        limits: ClientLimits::default(),
        created_at: now,
        expires_at: Some(until),
        registration: None,
    }
}
