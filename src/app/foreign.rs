//! Credentials that somebody else vouches for, from the configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::access::foreign::{
    AskRules, Audience, ForeignParts, ForeignSettings, IntrospectionRules, JwtRules, KeysAt, RemoteRules,
    Times, Way, Whom,
};
use crate::access::{Foreign, Owners};
use crate::clock::Clock;
use crate::config::{AskingConfig, Config, CredentialConfig, CredentialKind, ForeignConfig, ForeignWay};
use crate::domain::UpstreamId;
use crate::outbound::{Limits, Outbound};
use crate::policy::{Admission, Policy};

use super::StartError;

/// The longest part of a call's time that its connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// The longest answer that is read.
const LARGEST_ANSWER: usize = 256 * 1024;

/// One of them; the same policy and the same revocations hold as for the owners of keys.
pub(super) fn credential(
    config: &Config,
    (id, foreign): (&UpstreamId, &ForeignConfig),
    owners: &Owners,
    clock: &Arc<dyn Clock>,
) -> Result<Foreign, StartError> {
    let total = foreign.timeout;
    let limits = Limits { connect: total.min(CONNECT), total, largest_body: LARGEST_ANSWER };
    let parts = ForeignParts {
        own_issuer: config.issuer.as_str().to_owned(),
        policy: Arc::clone(&owners.policy),
        revocations: Arc::clone(&owners.revocations),
        outbound: Outbound::within(limits)?,
        clock: Arc::clone(clock),
    };
    Ok(Foreign::new(settings(id, foreign, &owners.policy), way(foreign), parts))
}

/// Whom a credential may bring, if somebody else vouches for it.
pub(super) fn admission(credential: &CredentialConfig) -> Option<Admission> {
    let CredentialKind::Foreign(foreign) = &credential.kind else { return None };
    Some(Admission {
        name: format!("allowed_domains of {}", credential.id),
        upstream: credential.id.clone(),
        issuers: vec![foreign.issuer.clone()],
        domains: foreign.allowed_domains.clone(),
        membership: None,
    })
}

pub(super) fn settings(id: &UpstreamId, foreign: &ForeignConfig, policy: &Policy) -> ForeignSettings {
    ForeignSettings {
        id: id.clone(),
        issuer: foreign.issuer.clone(),
        domains: foreign.allowed_domains.clone(),
        subject_claim: foreign.subject_claim.clone(),
        email_claim: foreign.email_claim.clone(),
        trust_email: foreign.trust_email,
        groups_claim: foreign.groups_claim.clone(),
        roles_claim: foreign.roles_claim.clone(),
        claim_paths: policy.claim_paths(id).into_iter().map(str::to_owned).collect(),
        required_scopes: foreign.required_scopes.clone(),
        only_its_scopes: foreign.only_its_scopes,
        audience: audience(foreign),
    }
}

/// Left out it is the server itself, but where something else says for whom it is.
fn audience(foreign: &ForeignConfig) -> Audience {
    let is_told_otherwise = match &foreign.way {
        ForeignWay::Jwt { parties, .. } => parties.is_some(),
        ForeignWay::Introspection { .. } => false,
        ForeignWay::Remote { .. } => true,
    };
    match (foreign.audience.as_slice(), is_told_otherwise) {
        ([], true) => Audience::Anybody,
        ([], false) => Audience::Server,
        (named, _) => Audience::OneOf(named.to_vec()),
    }
}

pub(super) fn way(foreign: &ForeignConfig) -> Way {
    let times = |require_expiry| Times { skew: foreign.clock_skew, max_age: foreign.max_age, require_expiry };
    let ask = |asking: &AskingConfig| AskRules { cache: asking.cache, most_calls: asking.most_calls };
    match &foreign.way {
        ForeignWay::Jwt { jwks_url, jwks_refresh, algorithms, require_expiry, parties } => {
            let at = jwks_url.clone().map_or(KeysAt::Discovered, KeysAt::Url);
            Way::Jwt(JwtRules {
                keys: (at, *jwks_refresh),
                algorithms: algorithms.clone(),
                times: times(*require_expiry),
                parties: parties.clone(),
            })
        }
        ForeignWay::Introspection { url, client_id, client_secret, in_the_body, asking } => {
            let rules = IntrospectionRules {
                url: url.clone(),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
                in_the_body: *in_the_body,
                times: times(false),
            };
            Way::Elsewhere(Whom::Introspection(rules), ask(asking))
        }
        ForeignWay::Remote { url, authorization, asking } => {
            let (url, authorization) = (url.clone(), authorization.clone());
            let rules = RemoteRules { url, authorization, times: times(false) };
            Way::Elsewhere(Whom::Remote(rules), ask(asking))
        }
    }
}
