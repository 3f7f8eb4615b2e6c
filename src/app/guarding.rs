//! The configuration becomes what decides about requests to protected servers.

use std::sync::Arc;

use crate::access::{AccessTokens, Guard, Limits, Named, StaticToken};
use crate::clock::Clock;
use crate::config::{Config, CredentialKind};
use crate::store::Store;
use crate::store::audit::Journal;

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
