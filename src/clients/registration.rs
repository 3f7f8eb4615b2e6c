//! Dynamic registration (RFC 7591): lenient in what is not ours to judge, strict about where
//! answers may go. Nothing that a client names is fetched (SEC-112).

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{AuditEvent, AuditKind, Client, ClientAuthMethod, ClientId, ClientOrigin};
use crate::protocol::registration::{RegistrationRequest, RegistrationResponse};
use crate::protocol::{ErrorCode, OAuthError, RedirectUri, ScopeSet};
use crate::secret::{Digest, random};
use crate::store::Store;
use crate::store::audit::Journal;

/// Most redirect URIs of one client (SEC-113).
const MOST_REDIRECTS: usize = 20;

/// Longest text that is kept and echoed of what a client says about itself.
const LONGEST_TEXT: usize = 256;

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

/// Any mix of https, loopback and private-use URIs; one bad one refuses the whole (INT-28).
fn redirect_uris(sent: &[String]) -> Result<Vec<RedirectUri>, OAuthError> {
    let refuse = |text: String| OAuthError::new(ErrorCode::InvalidRedirectUri, text);
    if sent.is_empty() {
        return Err(refuse("redirect_uris is missing or empty".into()));
    }
    if sent.len() > MOST_REDIRECTS {
        return Err(refuse(format!("at most {MOST_REDIRECTS} redirect_uris")));
    }
    let parse = |uri: &String| {
        RedirectUri::parse(uri).map_err(|fault| refuse(format!("redirect_uri {} {fault}", cut(uri))))
    };
    sent.iter().map(parse).collect()
}

/// Keys by value and by reference exclude each other; a private or symmetric key was sent by
/// mistake and is compromised (SEC-110). `private_key_jwt` is not offered, so keys are not kept.
fn check_keys(request: &RegistrationRequest) -> Result<(), OAuthError> {
    let refuse = |text| Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text));
    let Some(jwks) = request.jwks.as_ref().filter(|jwks| !jwks.is_null()) else { return Ok(()) };
    if request.jwks_uri.is_some() {
        return refuse("jwks and jwks_uri exclude each other");
    }
    let Some(keys) = jwks.get("keys").and_then(serde_json::Value::as_array) else {
        return refuse("jwks must be a JWK set");
    };
    let secret =
        |key: &serde_json::Value| ["d", "k", "p", "q"].iter().any(|member| key.get(member).is_some());
    if keys.iter().any(secret) {
        return refuse("jwks holds a private or symmetric key; send public keys only");
    }
    Ok(())
}

fn check_response_types(request: &RegistrationRequest) -> Result<(), OAuthError> {
    match &request.response_types {
        Some(types) if !types.is_empty() && !types.iter().any(|kind| kind == "code") => {
            let text = "response_types must contain code: only the code flow is offered";
            Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text))
        }
        _ => Ok(()),
    }
}

/// Grants that we do not have are left out (INT-35); without a list, both that we have.
fn may_refresh(request: &RegistrationRequest) -> Result<bool, OAuthError> {
    let Some(grants) = request.grant_types.as_ref().filter(|grants| !grants.is_empty()) else {
        return Ok(true);
    };
    if !grants.iter().any(|grant| grant == "authorization_code") {
        let text = "grant_types must contain authorization_code";
        return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text));
    }
    Ok(grants.iter().any(|grant| grant == "refresh_token"))
}

fn cut(text: impl AsRef<str>) -> String {
    text.as_ref().chars().take(LONGEST_TEXT).collect()
}
