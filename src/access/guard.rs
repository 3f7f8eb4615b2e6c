//! May this request pass? The one decision about requests to servers that we stand in front of: everything
//! that guards one asks here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use crate::clients::FindClientError;
use crate::clock::{Clock, Timestamp};
use crate::domain::{Accepted, Resource, UpstreamId};
use crate::people::NotCurrent;
use crate::protocol::{ResourceUri, ScopeSet};
use crate::rate::network;
use crate::store::StoreError;
use crate::tokens::ShownApiKey;

use super::{
    AccessTokens, ApiKeyForms, ApiKeys, Caller, Challenge, Guarded, Limit, LimitStates, Limits, Presented,
    StaticToken, TwoMethods,
};

/// What would have to be asked does not answer: neither a pass nor the client's fault (SEC-156, PRIN-5).
#[derive(Debug, thiserror::Error)]
pub enum CannotDecide {
    /// Our own store.
    #[error(transparent)]
    Client(#[from] FindClientError),
    /// Our own store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The identity provider of a key's owner.
    #[error(transparent)]
    Owner(#[from] NotCurrent),
}

/// A credential that the operator named in `credentials`.
#[derive(Debug)]
pub enum Named {
    /// A token that stands in the configuration.
    Static(StaticToken),
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Allow(Passage),
    /// It would be one too many.
    TooMany(LimitStates),
    /// It may not, and this says how it could.
    Challenge(Challenge),
}

/// A request that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// How the limits stand that it was counted by.
    pub limits: LimitStates,
}

/// A protected server, in the spelling that the request used: the challenge repeats it (INT-23).
#[derive(Debug)]
pub struct Addressed<'r> {
    /// The server.
    pub resource: &'r Resource,
    /// Its URL as the request has it.
    pub spelt: Cow<'r, ResourceUri>,
}

impl Addressed<'_> {
    /// What a challenge says of it.
    #[must_use]
    pub fn guarded(&self) -> Guarded {
        Guarded { resource: self.spelt.clone().into_owned(), everyday: self.resource.everyday.clone() }
    }
}

/// Decides about requests.
pub struct Guard {
    access_tokens: AccessTokens,
    api_keys: (ApiKeys, ApiKeyForms),
    named: HashMap<UpstreamId, Named>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Guard {
    /// A guard that knows these credentials.
    #[must_use]
    pub fn new(
        access_tokens: AccessTokens,
        api_keys: (ApiKeys, ApiKeyForms),
        named: HashMap<UpstreamId, Named>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { access_tokens, api_keys, named, limits, clock }
    }

    /// The credential of a request to this server.
    pub fn presented<'h>(
        &self,
        headers: &'h HeaderMap,
        query: Option<&str>,
        resource: &Resource,
    ) -> Result<Presented<'h>, TwoMethods> {
        let (_, forms) = &self.api_keys;
        let takes_keys = resource.accepts.contains(&Accepted::ApiKey);
        Presented::read(headers, query, Some(forms).filter(|_| takes_keys))
    }

    /// Decides about a request from this address with this credential to this server (SEC-145). The address
    /// is counted first, so that nobody can try credentials without end.
    pub async fn decide(
        &self,
        (from, presented): (IpAddr, Presented<'_>),
        addressed: &Addressed<'_>,
        needed: &ScopeSet,
    ) -> Result<Decision, CannotDecide> {
        let (resource, now) = (addressed.resource, self.clock.now());
        let mut limits = LimitStates::default();
        if let Some(most) = resource.limits.per_address {
            let address = network(from).to_string();
            if !limits.add(self.limits.count(Limit::Address, &address, (resource, most), now).await?) {
                return Ok(Decision::TooMany(limits));
            }
        }
        if presented == Presented::Nothing {
            return Ok(Decision::Challenge(Challenge::missing(&addressed.guarded())));
        }
        let Some(caller) = self.caller(presented, resource, now).await? else {
            return Ok(Decision::Challenge(Challenge::invalid_token(&addressed.guarded())));
        };
        if let Some(most) = resource.limits.per_credential {
            let who = caller.credential();
            if !limits.add(self.limits.count(Limit::Credential, who, (resource, most), now).await?) {
                return Ok(Decision::TooMany(limits));
            }
        }
        if caller.scopes().includes(needed) {
            return Ok(Decision::Allow(Passage { caller, limits }));
        }
        Ok(Decision::Challenge(Challenge::insufficient_scope(&addressed.guarded(), needed, caller.scopes())))
    }

    /// Could a request with this credential still pass? For one that has passed and goes on: it is not counted.
    pub async fn still_allows(
        &self,
        presented: Presented<'_>,
        resource: &Resource,
        needed: &ScopeSet,
    ) -> Result<bool, CannotDecide> {
        let caller = self.caller(presented, resource, self.clock.now()).await?;
        Ok(caller.is_some_and(|caller| caller.scopes().includes(needed)))
    }

    /// Who shows this credential, by the first of those that the server accepts which knows it.
    async fn caller(
        &self,
        presented: Presented<'_>,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CannotDecide> {
        for accepted in &resource.accepts {
            if let Some(caller) = self.known_to(accepted, presented, resource, now).await? {
                return Ok(Some(caller));
            }
        }
        Ok(None)
    }

    async fn known_to(
        &self,
        accepted: &Accepted,
        presented: Presented<'_>,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CannotDecide> {
        match (accepted, presented) {
            (Accepted::AccessToken, Presented::Bearer(token)) => {
                Ok(self.access_tokens.caller(token, &resource.url, now).await?)
            }
            (Accepted::ApiKey, Presented::Bearer(text) | Presented::ApiKey(text)) => {
                self.of_key(ShownApiKey::read(text), resource, now).await
            }
            (Accepted::ApiKey, Presented::ApiKeyPair { id, secret }) => {
                self.of_key(ShownApiKey::of_pair(id, secret), resource, now).await
            }
            (Accepted::Named(id), presented) => match (self.named.get(id), presented) {
                (Some(Named::Static(one)), Presented::Bearer(token)) => Ok(one.caller(token)),
                _ => Ok(None),
            },
            (_, Presented::Nothing)
            | (Accepted::AccessToken, Presented::ApiKey(_) | Presented::ApiKeyPair { .. }) => Ok(None),
        }
    }

    async fn of_key(
        &self,
        shown: Option<ShownApiKey>,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CannotDecide> {
        let Some(shown) = shown else { return Ok(None) };
        self.api_keys.0.caller(&shown, resource, now).await
    }
}

/// Does what the caller may do include all that is needed?
pub fn require(caller: &Caller, guarded: &Guarded, needed: &ScopeSet) -> Result<(), Challenge> {
    if caller.scopes().includes(needed) {
        return Ok(());
    }
    Err(Challenge::insufficient_scope(guarded, needed, caller.scopes()))
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("named", &self.named.len()).finish_non_exhaustive()
    }
}
