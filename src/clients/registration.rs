//! Dynamic registration (RFC 7591): lenient in what is not ours to judge, strict about where
//! answers may go. Nothing that a client names is fetched (SEC-112).

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{AuditEvent, AuditKind, Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin};
use crate::protocol::client_statement::{check_keys, check_response_types, cut, may_refresh, redirect_uris};
use crate::protocol::registration::{RegistrationRequest, RegistrationResponse};
use crate::protocol::{ErrorCode, OAuthError, RedirectUri, ScopeSet};
use crate::secret::{Digest, random};
use crate::store::Store;
use crate::store::audit::Journal;

/// What the operator decides about registration.
#[derive(Debug, Clone)]
pub struct RegistrationRules {
    /// May clients register at all?
    pub open: bool,
    /// How long a registration lives that is never used.
    pub unused_lifetime: Duration,
    /// Redirect hosts whose clients expect a secret when they name no method (INT-30).
    pub secret_hosts: Vec<String>,
}

/// Registers clients.
#[derive(Debug, Clone)]
pub struct Registration {
    rules: RegistrationRules,
    scopes: ScopeSet,
    store: Arc<dyn Store>,
    journal: Journal,
    clock: Arc<dyn Clock>,
}

impl Registration {
    /// Registration by these rules; `scopes` are all that exist.
    #[must_use]
    pub fn new(
        rules: RegistrationRules,
        scopes: ScopeSet,
        store: Arc<dyn Store>,
        journal: Journal,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { rules, scopes, store, journal, clock }
    }

    /// Is the endpoint there at all (SEC-116)?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rules.open
    }

    /// Registers a client and answers with the effective values (SEC-108).
    pub async fn register(&self, request: RegistrationRequest) -> Result<RegistrationResponse, OAuthError> {
        if !self.rules.open {
            let text = "Registration is closed here; ask the operator for a client id.";
            return Err(OAuthError::new(ErrorCode::AccessDenied, text));
        }
        let redirect_uris = redirect_uris(&request.redirect_uris)?;
        check_keys(&request)?;
        check_response_types(&request)?;
        let may_refresh = may_refresh(&request)?;
        let (auth, secret) = self.authentication(&request, &redirect_uris)?;
        let now = self.clock.now();
        let client = Client {
            id: ClientId::new(format!("glc_{}", random::id())),
            name: request.client_name.as_deref().map(cut),
            redirect_uris,
            auth,
            origin: ClientOrigin::Registered,
            may_refresh,
            limits: ClientLimits::default(),
            created_at: now,
            expires_at: Some(now.plus(self.rules.unused_lifetime)),
        };
        self.store.register_client(&client).await.map_err(OAuthError::unavailable)?;
        let event = AuditEvent::new(AuditKind::ClientRegistered, now).client(&client.id);
        self.journal.record(event);
        Ok(self.response(request, &client, secret))
    }

    /// The method that will be enforced, and the secret where it needs one (INT-30, INT-31).
    fn authentication(
        &self,
        request: &RegistrationRequest,
        redirects: &[RedirectUri],
    ) -> Result<(ClientAuthMethod, Option<String>), OAuthError> {
        let expects_secret = || redirects.iter().any(|uri| self.is_secret_host(uri));
        let method = match request.token_endpoint_auth_method.as_deref() {
            Some(method) => method,
            None if expects_secret() => "client_secret_basic",
            None => "none",
        };
        let secret = random::token();
        let digest = Digest::of(&secret);
        match method {
            "none" => Ok((ClientAuthMethod::None, None)),
            "client_secret_basic" => Ok((ClientAuthMethod::ClientSecretBasic(digest), Some(secret))),
            "client_secret_post" => Ok((ClientAuthMethod::ClientSecretPost(digest), Some(secret))),
            _ => Err(OAuthError::new(
                ErrorCode::InvalidClientMetadata,
                "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post",
            )),
        }
    }

    fn is_secret_host(&self, uri: &RedirectUri) -> bool {
        let host = uri.destination();
        self.rules.secret_hosts.iter().any(|listed| {
            host == *listed || host.strip_suffix(listed.as_str()).is_some_and(|rest| rest.ends_with('.'))
        })
    }

    fn response(
        &self,
        request: RegistrationRequest,
        client: &Client,
        secret: Option<String>,
    ) -> RegistrationResponse {
        let mut grant_types = vec!["authorization_code"];
        if client.may_refresh {
            grant_types.push("refresh_token");
        }
        let scopes = request.scope.as_deref().map(ScopeSet::parse_lenient);
        let scopes = scopes.map(|asked| asked.intersect(&self.scopes)).filter(|left| !left.is_empty());
        RegistrationResponse {
            client_id: client.id.as_str().to_owned(),
            client_id_issued_at: client.created_at.as_unix(),
            client_secret_expires_at: secret.as_ref().map(|_| 0),
            client_secret: secret,
            redirect_uris: request.redirect_uris,
            token_endpoint_auth_method: client.auth.as_str(),
            grant_types,
            response_types: vec!["code"],
            client_name: request.client_name.as_deref().map(cut),
            client_uri: request.client_uri.as_deref().map(cut),
            scope: scopes.map(|left| left.to_string()),
            software_id: request.software_id.as_deref().map(cut),
            software_version: request.software_version.as_deref().map(cut),
        }
    }
}
