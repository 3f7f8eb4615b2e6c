//! Clients that registered themselves and have been used, remembered: each of their refreshes would ask for the
//! same record, which changes about never.
//!
//! | what changes | who sees it, and when |
//! |---|---|
//! | the client says something else about itself | this process at once, every other one within a second: before it does, the revocations say that nobody may remember it, and go on saying so for longer than anything is remembered |
//! | it is deleted, or removed by the operator | the same: before it is, what it was granted is revoked |
//! | it lives longer | nobody has to: at the end that is known here the store is asked |
//!
//! Newcomers are not remembered: anybody can make any number of them. Nor are clients with keys of their own,
//! which may be large.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId, NotBefore, StoredClient};
use crate::store::revocations::Revocations;
use crate::store::{Store, StoreError};

/// How long a client is remembered.
pub(super) const OLDEST_MEMORY: Duration = Duration::from_secs(3600);

/// How much is remembered, in bytes, about; the least used make room.
const MOST: u64 = 8 << 20;

/// What a client takes beside what it says, in bytes, about.
const BASE: usize = 768;

/// The clients of the store.
pub(super) struct RememberedClients {
    store: Arc<dyn Store>,
    revocations: Arc<Revocations>,
    known: Cache<ClientId, Arc<Remembered>, Size>,
}

struct Remembered {
    client: Client,
    as_of: Timestamp,
}

impl Remembered {
    fn holds(&self, current: &NotBefore, now: Timestamp) -> bool {
        self.as_of <= now
            && now.since(self.as_of) < OLDEST_MEMORY
            && self.client.expires_at.is_none_or(|end| now < end)
            && !current.revokes_memory_of(&self.client.id)
    }
}

impl RememberedClients {
    /// Remembers none yet.
    pub(super) fn new(store: Arc<dyn Store>, revocations: Arc<Revocations>) -> Self {
        let most = usize::try_from(MOST).unwrap_or(usize::MAX) / BASE;
        Self { store, revocations, known: Cache::with_weighter(most, MOST, Size) }
    }

    /// The client of this identifier, unless it has been forgotten.
    pub(super) async fn find(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        match (self.known.get(id), self.revocations.fresh(now)) {
            (Some(known), Some(current)) if known.holds(&current, now) => Ok(Some(known.client.clone())),
            // Apart, because it is rarer and larger.
            _ => Box::pin(self.ask(id, now)).await,
        }
    }

    /// Asks, and for the revocations beside, where that is due (REL-05).
    async fn ask(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        let (known, found) = tokio::join!(self.revocations.current(now), self.store.stored_client(id, now));
        let found = known.and(found)?;
        match &found {
            Some(StoredClient { client, is_used: true }) if client.auth.keys().is_none() => {
                let known = Remembered { client: client.clone(), as_of: now };
                self.known.insert(id.clone(), Arc::new(known));
            }
            _ => drop(self.known.remove(id)),
        }
        Ok(found.map(|found| found.client))
    }
}

impl fmt::Debug for RememberedClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberedClients")
    }
}

#[derive(Clone)]
struct Size;

impl Weighter<ClientId, Arc<Remembered>> for Size {
    fn weight(&self, id: &ClientId, known: &Arc<Remembered>) -> u64 {
        let Client { name, redirect_uris, registration, .. } = &known.client;
        let redirects = redirect_uris.iter().map(|uri| uri.as_str().len());
        let said = registration
            .iter()
            .flat_map(|said| [&said.client_uri, &said.scope, &said.software_id, &said.software_version]);
        let texts = said.chain([name]).flatten().map(String::len);
        (BASE + id.as_str().len() + redirects.chain(texts).sum::<usize>()) as u64
    }
}
