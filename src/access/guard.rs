//! May this request pass? The one decision about requests to servers that we stand in front of: everything
//! that guards one asks here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::clients::FindClientError;
use crate::clock::{Clock, Timestamp};
use crate::domain::{Accepted, Resource, Tenant, UpstreamId};
use crate::people::NotCurrent;
use crate::protocol::ResourceUri;
use crate::rate::network;
use crate::store::StoreError;
use crate::tokens::ShownApiKey;

use super::{
    AccessTokens, ApiKeyForms, ApiKeys, Caller, Carried, Challenge, Foreign, Guarded, Limit, LimitStates,
    Limits, NoTenant, Nobody, Presented, StaticToken, TwoMethods, X_API_KEY, tenancy,
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
    /// Whoever vouches for a credential.
    #[error("the credential {credential} cannot be checked: {cause}")]
    Foreign {
        /// Its name.
        credential: String,
        /// What happened.
        cause: String,
    },
    /// The identity provider of a key's owner.
    #[error(transparent)]
    Owner(#[from] NotCurrent),
}

/// A credential that the operator named in `credentials`.
#[derive(Debug)]
pub enum Named {
    /// A token that stands in the configuration.
    Static(StaticToken),
    /// What somebody else vouches for.
    Foreign(Box<Foreign>),
    /// Nothing, in development.
    Nobody(Nobody),
}

impl Named {
    /// Would it be shown to somebody?
    fn asks_elsewhere(&self) -> bool {
        match self {
            Self::Foreign(one) => one.asks_elsewhere(),
            Self::Static(_) | Self::Nobody(_) => false,
        }
    }
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
    /// Its caller may use the server, and it is for no tenant of it.
    NoTenant(NoTenant),
}

/// A request that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// How the limits stand that it was counted by.
    pub limits: LimitStates,
    /// The tenant that it is for, where the server has any.
    pub tenant: Option<Arc<Tenant>>,
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

    fn in_headers<'h>(
        &self,
        headers: &'h HeaderMap,
        query: Option<&str>,
        resource: &Resource,
    ) -> Result<Presented<'h>, TwoMethods> {
        let (_, forms) = &self.api_keys;
        let takes_keys = resource.accepts.contains(&Accepted::ApiKey);
        Presented::read(headers, query, Some(forms).filter(|_| takes_keys))
    }

    /// The credential of a request to this server. Without a header that holds one it may be in a cookie, or be
    /// none at all, where the server accepts that and no other site's page is behind the request.
    fn presented<'h>(
        &self,
        carried: &Carried<'h>,
        addressed: &Addressed<'_>,
    ) -> Result<Presented<'h>, TwoMethods> {
        let presented = self.in_headers(carried.headers, carried.query, addressed.resource)?;
        let in_a_header = [AUTHORIZATION, X_API_KEY].iter().any(|name| carried.headers.contains_key(name));
        if in_a_header || presented != Presented::Nothing || carried.is_of_another_site(&addressed.spelt) {
            return Ok(presented);
        }
        let accepts = |is: fn(&Named) -> bool| self.named_of(addressed.resource).any(is);
        let in_a_cookie = |one: &Named| matches!(one, Named::Foreign(one) if one.in_a_cookie());
        if let Some(session) = carried.session().filter(|_| accepts(in_a_cookie)) {
            return Ok(Presented::Session(session));
        }
        let is_nobody = carried.is_local && accepts(|one| matches!(one, Named::Nobody(_)));
        Ok(if is_nobody { Presented::Local } else { Presented::Nothing })
    }

    fn named_of<'g>(&'g self, resource: &'g Resource) -> impl Iterator<Item = &'g Named> {
        let ids = resource.accepts.iter().filter_map(|accepted| match accepted {
            Accepted::Named(id) => Some(id),
            Accepted::AccessToken | Accepted::ApiKey => None,
        });
        ids.filter_map(|id| self.named.get(id))
    }

    /// Decides about a request from this address to this server (SEC-145). The address is counted first, so
    /// that nobody can try credentials without end.
    pub async fn decide(
        &self,
        from: IpAddr,
        carried: &Carried<'_>,
        addressed: &Addressed<'_>,
    ) -> Result<Decision, CannotDecide> {
        let Ok(presented) = self.presented(carried, addressed) else {
            return Ok(Decision::Challenge(Challenge::two_methods(&addressed.guarded())));
        };
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
        if !caller.may(&resource.required) {
            let challenge = Challenge::lacking(&caller, &addressed.guarded(), &resource.required);
            return Ok(Decision::Challenge(challenge));
        }
        Ok(match tenancy::tenant(carried.headers, addressed, &caller) {
            Ok(tenant) => Decision::Allow(Passage { caller, limits, tenant }),
            Err(NoTenant::Lacking(challenge)) => Decision::Challenge(challenge),
            Err(refusal) => Decision::NoTenant(refusal),
        })
    }

    /// Could a request like this still pass? For one that has passed and goes on: it is not counted.
    pub async fn still_allows(
        &self,
        carried: &Carried<'_>,
        addressed: &Addressed<'_>,
    ) -> Result<bool, CannotDecide> {
        let Ok(presented) = self.presented(carried, addressed) else { return Ok(false) };
        let caller = self.caller(presented, addressed.resource, self.clock.now()).await?;
        let may = |caller: &Caller| {
            let in_general = caller.may(&addressed.resource.required);
            in_general && tenancy::tenant(carried.headers, addressed, caller).is_ok()
        };
        Ok(caller.is_some_and(|caller| may(&caller)))
    }

    /// Who shows this credential, by the first of those that the server accepts which knows it. What can be
    /// told here is tried before anything is sent to somebody else; and that one kind cannot be told right
    /// now hides nobody whom another knows, and refuses nobody.
    async fn caller(
        &self,
        presented: Presented<'_>,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CannotDecide> {
        let elsewhere = |accepted: &&Accepted| matches!(accepted, Accepted::Named(id) if self.named.get(id).is_some_and(Named::asks_elsewhere));
        let here = resource.accepts.iter().filter(|accepted| !elsewhere(accepted));
        let mut fault = None;
        for accepted in here.chain(resource.accepts.iter().filter(elsewhere)) {
            match self.known_to(accepted, presented, resource, now).await {
                Ok(Some(caller)) => return Ok(Some(caller)),
                Ok(None) => {}
                Err(one) => {
                    tracing::debug!(fault = %one, resource = %resource.url, "another kind may still tell");
                    fault = fault.or(Some(one));
                }
            }
        }
        fault.map_or(Ok(None), Err)
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
                Box::pin(self.of_key(ShownApiKey::read(text), resource, now)).await
            }
            (Accepted::ApiKey, Presented::ApiKeyPair { id, secret }) => {
                Box::pin(self.of_key(ShownApiKey::of_pair(id, secret), resource, now)).await
            }
            (Accepted::Named(id), presented) => match (self.named.get(id), presented) {
                (Some(Named::Static(one)), Presented::Bearer(token)) => Ok(one.caller(token)),
                (Some(Named::Foreign(one)), Presented::Bearer(token)) => {
                    Box::pin(one.caller(token, resource, now)).await
                }
                (Some(Named::Foreign(one)), Presented::Session(token)) if one.in_a_cookie() => {
                    Box::pin(one.caller(token, resource, now)).await
                }
                (Some(Named::Nobody(one)), Presented::Local) => Ok(Some(one.caller())),
                _ => Ok(None),
            },
            (Accepted::AccessToken | Accepted::ApiKey, _) => Ok(None),
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

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("named", &self.named.len()).finish_non_exhaustive()
    }
}
