//! API keys: who shows one, and what that allows now.
//!
//! 1. the form and the checksum: a typing error does not reach the store
//! 2. the record of that name; the secret by its keyed hash; expiry, revocation, the servers that it is for
//! 3. the owner: revoked, refused by the upstream, or without access any more, they end the key
//! 4. what the key allows, as far as policy gives it to the owner today
//!
//! The outcome is believed for a second (SEC-150).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::clock::Timestamp;
use crate::domain::{ApiKey, ApiKeyId, PersonId, Resource};
use crate::secret::{Digest, KeyedHash};
use crate::tokens::{ApiKeySecrets, ShownApiKey};

use super::{Caller, CannotDecide, Owners};

/// How long a key is believed to stand.
const OLDEST: Duration = Duration::from_secs(1);

/// Keys that are remembered; the least used make room.
const MOST_KNOWN: usize = 10_000;

/// Knows which API keys count.
pub struct ApiKeys {
    secrets: ApiKeySecrets,
    owners: Owners,
    known: Cache<Name, Arc<Known>>,
}

/// What is known of one key at one server (SEC-157).
type Name = (String, String);

struct Known {
    caller: Arc<Caller>,
    owner: PersonId,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    as_of: Timestamp,
}

impl ApiKeys {
    /// Knows no key yet.
    #[must_use]
    pub fn new(secrets: ApiKeySecrets, owners: Owners) -> Self {
        Self { secrets, owners, known: Cache::new(MOST_KNOWN) }
    }

    /// Who shows this key at a server, if it counts there.
    pub(super) async fn caller(
        &self,
        shown: &ShownApiKey,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CannotDecide> {
        let name = (Digest::of(shown.expose()).as_str().to_owned(), resource.url.canonical().to_owned());
        if let Some(known) = self.known.get(&name)
            && known.as_of <= now
            && now.since(known.as_of) < OLDEST
        {
            let is_over = known.expires_at.is_some_and(|end| now >= end)
                || self.owners.is_revoked(&known.owner, known.created_at, now).await?;
            return Ok((!is_over).then(|| Arc::clone(&known.caller)));
        }
        let found = self.looked_up(shown, resource, now).await?;
        match &found {
            Some(known) => self.known.insert(name, Arc::clone(known)),
            None => {
                self.known.remove(&name);
            }
        }
        Ok(found.map(|known| Arc::clone(&known.caller)))
    }

    async fn looked_up(
        &self,
        shown: &ShownApiKey,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, CannotDecide> {
        let id = shown.id();
        // Asked for together, in one round trip.
        let (key, known) =
            tokio::join!(self.owners.store.api_key(id), self.owners.people.known(id.owner(), now));
        let Some(key) = key? else { return Ok(refused(id, "there is none of this name")) };
        let Some(hash) = self.secrets.proves(shown, &key) else {
            return Ok(refused(id, "its secret is another"));
        };
        if !key.counts(now) {
            return Ok(refused(id, key.state(now).as_str()));
        }
        if !key.resources.contains(&resource.url) {
            return Ok(refused(id, "it is for another server"));
        }
        let person = key.owner.person();
        if person.tag() != id.owner() || self.owners.is_revoked(&person, key.created_at, now).await? {
            return Ok(refused(id, "everything of its owner's was revoked"));
        }
        let known = known?;
        let is_short = Owners::are_short(&key, &known, now);
        let Some(owner) = self.owners.current(&key.owner, known, now).await? else {
            return Ok(refused(id, "the identity provider refuses its owner"));
        };
        let scopes = self.owners.scopes(&key, &owner, resource, now).await?;
        if scopes.is_empty() {
            return Ok(refused(id, "its owner may do nothing of it any more"));
        }
        let caller = Arc::new(Caller {
            subject: person.to_string(),
            email: owner.email.as_ref().map(ToString::to_string),
            name: owner.name.clone(),
            client: None,
            scopes,
            credential: format!("api_key:{id}").into(),
        });
        let (created_at, expires_at) = (key.created_at, key.expires_at);
        self.noted(key, hash, is_short, now);
        Ok(Some(Arc::new(Known { caller, owner: person, created_at, expires_at, as_of: now })))
    }

    /// Writes down what a use of the key leaves. Nobody waits for it, and it fails nobody.
    fn noted(&self, key: ApiKey, hash: KeyedHash, is_short: bool, now: Timestamp) {
        let is_used = key.is_use_to_be_noted(now);
        if !is_used && !is_short {
            return;
        }
        let owners = self.owners.clone();
        tokio::spawn(async move {
            let written = async {
                if is_used {
                    owners.store.note_api_key_use(&key.id, &hash, now).await?;
                }
                if is_short { owners.keep_facts(&key, now).await } else { Ok(()) }
            };
            if let Err(fault) = written.await {
                tracing::warn!(%fault, key = %key.id, "the use of an API key could not be noted");
            }
        });
    }
}

fn refused<T>(id: &ApiKeyId, why: &str) -> Option<T> {
    tracing::debug!(key = %id, why, "an API key is refused");
    None
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
