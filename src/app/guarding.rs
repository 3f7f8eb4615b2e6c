//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;

use crate::access::{AccessTokens, Guard, Limits, Named, StaticToken};
use crate::clock::Clock;
use crate::config::{Config, CredentialKind};
use crate::gateway::Gateway;
use crate::outbound::Relay;
use crate::store::Store;
use crate::store::audit::Journal;
use crate::tokens::IdentityMinter;

use super::{StartError, State};

/// What decides about requests to protected servers.
pub(super) fn guard(
    config: &Config,
    access_tokens: AccessTokens,
    (store, journal): (&Arc<dyn Store>, &Journal),
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
    let limits = Limits::new(Arc::clone(store), journal.clone(), Arc::clone(clock));
    Guard::new(access_tokens, named.collect(), limits, Arc::clone(clock))
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
