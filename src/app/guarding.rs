//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;

use crate::access::{
    AccessTokens, ApiKeyBook, ApiKeyForms, ApiKeys, Guard, Limits, Named, Owners, StaticToken,
};
use crate::clock::Clock;
use crate::config::{Config, CredentialKind};
use crate::domain::Resources;
use crate::gateway::Gateway;
use crate::outbound::Relay;
use crate::people::People;
use crate::policy::Policy;
use crate::secret::MasterSecret;
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;
use crate::tokens::{ApiKeySecrets, IdentityMinter};

use super::{StartError, State};

/// What decides about requests to protected servers.
pub(super) fn guard(
    config: &Config,
    access_tokens: AccessTokens,
    (secret, owners): (&MasterSecret, Owners),
    journal: &Journal,
    clock: &Arc<dyn Clock>,
) -> Guard {
    let named = config.credentials.iter().map(|credential| {
        let named = match &credential.kind {
            CredentialKind::Static { token, subject, scopes } => Named::Static(StaticToken::new(
                &credential.id,
                token.clone(),
                subject.clone(),
                scopes.clone(),
            )),
        };
        (credential.id.clone(), named)
    });
    let forms = ApiKeyForms { scheme: config.api_key_scheme.clone() };
    let store = Arc::clone(&owners.store);
    let api_keys = ApiKeys::new(ApiKeySecrets::new(secret), owners);
    let limits = Limits::new(store, journal.clone(), Arc::clone(clock));
    Guard::new(access_tokens, (api_keys, forms), named.collect(), limits, Arc::clone(clock))
}

/// What the owners of API keys may do.
pub(super) fn owners(people: &People, policy: &Arc<Policy>, revocations: &Arc<Revocations>) -> Owners {
    Owners {
        store: Arc::clone(&people.store),
        people: people.clone(),
        policy: Arc::clone(policy),
        revocations: Arc::clone(revocations),
    }
}

/// Where people's API keys are made and revoked.
pub(super) fn key_book(
    secret: &MasterSecret,
    owners: Owners,
    resources: &Arc<Resources>,
    journal: &Journal,
    clock: &Arc<dyn Clock>,
) -> ApiKeyBook {
    ApiKeyBook {
        secrets: ApiKeySecrets::new(secret),
        owners,
        resources: Arc::clone(resources),
        journal: journal.clone(),
        clock: Arc::clone(clock),
    }
}

/// What passes requests on to them.
pub(super) fn gateway(config: &Config, state: &State, clock: &Arc<dyn Clock>) -> Result<Gateway, StartError> {
    let servers = config.resources.iter().filter_map(|resource| {
        let forwarding = resource.forwarding.clone()?;
        Some((resource.url.clone(), forwarding))
    });
    let minter = IdentityMinter::new(config.issuer.clone(), Arc::clone(&state.keys));
    let issuer = config.issuer.origin();
    Ok(Gateway::new(servers, issuer, Relay::new()?, minter, Arc::clone(clock)))
}
