//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;

use crate::access::{AccessTokens, Guard, Named, StaticToken};
use crate::clock::Clock;
use crate::config::{Config, CredentialKind};
use crate::gateway::Gateway;
use crate::outbound::Passage;
use crate::tokens::IdentityMinter;

use super::{StartError, State};

/// What decides about requests to protected servers.
pub(super) fn guard(config: &Config, access_tokens: AccessTokens, clock: &Arc<dyn Clock>) -> Guard {
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
    Guard::new(access_tokens, named.collect(), Arc::clone(clock))
}

/// What passes requests on to them.
pub(super) fn gateway(config: &Config, state: &State, clock: &Arc<dyn Clock>) -> Result<Gateway, StartError> {
    let servers = config.resources.iter().filter_map(|resource| {
        let forwarding = resource.forwarding.clone()?;
        Some((resource.url.clone(), forwarding))
    });
    let minter = IdentityMinter::new(config.issuer.clone(), Arc::clone(&state.keys));
    let issuer = config.issuer.origin();
    Ok(Gateway::new(servers, issuer, Passage::new()?, minter, Arc::clone(clock)))
}
