//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;

use crate::access::{AccessTokens, Guard, Named, StaticToken};
use crate::clock::Clock;
use crate::config::{Config, CredentialKind};

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
