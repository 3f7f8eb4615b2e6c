//! Making, listing and revoking API keys: for the command and for the HTTP API.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::domain::{
    Accepted, ApiKey, ApiKeyId, ApiKeyLifetime, AuditEvent, AuditKind, ClientId, Identity, PersonId,
    Resource, Resources, is_api_key_name, scopes_meant,
};
use crate::protocol::{ResourceUri, Scope, ScopeSet};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::audit::Journal;
use crate::tokens::ApiKeySecrets;

use super::{CannotDecide, Owners};

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct WantedApiKey {
    /// What its owner calls it.
    pub name: String,
    /// For which servers.
    pub resources: Vec<ResourceUri>,
    /// Scopes, or the words `read` and `write`.
    pub scopes: Vec<String>,
    /// For how long.
    pub lifetime: ApiKeyLifetime,
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedBy {
    /// The operator.
    Command,
    /// A person, through a client.
    Person(PersonId, Option<ClientId>),
}

/// Why there is no such key.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The owner may not do that.
    #[error("the owner may not do more at {resource} than: {allowed}; asked for beyond that: {beyond}")]
    Beyond {
        /// Where.
        resource: ResourceUri,
        /// What they may do.
        allowed: ScopeSet,
        /// What else was asked for.
        beyond: ScopeSet,
    },
    /// Somebody else's keys are not the caller's matter.
    #[error("only your own keys are yours to manage")]
    NotYours,
    /// There is none of this name, as far as the caller may know.
    #[error("there is no such key")]
    NoSuchKey,
    /// Nothing is known of the owner.
    #[error("nobody is known by this name: the person must sign in once first")]
    UnknownOwner,
    /// The identity provider refuses the owner.
    #[error("the identity provider refuses the person")]
    OwnerGone,
    /// The owner has as many as can be.
    #[error("the person has too many keys that count: revoke one first")]
    TooMany,
    /// It cannot be told.
    #[error(transparent)]
    Unavailable(#[from] CannotDecide),
}

impl From<StoreError> for ApiKeyError {
    fn from(fault: StoreError) -> Self {
        Self::Unavailable(fault.into())
    }
}

/// The keys of people.
pub struct ApiKeyBook {
    /// Makes secrets.
    pub secrets: ApiKeySecrets,
    /// What owners may do.
    pub owners: Owners,
    /// What keys are for.
    pub resources: Arc<Resources>,
    /// What happened.
    pub journal: Journal,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

impl ApiKeyBook {
    /// Makes a key for a person who has signed in before: never with more than they may do now. Its text is
    /// told here and nowhere else.
    pub async fn create(
        &self,
        owner: &PersonId,
        wanted: &WantedApiKey,
        by: &ChangedBy,
    ) -> Result<(ApiKey, Secret), ApiKeyError> {
        let now = self.clock.now();
        let servers = self.servers(wanted)?;
        let identity = self.identity(owner, now).await?;
        let mut scopes = ScopeSet::default();
        let mut session: Option<Duration> = None;
        for (server, asked) in &servers {
            let verdict = self.owners.verdict(&identity, server).await?;
            if !verdict.scopes.includes(asked) {
                let beyond: ScopeSet =
                    asked.iter().filter(|scope| !verdict.scopes.contains(scope)).cloned().collect();
                let resource = server.url.clone();
                return Err(ApiKeyError::Beyond { resource, allowed: verdict.scopes, beyond });
            }
            scopes = scopes.union(asked);
            session = [session, verdict.session].into_iter().flatten().min();
        }
        let id = ApiKeyId::generate(owner);
        let (text, hash) = self.secrets.make(&id);
        let longest = session.map(|session| now.plus(session));
        let key = ApiKey {
            id,
            owner: identity,
            name: wanted.name.clone(),
            resources: servers.into_iter().map(|(server, _)| server.url.clone()).collect(),
            scopes,
            created_at: now,
            expires_at: [wanted.lifetime.end(now), longest].into_iter().flatten().min(),
            last_used_at: None,
            revoked_at: None,
            hash,
        };
        self.owners.keep_facts(&key, now).await?;
        if !self.owners.store.add_api_key(&key, now).await? {
            return Err(ApiKeyError::TooMany);
        }
        self.record(AuditKind::ApiKeyCreated, &key, by, now);
        Ok((key, text))
    }

    /// Every key of a person, also those that count no longer, the oldest first.
    pub async fn list(&self, owner: &PersonId) -> Result<Vec<ApiKey>, StoreError> {
        self.owners.store.api_keys_of(owner).await
    }

    /// The key of this name.
    pub async fn find(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.owners.store.api_key(id).await
    }

    /// Revokes a key for ever. As it is then; nothing, if there is none.
    pub async fn revoke(&self, id: &ApiKeyId, by: &ChangedBy) -> Result<Option<ApiKey>, StoreError> {
        let now = self.clock.now();
        let Some(key) = self.find(id).await? else { return Ok(None) };
        // Asked also where it is revoked: a first call may have been told to come again, because no replica
        // had heard of it yet.
        let Some(since) = self.owners.store.revoke_api_key(id, now).await? else { return Ok(None) };
        if key.revoked_at.is_none() {
            self.record(AuditKind::ApiKeyRevoked, &key, by, now);
        }
        Ok(Some(ApiKey { revoked_at: Some(since), ..key }))
    }

    /// The servers, each with what the key is to allow there.
    fn servers(&self, wanted: &WantedApiKey) -> Result<Vec<(&Resource, ScopeSet)>, ApiKeyError> {
        let invalid = |text: String| Err(ApiKeyError::Invalid(text));
        if !is_api_key_name(&wanted.name) {
            return invalid("the name must be 1 to 100 characters in one line".into());
        }
        if wanted.resources.is_empty() || wanted.scopes.is_empty() {
            return invalid("name at least one resource and one scope".into());
        }
        let mut servers: Vec<(&Resource, ScopeSet)> = Vec::new();
        for url in &wanted.resources {
            let Some(server) = self.resources.find(url) else {
                return invalid(format!("there is no resource {url}"));
            };
            if !server.accepts.contains(&Accepted::ApiKey) {
                return invalid(format!("{url} does not accept API keys"));
            }
            if servers.iter().any(|(other, _)| other.url == server.url) {
                return invalid(format!("{url} is named twice"));
            }
            let meant = wanted.scopes.iter().map(|word| scopes_meant(word, server));
            let asked = meant.fold(ScopeSet::default(), |all, some| all.union(&some));
            if asked.is_empty() {
                return invalid(format!("{url} has none of these scopes"));
            }
            servers.push((server, asked));
        }
        let is_known =
            |word: &&String| servers.iter().any(|(server, _)| !scopes_meant(word, server).is_empty());
        if let Some(unknown) = wanted.scopes.iter().find(|word| !is_known(word)) {
            // The text may come from outside.
            let shown = unknown.parse::<Scope>().map_or_else(|_| "?".to_owned(), |scope| scope.to_string());
            return invalid(format!("none of the resources has the scope {shown}"));
        }
        Ok(servers)
    }

    /// Who the owner is now: what they last signed in as, as their upstream knows them today.
    async fn identity(&self, owner: &PersonId, now: Timestamp) -> Result<Identity, ApiKeyError> {
        let store = &self.owners.store;
        let (grants, sessions, known) = tokio::join!(
            store.grants_of(owner, now),
            store.browser_sessions_of(owner, now),
            store.upstream_grants(owner.tag(), now),
        );
        let known = known?;
        let of_grants = grants?.into_iter().map(|grant| (grant.created_at, grant.identity));
        let of_sessions = sessions?.into_iter().map(|(_, session)| (session.signed_in_at, session.identity));
        let told = known.iter().filter(|kept| kept.person() == *owner);
        let told = told.map(|kept| (kept.identity.authenticated_at, kept.identity.clone()));
        let revoked = self.owners.revocations.current(now).await?;
        let found = of_grants.chain(of_sessions).chain(told);
        let found = found.filter(|(at, _)| !revoked.revokes_person(owner, *at));
        let (_, identity) = found.max_by_key(|(at, _)| *at).ok_or(ApiKeyError::UnknownOwner)?;
        let current = self.owners.current(&identity, known, now).await?;
        Ok(current.ok_or(ApiKeyError::OwnerGone)?.into_owned())
    }

    fn record(&self, kind: AuditKind, key: &ApiKey, by: &ChangedBy, now: Timestamp) {
        let mut event =
            AuditEvent::new(kind, now).person(key.owner.person()).upstream(&key.owner.upstream).api_key(key);
        match by {
            ChangedBy::Command => event = event.because("by command"),
            ChangedBy::Person(person, client) => {
                event.by = Some(person.clone());
                event.client.clone_from(client);
            }
        }
        self.journal.record(event);
    }
}

impl fmt::Debug for ApiKeyBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyBook")
    }
}
