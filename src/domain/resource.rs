//! Protected MCP servers.

use std::num::NonZeroU32;

use crate::protocol::{ResourceUri, Scope, ScopeSet};

use super::{Tenants, UpstreamId};

/// Where the HTTP API is, below the issuer.
pub const ADMIN_API_PATH: &str = "/admin/api";

/// There it allows everybody's API keys,
pub const ADMIN_SCOPE: &str = "gatelodge:admin";

/// and one's own.
pub const KEYS_SCOPE: &str = "gatelodge:keys";

/// What a request to a protected server may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Our own access token.
    AccessToken,
    /// An API key of ours.
    ApiKey,
    /// What the operator named in `credentials`.
    Named(UpstreamId),
}

/// A protected MCP server: the only possible audience of a token.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its URL as people type it.
    pub url: ResourceUri,
    /// The name on our pages.
    pub name: String,
    /// Its scopes, each with what a person reads about it.
    pub scopes: Vec<(Scope, String)>,
    /// What every request needs that we decide about.
    pub required: ScopeSet,
    /// What a client is told to ask for first.
    pub everyday: ScopeSet,
    /// What requests may carry, in the order in which it is tried; never empty.
    pub accepts: Vec<Accepted>,
    /// How many requests may come.
    pub limits: RequestLimits,
    /// Whose it may be, where a header says that.
    pub tenants: Option<Tenants>,
}

/// How many requests may come to a server in a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestLimits {
    /// From one address.
    pub per_address: Option<NonZeroU32>,
    /// With one credential.
    pub per_credential: Option<NonZeroU32>,
}

impl Resource {
    /// All scopes that this server has.
    #[must_use]
    pub fn scope_set(&self) -> ScopeSet {
        self.scopes.iter().map(|(scope, _)| scope.clone()).collect()
    }

    /// Those that anybody may read of: a scope of a tenant alone would say that there is such a tenant.
    #[must_use]
    pub fn listed_scopes(&self) -> ScopeSet {
        let Some(tenants) = &self.tenants else { return self.scope_set() };
        let (of_tenants, of_all) = (tenants.scope_set(), self.required.union(&self.everyday));
        let is_listed = |scope: &&Scope| !of_tenants.contains(scope) || of_all.contains(scope);
        self.scope_set().iter().filter(is_listed).cloned().collect()
    }

    /// What a person reads about a scope: its description, or its name.
    #[must_use]
    pub fn describe<'a>(&'a self, scope: &'a Scope) -> &'a str {
        let found = self.scopes.iter().find(|(own, text)| own == scope && !text.is_empty());
        found.map_or(scope.as_str(), |(_, text)| text.as_str())
    }
}

/// All protected servers; never empty (SEC-143: an empty audience must not start).
#[derive(Debug, Clone)]
pub struct Resources {
    first: Resource,
    rest: Vec<Resource>,
    default: Option<ResourceUri>,
}

impl Resources {
    /// The servers, and which of them a request without `resource` means. With one server it is
    /// that one; with several there is none unless the operator names it.
    #[must_use]
    pub fn new(all: Vec<Resource>, default: Option<ResourceUri>) -> Option<Self> {
        let mut all = all.into_iter();
        let first = all.next()?;
        Some(Self { first, rest: all.collect(), default })
    }

    /// The server that a request names (SEC-015).
    #[must_use]
    pub fn find(&self, url: &ResourceUri) -> Option<&Resource> {
        self.iter().find(|resource| resource.url == *url)
    }

    /// The server that a URL leads to: its own, or one below it. The longest path wins.
    #[must_use]
    pub fn serving(&self, url: &ResourceUri) -> Option<&Resource> {
        let leads_to = |resource: &&Resource| {
            let below = url.path().strip_prefix(resource.url.path());
            resource.url.origin() == url.origin()
                && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.iter().filter(leads_to).max_by_key(|resource| resource.url.path().len())
    }

    /// The server that a request without `resource` means (SEC-017, INT-47).
    #[must_use]
    pub fn default_resource(&self) -> Option<&Resource> {
        match &self.default {
            Some(url) => self.find(url),
            None if self.rest.is_empty() => Some(&self.first),
            None => None,
        }
    }

    /// Every server.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Every scope of a server that anybody may read of.
    #[must_use]
    pub fn listed_scopes(&self) -> ScopeSet {
        self.iter().fold(ScopeSet::default(), |all, resource| all.union(&resource.listed_scopes()))
    }

    /// Every scope of every server.
    #[must_use]
    pub fn scope_set(&self) -> ScopeSet {
        self.iter().fold(ScopeSet::default(), |all, resource| all.union(&resource.scope_set()))
    }
}
