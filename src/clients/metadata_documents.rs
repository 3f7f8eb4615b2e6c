//! Clients whose identifier is a URL (draft-ietf-oauth-client-id-metadata-document): what stands
//! there is fetched, checked, and kept for as long as its server and our own bounds say.
//!
//! A fetch that fails is no verdict on the client (INT-43): the last good document serves on, from
//! memory or from the store, and only errors are forgotten at once (SEC-126). Whoever comes while a
//! fetch is under way shares its outcome.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::domain::{Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin, DomainName};
use crate::outbound::documents::{DocumentError, Documents, Reach};
use crate::protocol::client_document::{ClientDocument, ClientKeys, InvalidClientDocument};
use crate::protocol::{ClientIdUrl, InvalidClientIdUrl, KeySet};
use crate::rate::{RateLimit, network};
use crate::store::{Store, StoreError};

use super::FindClientError;
use super::client_keys::KeyDirectory;
use super::single_flight::SingleFlight;

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

/// Fetches of documents that were never good: from one host in a minute, and under way at once
/// (SEC-128).
const NEW_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");
const AT_ONCE: usize = 32;

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

/// Why a client's document does not make a client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DocumentFault {
    /// The operator wants none, or none of this host.
    #[error("clients of this host are not admitted here")]
    NotAdmitted,
    /// The URL is none that may be a client identifier.
    #[error(transparent)]
    Url(#[from] InvalidClientIdUrl),
    /// Its host answers, and not with a document.
    #[error("the host {what}")]
    NoDocument {
        /// What it did instead.
        what: &'static str,
        /// May that be of the moment?
        may_pass: bool,
    },
    /// The store cannot forget what its host has taken back.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// There are no keys where the document says so.
    #[error("its jwks_uri leads to no key that can be used")]
    NoKeys,
    /// The document is not as it must be.
    #[error(transparent)]
    Document(#[from] InvalidClientDocument),
    /// It cannot be had now.
    #[error(transparent)]
    Unreachable(DocumentError),
    /// Too much is being fetched; try again.
    #[error("too many documents are being fetched; try again in a minute")]
    Busy,
}

impl DocumentFault {
    /// Is it ours, or of the moment, and so says nothing about the client (PRIN-5)?
    pub(super) fn is_no_verdict(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy | Self::Store(_))
    }

    /// May it be of the moment, so that the last good document goes on (INT-43)?
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Busy => true,
            Self::NoDocument { may_pass, .. } => *may_pass,
            Self::NotAdmitted | Self::Url(_) | Self::NoKeys | Self::Document(_) | Self::Store(_) => false,
        }
    }
}

impl From<DocumentError> for DocumentFault {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Unreachable { .. } => Self::Unreachable(error),
            DocumentError::Refused { what, may_pass, .. } => Self::NoDocument { what, may_pass },
        }
    }
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
    flights: SingleFlight<Fetched>,
    keys: KeyDirectory,
    budget: Arc<RateLimit<String>>,
    addresses: Arc<RateLimit<IpAddr>>,
    places: Arc<Semaphore>,
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
        clock: Arc<dyn Clock>,
    ) -> Self {
        let addresses = Arc::new(RateLimit::per_minute(rules.per_address, Arc::clone(&clock)));
        let budget = Arc::new(RateLimit::per_minute(NEW_PER_MINUTE, clock));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let keys = KeyDirectory::new(fetcher.clone(), Arc::clone(&budget), Arc::clone(&places));
        Self {
            rules: Arc::new(rules),
            fetcher,
            pinned: Arc::new(pinned),
            store,
            held: Arc::default(),
            flights: SingleFlight::default(),
            keys,
            budget,
            addresses,
            places,
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

    /// What is known of the client of this URL without asking anybody.
    pub(super) async fn known(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        let held = self.held().get(id).cloned();
        match held.filter(|held| now.since(held.fetched_at) < self.rules.keep) {
            Some(held) => Ok(Some(held.client.clone())),
            None => self.store.client(id, now).await,
        }
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
        let held = self.held().get(id).cloned();
        if let Some(fresh) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(fresh.client.clone());
        }
        match self.fetched((id, url), held.is_some(), address, now).await {
            Ok(new) => Ok(new.client.clone()),
            Err(fault) if fault.may_pass() => self.last_good(id, held, now).await.ok_or(fault),
            Err(fault) => {
                tracing::info!(client = %id, %fault, "a client's metadata document is refused");
                // What its host has taken back does not come back when the host is away.
                if self.held().remove(id).is_some() {
                    self.store
                        .forget_client(id)
                        .await
                        .map_err(|fault| DocumentFault::Store(Arc::new(fault)))?;
                }
                Err(fault)
            }
        }
    }

    /// The keys of a client that signs, this one among them if it can be had.
    pub(super) async fn keys_knowing(
        &self,
        client: &Client,
        keys: &ClientKeys,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<KeySet, FindClientError> {
        if let (ClientOrigin::Registered, ClientKeys::JwksUri(uri)) = (client.origin, keys)
            && !self.admits_keys_at(uri)
        {
            return Err(DocumentFault::NotAdmitted.into());
        }
        Ok(self.keys.knowing((&client.id, self.reach_of(client, keys)), keys, kid, now).await?)
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
        if client.origin.is_the_operator_s() || self.is_pinned(&client.id) || at_own_host() {
            Reach::Named
        } else {
            Reach::Public
        }
    }

    /// What serves while nothing newer can be had.
    async fn last_good(&self, id: &ClientId, held: Option<Arc<Held>>, now: Timestamp) -> Option<Client> {
        let client = match held {
            Some(held) if now.since(held.fetched_at) < self.rules.keep => held.client.clone(),
            // A fault of the store's changes nothing: there is no document either way.
            _ => self.store.client(id, now).await.ok().flatten()?,
        };
        if now.since(client.created_at) >= self.rules.keep {
            return None;
        }
        tracing::warn!(client = %id, "a client's metadata document cannot be fetched; the last good one serves");
        let again = Held { client: client.clone(), fetched_at: client.created_at, renew_at: now.plus(RETRY) };
        self.hold(id, Arc::new(again));
        Some(client)
    }

    /// The document as it is now; one fetch for all who ask at the same moment.
    async fn fetched(
        &self,
        (id, url): (&ClientId, ClientIdUrl),
        was_good: bool,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Fetched {
        let flight = self.flights.join(id.as_str(), || {
            let has_turns = || address.is_none_or(|address| self.addresses.allows(&network(address)));
            let may_begin = was_good || (has_turns() && self.budget.allows(&url.host().to_owned()));
            let (this, id) = (self.clone(), id.clone());
            may_begin.then_some(async move { this.fetch(&id, &url, now).await })
        });
        flight.await.unwrap_or(Err(DocumentFault::Busy))
    }

    async fn fetch(&self, id: &ClientId, url: &ClientIdUrl, now: Timestamp) -> Fetched {
        let _place = self.places.try_acquire().map_err(|_| DocumentFault::Busy)?;
        let document = self.fetcher.get(url.as_url(), Reach::Named, LARGEST).await?;
        let fresh_for = document.fresh_for.unwrap_or(USUALLY).clamp(AT_LEAST, AT_MOST);
        let document = ClientDocument::read(url.as_str(), &document.body)?;
        let client = described(id.clone(), document, now.plus(self.rules.keep), now);
        let new = Arc::new(Held { client, fetched_at: now, renew_at: now.plus(fresh_for) });
        self.keep_if_used(&new.client, now).await;
        self.hold(id, Arc::clone(&new));
        Ok(new)
    }

    /// For the time when neither its host nor this process's memory has it. Only of a client that somebody
    /// has used, which its redemption remembers: anybody can publish any number of documents.
    async fn keep_if_used(&self, client: &Client, now: Timestamp) {
        let kept = async {
            match self.store.client(&client.id, now).await? {
                Some(_) => self.store.remember_client(client).await,
                None => Ok(()),
            }
        };
        if let Err(fault) = kept.await {
            tracing::warn!(client = %client.id, %fault, "a client's metadata document could not be kept");
        }
    }

    fn hold(&self, id: &ClientId, new: Arc<Held>) {
        let mut held = self.held();
        if held.len() >= MOST && !held.contains_key(id) {
            let oldest = held.iter().min_by_key(|(_, held)| held.fetched_at).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                held.remove(&oldest);
            }
        }
        held.insert(id.clone(), new);
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
        let (keys, key_fetches) = self.keys.in_memory();
        InMemory {
            documents: self.held().len(),
            keys,
            fetches: self.flights.under_way() + key_fetches,
            counted: self.budget.keys() + self.addresses.keys(),
        }
    }

    /// Forgets the counters of hosts that nobody asked for lately, and of addresses that were quiet.
    pub(super) fn collect_garbage(&self) {
        self.budget.collect_garbage();
        self.addresses.collect_garbage();
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
