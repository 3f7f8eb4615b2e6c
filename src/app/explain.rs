//! What policy would say of a sign-in: the same trust rule and the same rules, without a network
//! and without a store.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::{ClientId, Effect, Resource};
use crate::outbound::Outbound;
use crate::policy::{Asked, RuleOutcome};
use crate::protocol::{Members, ResourceUri, ScopeSet};
use crate::upstream::{Upstream, UpstreamError};

use super::{StartError, upstreams, wiring};

/// A sign-in that might be.
#[derive(Debug, Clone, Copy)]
pub struct Supposed<'a> {
    /// At which upstream, by id.
    pub upstream: &'a str,
    /// The payload of its ID token.
    pub claims: &'a Members,
    /// For which server.
    pub resource: &'a str,
    /// Through which client.
    pub client: Option<&'a str>,
    /// Which scopes the client asks for.
    pub scope: Option<&'a str>,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Not in the configuration.
    #[error("there is no {what} {named}\n    the configuration has: {known}")]
    Unknown {
        /// An upstream, or a resource.
        what: &'static str,
        /// What was asked for.
        named: String,
        /// What there is.
        known: String,
    },
    /// A sign-in with these claims does not succeed.
    #[error("a sign-in with these claims is refused: {0}")]
    Refused(#[from] UpstreamError),
    /// The broker would not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Who somebody is, what every rule says, and what comes of it.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The account key, the `sub` of our tokens.
    pub person: String,
    /// The upstream.
    pub upstream: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The person's identifier there.
    pub subject: String,
    /// The address, if it is verified.
    pub email: Option<String>,
    /// The domain, if the provider is the authority for it.
    pub domain: Option<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Roles.
    pub roles: BTreeSet<String>,
    /// The claims that rules ask for.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// The server.
    pub resource: String,
    /// The client, if one was named.
    pub client: Option<String>,
    /// Every rule in order; first the gate.
    pub rules: Vec<ExplainedRule>,
    /// Scopes that no rule grants, and that a granted one implies.
    pub implied: String,
    /// Everything that the person may have there.
    pub allowed: String,
    /// What the client asks for, if that was said.
    pub asked: Option<String>,
    /// What would be granted.
    pub granted: String,
    /// How long a grant lives at most, in seconds.
    pub session_seconds: u64,
    /// An admin rule applies by this address: true as long as it is not pinned to another account.
    pub pinned_address: Option<String>,
    /// Why nothing is granted, as the person reads it.
    pub refusal: Option<String>,
}

/// One rule, and what became of it.
#[derive(Debug, Serialize)]
pub struct ExplainedRule {
    /// Where it stands.
    pub rule: String,
    /// What it does: `admit`, `grant` or `deny`.
    pub effect: &'static str,
    /// Did it apply?
    pub applied: bool,
    /// Why, or why not.
    pub why: String,
    /// What it grants on this server.
    pub scopes: String,
}

impl ExplainedRule {
    fn of(outcome: &RuleOutcome<'_>, resource: &Resource) -> Self {
        let (effect, scopes) = match outcome.effect {
            None => ("admit", ScopeSet::default()),
            Some(Effect::Grant { scopes, .. }) => ("grant", scopes.intersect(&resource.scope_set())),
            Some(Effect::Deny { .. }) => ("deny", ScopeSet::default()),
        };
        Self {
            rule: outcome.rule.to_owned(),
            effect,
            applied: outcome.applied,
            why: outcome.reason.clone(),
            scopes: scopes.to_string(),
        }
    }
}

/// Explains what policy says of a sign-in that might be.
pub fn explain(config: &Config, supposed: Supposed<'_>) -> Result<Explanation, ExplainError> {
    let configured = config.upstreams.iter().find(|upstream| upstream.id.as_str() == supposed.upstream);
    let configured = configured.ok_or_else(|| {
        let known = config.upstreams.iter().map(|upstream| upstream.id.as_str());
        unknown("upstream", supposed.upstream, known)
    })?;
    let resources = wiring::resources(config)?;
    let url = ResourceUri::parse(supposed.resource).ok();
    let resource = url.and_then(|url| resources.find(&url)).ok_or_else(|| {
        let known = resources.iter().map(|resource| resource.url.as_str());
        unknown("resource", supposed.resource, known)
    })?;
    let outbound = Outbound::new().map_err(StartError::from)?;
    let policy = wiring::policy(config);
    let upstream = Upstream::new(upstreams::settings(configured, &config.issuer, &policy), outbound);
    let identity = upstream.identity_of(supposed.claims, SystemClock.now())?;
    let client = supposed.client.map(ClientId::new);
    let asked = Asked { identity: &identity, client: client.as_ref(), resource, is_address_taken: false };
    let verdict = policy.decide(asked);
    let wanted = supposed.scope.map(|scope| ScopeSet::parse_lenient(scope).intersect(&resource.scope_set()));
    let granted = wanted.as_ref().map_or_else(|| verdict.scopes.clone(), |wanted| verdict.narrow(wanted));
    let by_rules = verdict.trace.iter().filter(|outcome| outcome.applied).filter_map(|outcome| {
        let Some(Effect::Grant { scopes, .. }) = outcome.effect else { return None };
        Some(scopes)
    });
    let by_rules = by_rules.fold(ScopeSet::default(), |all, scopes| all.union(scopes));
    let implied: ScopeSet =
        verdict.scopes.iter().filter(|scope| !by_rules.contains(scope)).cloned().collect();
    Ok(Explanation {
        person: identity.person().to_string(),
        upstream: identity.upstream.to_string(),
        resource: resource.url.to_string(),
        client: supposed.client.map(str::to_owned),
        rules: verdict.trace.iter().map(|outcome| ExplainedRule::of(outcome, resource)).collect(),
        implied: implied.to_string(),
        allowed: verdict.scopes.to_string(),
        asked: wanted.as_ref().map(ToString::to_string),
        session_seconds: verdict.life(config.tokens.refresh_absolute).as_secs(),
        pinned_address: verdict.pin.as_ref().map(ToString::to_string),
        refusal: verdict.scopes.is_empty().then(|| verdict.refusal_for_person()),
        granted: granted.to_string(),
        email: identity.email.as_ref().map(ToString::to_string),
        domain: identity.domain.as_ref().map(ToString::to_string),
        issuer: identity.issuer,
        subject: identity.subject,
        groups: identity.groups,
        roles: identity.roles,
        claims: identity.claims,
    })
}

fn unknown<'a>(what: &'static str, named: &str, known: impl Iterator<Item = &'a str>) -> ExplainError {
    ExplainError::Unknown { what, named: named.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
}
