//! What policy would say of a sign-in, or of whoever shows a credential: the same trust rule and the same rules,
//! without a network and without a store.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::access::foreign::asked_by;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, CredentialKind};
use crate::domain::{Accepted, ClientId, Effect, Identity, Resource, Tenants};
use crate::outbound::Outbound;
use crate::policy::{Asked, Policy, RuleOutcome};
use crate::protocol::{Members, ResourceUri, ScopeSet};
use crate::upstream::{Upstream, UpstreamError};

use super::{StartError, foreign, upstreams, wiring};

/// A sign-in, or a request with a credential, that might be.
#[derive(Debug, Clone, Copy)]
pub struct Supposed<'a> {
    /// Who.
    pub who: Who<'a>,
    /// For which server.
    pub resource: &'a str,
    /// Through which client.
    pub client: Option<&'a str>,
    /// Which scopes the client asks for.
    pub scope: Option<&'a str>,
}

/// Whom it is about.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// Who signs in at this upstream, by id, with this payload of its ID token.
    SignsIn(&'a str, &'a Members),
    /// The same person, with an API key.
    HasApiKey(&'a str, &'a Members),
    /// Who shows this one of `credentials`, by id, with this payload; of some there is none.
    Shows(&'a str, Option<&'a Members>),
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Not in the configuration.
    #[error("there is no {what} {named}\n    the configuration has: {known}")]
    Unknown {
        /// An upstream, a credential or a resource.
        what: &'static str,
        /// What was asked for.
        named: String,
        /// What there is.
        known: String,
    },
    /// A sign-in with these claims does not succeed.
    #[error("a sign-in with these claims is refused: {0}")]
    Refused(#[from] UpstreamError),
    /// What a credential says is not enough, or is refused whatever policy says.
    #[error("{0}")]
    Credential(String),
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
    /// What the credential names itself, where it allows nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// What the client asks for, or the API key has, if that was said.
    pub asked: Option<String>,
    /// What would be granted.
    pub granted: String,
    /// How long a grant lives at most, in seconds, or a key where a rule bounds it; what others vouch for ends as
    /// they say.
    pub session_seconds: Option<u64>,
    /// The tenants of the server that this is enough for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
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

/// Explains what policy says of what might be.
pub fn explain(config: &Config, supposed: Supposed<'_>) -> Result<Explanation, ExplainError> {
    let resources = wiring::resources(config)?;
    let url = ResourceUri::parse(supposed.resource).ok();
    let resource = url.and_then(|url| resources.find(&url)).ok_or_else(|| {
        let known = resources.iter().map(|resource| resource.url.as_str());
        unknown("resource", supposed.resource, known)
    })?;
    let policy = wiring::policy(config);
    let (identity, named) = match supposed.who {
        Who::SignsIn(upstream, claims) => (signed_in(config, &policy, upstream, claims)?, None),
        Who::HasApiKey(upstream, claims) => {
            is_accepted(resource, &Accepted::ApiKey, "API keys")?;
            (signed_in(config, &policy, upstream, claims)?, None)
        }
        Who::Shows(id, claims) => {
            let credential =
                config.credentials.iter().find(|one| one.id.as_str() == id).ok_or_else(|| {
                    unknown("credential", id, config.credentials.iter().map(|one| one.id.as_str()))
                })?;
            is_accepted(resource, &Accepted::Named(credential.id.clone()), id)?;
            match &credential.kind {
                CredentialKind::Static { subject, scopes, .. } => {
                    return Ok(beside_policy(subject, (id, scopes), (resource, supposed)));
                }
                CredentialKind::Nobody { scopes } => {
                    return Ok(beside_policy("anonymous", (id, scopes), (resource, supposed)));
                }
                CredentialKind::Foreign(foreign) => {
                    let claims = claims.ok_or_else(|| {
                        let text =
                            "what it says of its account is missing: --claims FILE, the payload of a token";
                        ExplainError::Credential(format!("{id}: {text}"))
                    })?;
                    let settings = foreign::settings(&credential.id, foreign, &policy);
                    let at = (&resource.url, SystemClock.now());
                    let account = settings.supposed(&foreign::way(foreign), claims, at);
                    let account = account.map_err(|why| {
                        ExplainError::Credential(format!("a token with these claims is refused: {why}"))
                    })?;
                    (account.identity, account.named)
                }
            }
        }
    };
    Ok(told(config, (&policy, resource), (identity, named), supposed))
}

/// Who signs in with these claims.
fn signed_in(
    config: &Config,
    policy: &Policy,
    upstream: &str,
    claims: &Members,
) -> Result<Identity, ExplainError> {
    let configured = config.upstreams.iter().find(|one| one.id.as_str() == upstream);
    let configured = configured.ok_or_else(|| {
        let known = config.upstreams.iter().map(|upstream| upstream.id.as_str());
        unknown("upstream", upstream, known)
    })?;
    let outbound = Outbound::new().map_err(StartError::from)?;
    let upstream = Upstream::new(upstreams::settings(configured, &config.issuer, policy), outbound);
    Ok(upstream.identity_of(claims, SystemClock.now())?)
}

fn is_accepted(resource: &Resource, what: &Accepted, named: &str) -> Result<(), ExplainError> {
    if resource.accepts.contains(what) {
        return Ok(());
    }
    let text = format!("{} does not accept {named}: name it under `accepts`", resource.url);
    Err(ExplainError::Credential(text))
}

fn told(
    config: &Config,
    (policy, resource): (&Policy, &Resource),
    (identity, named): (Identity, Option<ScopeSet>),
    supposed: Supposed<'_>,
) -> Explanation {
    let client = supposed.client.map(ClientId::new);
    let verdict = policy.decide(match supposed.who {
        Who::Shows(..) => asked_by(&identity, resource),
        Who::SignsIn(..) | Who::HasApiKey(..) => {
            Asked { identity: &identity, client: client.as_ref(), resource, is_address_taken: false }
        }
    });
    let wanted = wanted(resource, supposed);
    let bounds = [&named, &wanted].into_iter().flatten();
    let granted = bounds.fold(verdict.scopes.clone(), |left, bound| left.intersect(bound));
    let by_rules = verdict.trace.iter().filter(|outcome| outcome.applied).filter_map(|outcome| {
        let Some(Effect::Grant { scopes, .. }) = outcome.effect else { return None };
        Some(scopes)
    });
    let by_rules = by_rules.fold(ScopeSet::default(), |all, scopes| all.union(scopes));
    let implied: ScopeSet =
        verdict.scopes.iter().filter(|scope| !by_rules.contains(scope)).cloned().collect();
    let session = match supposed.who {
        Who::SignsIn(..) => Some(verdict.life(config.tokens.refresh_absolute)),
        // Counted from when it was made.
        Who::HasApiKey(..) => verdict.session,
        Who::Shows(..) => None,
    };
    Explanation {
        person: identity.person().to_string(),
        upstream: identity.upstream.to_string(),
        resource: resource.url.to_string(),
        client: supposed.client.map(str::to_owned),
        rules: verdict.trace.iter().map(|outcome| ExplainedRule::of(outcome, resource)).collect(),
        implied: implied.to_string(),
        allowed: verdict.scopes.to_string(),
        named: named.as_ref().map(ToString::to_string),
        asked: wanted.as_ref().map(ToString::to_string),
        session_seconds: session.map(|session| session.as_secs()),
        pinned_address: verdict.pin.as_ref().map(ToString::to_string),
        refusal: verdict.scopes.is_empty().then(|| verdict.refusal_for_person()),
        tenants: tenants(resource, &granted),
        granted: granted.to_string(),
        email: identity.email.as_ref().map(ToString::to_string),
        domain: identity.domain.as_ref().map(ToString::to_string),
        issuer: identity.issuer,
        subject: identity.subject,
        groups: identity.groups,
        roles: identity.roles,
        claims: identity.claims,
    }
}

/// What stands in the configuration beside policy.
fn beside_policy(
    subject: &str,
    (id, scopes): (&str, &ScopeSet),
    (resource, supposed): (&Resource, Supposed<'_>),
) -> Explanation {
    let allowed = scopes.intersect(&resource.scope_set());
    let wanted = wanted(resource, supposed);
    let granted = wanted.as_ref().map_or_else(|| allowed.clone(), |wanted| allowed.intersect(wanted));
    let nothing = "the server has none of the scopes that stand beside this credential";
    Explanation {
        person: subject.to_owned(),
        upstream: id.to_owned(),
        issuer: String::new(),
        subject: subject.to_owned(),
        email: None,
        domain: None,
        groups: BTreeSet::new(),
        roles: BTreeSet::new(),
        claims: BTreeMap::new(),
        resource: resource.url.to_string(),
        client: None,
        rules: Vec::new(),
        implied: String::new(),
        allowed: allowed.to_string(),
        named: None,
        asked: wanted.as_ref().map(ToString::to_string),
        tenants: tenants(resource, &granted),
        granted: granted.to_string(),
        session_seconds: None,
        pinned_address: None,
        refusal: allowed.is_empty().then(|| nothing.to_owned()),
    }
}

fn wanted(resource: &Resource, supposed: Supposed<'_>) -> Option<ScopeSet> {
    supposed.scope.map(|scope| ScopeSet::parse_lenient(scope).intersect(&resource.scope_set()))
}

/// Whose requests these scopes are enough for.
fn tenants(resource: &Resource, scopes: &ScopeSet) -> Vec<String> {
    let all = resource.tenants.iter().flat_map(Tenants::iter);
    let theirs = all.filter(|tenant| scopes.includes(&resource.required.union(&tenant.needed)));
    theirs.map(|tenant| tenant.name.to_string()).collect()
}

fn unknown<'a>(what: &'static str, named: &str, known: impl Iterator<Item = &'a str>) -> ExplainError {
    ExplainError::Unknown { what, named: named.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
}
