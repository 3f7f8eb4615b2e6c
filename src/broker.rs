//! The wired parts, as the HTTP room sees them.

use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::watch;

use crate::access::{ApiKeyBook, Guard, Introspection};
use crate::clients::Registration;
use crate::domain::{Resource, Resources};
use crate::gateway::Gateway;
use crate::grants::TokenEndpoint;
use crate::keyring::KeyKeeper;
use crate::login::Login;
use crate::protocol::metadata::{AuthorizationServerMetadata, ProtectedResourceMetadata};
use crate::protocol::{Issuer, KeySet, ResourceUri};
use crate::store::Store;
use crate::store::audit::Journal;

/// Everything behind the endpoints.
#[derive(Debug)]
pub struct Broker {
    /// Who we are.
    pub issuer: Issuer,
    /// `Host` values that are ours, besides the issuer's own (SEC-161).
    pub allowed_hosts: Vec<String>,
    /// Proxies whose word on where a request comes from is believed (SEC-151).
    pub trusted_proxies: Vec<IpNet>,
    /// Whom a person without access can ask.
    pub contact: Option<String>,
    /// The protected servers.
    pub resources: Arc<Resources>,
    /// The browser half.
    pub login: Login,
    /// The token half.
    pub tokens: TokenEndpoint,
    /// What protected servers are told of tokens.
    pub introspection: Introspection,
    /// Decides about requests to protected servers.
    pub guard: Guard,
    /// People's API keys.
    pub api_keys: ApiKeyBook,
    /// Where they are managed over HTTP, if anywhere.
    pub admin_api: Option<ResourceUri>,
    /// May proxies ask it?
    pub forward_auth: bool,
    /// Passes requests on to protected servers.
    pub gateway: Gateway,
    /// Has the end been asked for? Then who only listens is let go.
    pub ending: watch::Sender<bool>,
    /// Dynamic registration.
    pub registration: Registration,
    /// For the readiness check.
    pub store: Arc<dyn Store>,
    /// What happened.
    pub journal: Journal,
    /// The signing keys.
    pub keys: KeyKeeper,
}

impl Broker {
    /// Authorization server metadata (RFC 8414): what is advertised works (SEC-137).
    #[must_use]
    pub fn metadata(&self) -> AuthorizationServerMetadata {
        let url = |path| self.issuer.url(path);
        let introspects = !self.introspection.servers.is_empty();
        let confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        let methods = [&["none"], confidential.as_slice()].concat();
        AuthorizationServerMetadata {
            issuer: self.issuer.as_str().to_owned(),
            authorization_endpoint: url("/oauth/authorize"),
            token_endpoint: url("/oauth/token"),
            jwks_uri: url("/.well-known/jwks.json"),
            registration_endpoint: self.registration.is_open().then(|| url("/oauth/register")),
            revocation_endpoint: url("/oauth/revoke"),
            introspection_endpoint: introspects.then(|| url("/oauth/introspect")),
            introspection_endpoint_auth_methods_supported: where_asked(introspects, &confidential),
            introspection_endpoint_auth_signing_alg_values_supported: where_asked(
                introspects,
                &KeySet::ALGORITHMS,
            ),
            scopes_supported: self.resources.listed_scopes().iter().map(ToString::to_string).collect(),
            response_types_supported: vec!["code"],
            response_modes_supported: vec!["query"],
            grant_types_supported: vec!["authorization_code", "refresh_token"],
            token_endpoint_auth_methods_supported: methods.clone(),
            revocation_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: KeySet::ALGORITHMS.to_vec(),
            revocation_endpoint_auth_signing_alg_values_supported: KeySet::ALGORITHMS.to_vec(),
            client_id_metadata_document_supported: self.login.clients.documents().are_taken(),
            code_challenge_methods_supported: vec!["S256"],
            authorization_response_iss_parameter_supported: true,
        }
    }

    /// The servers under this name, as in a `Host` header.
    pub fn on_host<'b>(&'b self, host: &'b str) -> impl Iterator<Item = &'b Resource> {
        self.resources.iter().filter(move |resource| resource.url.authority().eq_ignore_ascii_case(host))
    }

    /// Protected resource metadata (RFC 9728) of the server at `path`, as people type it: with
    /// or without a trailing slash (INT-22, INT-23). An empty path means the default server. Of several
    /// at one path it is the one on the `host` that was asked, where a proxy passes that on, or on ours.
    #[must_use]
    pub fn resource_metadata(&self, path: &str, host: Option<&str>) -> Option<ProtectedResourceMetadata> {
        let bare = path.trim_end_matches('/');
        let at_path = |resource: &&Resource| resource.url.path() == bare;
        let resource = match host.filter(|host| !host.eq_ignore_ascii_case(self.issuer.authority())) {
            Some(host) if self.on_host(host).next().is_some() => {
                let only = || self.on_host(host).next().filter(|_| self.on_host(host).count() == 1);
                let found = self.on_host(host).find(at_path);
                found.or_else(|| only().filter(|_| bare.is_empty()))?
            }
            _ => {
                let ours = |resource: &&Resource| resource.url.origin() == self.issuer.origin();
                let found = self.resources.iter().filter(at_path).find(ours);
                let found = found.or_else(|| self.resources.iter().find(at_path));
                found.or_else(|| self.resources.default_resource().filter(|_| bare.is_empty()))?
            }
        };
        let typed = match (bare.is_empty(), path.ends_with('/')) {
            (false, true) => format!("{}/", resource.url.as_str().trim_end_matches('/')),
            (false, false) => resource.url.as_str().trim_end_matches('/').to_owned(),
            (true, _) => resource.url.as_str().to_owned(),
        };
        let scopes = resource.listed_scopes();
        Some(ProtectedResourceMetadata::new(&typed, self.issuer.as_str(), &scopes, Some(&resource.name)))
    }
}

/// What is said of an endpoint that is there, and nothing of one that is not.
fn where_asked(is_there: bool, supported: &[&'static str]) -> Vec<&'static str> {
    if is_there { supported.to_vec() } else { Vec::new() }
}
