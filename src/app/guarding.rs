//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;
use std::time::Duration;

use crate::access::foreign::{
    AskRules, ForeignParts, ForeignSettings, IntrospectionRules, JwtRules, KeysAt, RemoteRules, Times, Way,
    Whom,
};
use crate::access::{AccessTokens, Foreign, Guard, Limits, Named, Nobody, StaticToken};
use crate::clock::Clock;
use crate::config::{AskingConfig, Config, CredentialConfig, CredentialKind, ForeignConfig, ForeignWay};
use crate::domain::UpstreamId;
use crate::outbound::{self, Outbound};
use crate::policy::{Admission, Policy};
use crate::store::Store;
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;

use super::StartError;

/// The longest part of a call's time that its connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// The longest answer that is read.
const LARGEST_ANSWER: usize = 256 * 1024;

/// What foreign credentials are judged by.
pub(super) struct Judges {
    pub(super) policy: Arc<Policy>,
    pub(super) revocations: Arc<Revocations>,
}

/// What decides about requests to protected servers.
pub(super) fn guard(
    config: &Config,
    access_tokens: AccessTokens,
    judges: &Judges,
    (store, journal): (&Arc<dyn Store>, &Journal),
    clock: &Arc<dyn Clock>,
) -> Result<Guard, StartError> {
    let named = config.credentials.iter().map(|credential| {
        let id = &credential.id;
        let named = match &credential.kind {
            CredentialKind::Static { token, subject, scopes } => {
                Named::Static(StaticToken::new(id, token.clone(), subject.clone(), scopes.clone()))
            }
            CredentialKind::Nobody { scopes } => Named::Nobody(Nobody::new(id, scopes.clone())),
            CredentialKind::Foreign(foreign) => {
                let limits = outbound::Limits {
                    connect: foreign.timeout.min(CONNECT),
                    total: foreign.timeout,
                    largest_body: LARGEST_ANSWER,
                };
                let parts = ForeignParts {
                    own_issuer: config.issuer.as_str().to_owned(),
                    policy: Arc::clone(&judges.policy),
                    revocations: Arc::clone(&judges.revocations),
                    outbound: Outbound::within(limits)?,
                    clock: Arc::clone(clock),
                };
                let settings = settings(id, foreign, &judges.policy);
                Named::Foreign(Box::new(Foreign::new(settings, way(foreign), parts)))
            }
        };
        Ok((id.clone(), named))
    });
    let named = named.collect::<Result<_, StartError>>()?;
    let limits = Limits::new(Arc::clone(store), journal.clone(), Arc::clone(clock));
    Ok(Guard::new(access_tokens, named, limits, Arc::clone(clock)))
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

fn settings(id: &UpstreamId, foreign: &ForeignConfig, policy: &Policy) -> ForeignSettings {
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
    }
}

fn way(foreign: &ForeignConfig) -> Way {
    let times = |require_expiry| Times { skew: foreign.clock_skew, max_age: foreign.max_age, require_expiry };
    let ask = |asking: &AskingConfig| AskRules { cache: asking.cache, most_calls: asking.most_calls };
    match &foreign.way {
        ForeignWay::Jwt { jwks_url, jwks_refresh, algorithms, require_expiry, parties } => {
            let at = jwks_url.clone().map_or(KeysAt::Discovered, KeysAt::Url);
            Way::Jwt(JwtRules {
                keys: (at, *jwks_refresh),
                audience: foreign.audience.clone(),
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
                audience: foreign.audience.clone(),
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
