//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;

use crate::access::{AccessTokens, ApiKeyForms, ApiKeys, Guard, Named, Owners, StaticToken};
use crate::clock::Clock;
use crate::config::{Config, CredentialKind};
use crate::secret::MasterSecret;
use crate::tokens::ApiKeySecrets;

/// What decides about requests to protected servers.
pub(super) fn guard(
    config: &Config,
    access_tokens: AccessTokens,
    (secret, owners): (&MasterSecret, Owners),
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
    let api_keys = ApiKeys::new(ApiKeySecrets::new(secret), owners);
    Guard::new(access_tokens, (api_keys, forms), named.collect(), Arc::clone(clock))
}
