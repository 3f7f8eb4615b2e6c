//! Which clients there are: those that the configuration names, and those that come by themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::{
    Authenticator, ClientPolicy, Clients, ConfiguredClient, DocumentRules, MetadataDocuments,
    OperatorSecrets, RegistrationRules, described,
};
use crate::clock::Clock;
use crate::config::{
    ClientAuth, ClientConfig, ClientDocumentsConfig, ClientPolicyConfig, Config, PinnedDocument,
    RegistrationConfig,
};
use crate::domain::{Client, ClientAuthMethod, ClientId};
use crate::protocol::ResourceUri;
use crate::secret::{Digest, Secret};
use crate::store::revocations::Revocations;

use super::State;

/// How much longer than its newest grant a client is remembered (INT-36).
const SLACK: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a client is remembered after its newest grant began.
pub(super) fn kept_for(config: &Config) -> Duration {
    config.tokens.refresh_absolute + SLACK
}

/// How clients register themselves.
pub(super) fn registration_rules(config: &Config) -> RegistrationRules {
    let RegistrationConfig {
        open,
        initial_access_token,
        allowed_redirect_uris,
        per_address,
        most_unused,
        unused_lifetime,
        secret_hosts,
    } = config.registration.clone();
    RegistrationRules {
        open,
        initial_access_token: initial_access_token.map(|token| Digest::of(token.expose())),
        allowed_redirect_uris,
        per_address,
        most_unused: usize::try_from(most_unused.get()).unwrap_or(usize::MAX),
        unused_lifetime,
        secret_hosts,
        access_lifetime: config.tokens.access_lifetime,
    }
}

/// Every client.
pub(super) fn directory(
    config: &Config,
    state: &State,
    revocations: &Arc<Revocations>,
    clock: &Arc<dyn Clock>,
) -> Clients {
    let configured = config.clients.iter().map(configured);
    let ClientPolicyConfig { allow, require_approval } = config.client_policy.clone();
    let policy = ClientPolicy { allow, require_approval };
    let store = (Arc::clone(&state.store), Arc::clone(revocations));
    Clients::new(configured.collect(), documents(config, state, clock), policy, store)
}

/// What they prove themselves to.
pub(super) fn authenticator(
    config: &Config,
    state: &State,
    clients: Clients,
    clock: Arc<dyn Clock>,
) -> Authenticator {
    let secrets = OperatorSecrets::new(&state.secret);
    Authenticator::new(config.issuer.clone(), clients, (Arc::clone(&state.store), secrets), clock)
}

/// The clients whose identifier is the URL of their metadata.
fn documents(config: &Config, state: &State, clock: &Arc<dyn Clock>) -> MetadataDocuments {
    let ClientDocumentsConfig { enabled, allowed_hosts, denied_hosts, per_address, pinned, .. } =
        &config.client_documents;
    let rules = DocumentRules {
        enabled: *enabled,
        allowed_hosts: allowed_hosts.clone(),
        denied_hosts: denied_hosts.clone(),
        per_address: *per_address,
        keep: kept_for(config),
    };
    let now = clock.now();
    let pinned = pinned.iter().map(|PinnedDocument { client_id, document }| {
        let id = ClientId::new(client_id);
        (id.clone(), Client { expires_at: None, ..described(id, document.clone(), now, now) })
    });
    let store = Arc::clone(&state.store);
    MetadataDocuments::new(rules, state.documents.clone(), pinned.collect(), store, clock)
}

/// Which clients ask about the tokens of which servers.
pub(super) fn introspecting(clients: &[ClientConfig]) -> HashMap<ClientId, Vec<ResourceUri>> {
    let asking = clients.iter().filter(|client| !client.introspects.is_empty());
    asking.map(|client| (ClientId::new(&client.id), client.introspects.clone())).collect()
}

fn configured(client: &ClientConfig) -> ConfiguredClient {
    let digest = |secret: &Secret| Digest::of(secret.expose());
    let auth = match &client.auth {
        ClientAuth::None => ClientAuthMethod::None,
        ClientAuth::ClientSecretBasic(secret) => ClientAuthMethod::ClientSecretBasic(digest(secret)),
        ClientAuth::ClientSecretPost(secret) => ClientAuthMethod::ClientSecretPost(digest(secret)),
        ClientAuth::PrivateKeyJwt(keys) => {
            ClientAuthMethod::PrivateKeyJwt { keys: keys.clone(), required: true }
        }
    };
    ConfiguredClient {
        id: client.id.clone(),
        name: client.name.clone(),
        redirect_uris: client.redirect_uris.clone(),
        auth,
        may_refresh: client.may_refresh,
        limits: client.limits.clone(),
    }
}
