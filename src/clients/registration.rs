//! Dynamic registration (RFC 7591): lenient in what is not ours to judge, strict about where
//! answers may go. Nothing that a client names is fetched here (SEC-112).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::domain::{
    AuditEvent, AuditKind, Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin, ClientRegistration,
};
use crate::protocol::client_document::ClientKeys;
use crate::protocol::client_statement::{
    check_keys, check_response_types, cut, keys, may_refresh, redirect_uris,
};
use crate::protocol::registration::{RegistrationRequest, RegistrationResponse};
use crate::protocol::{ErrorCode, Issuer, KeySet, OAuthError, RedirectPattern, RedirectUri, ScopeSet};
use crate::rate::{RateLimit, network};
use crate::secret::{Digest, Secret, random};
use crate::store::Store;
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;

use super::metadata_documents::MetadataDocuments;

/// How often the journal is told that somebody registers too much.
const TOLD_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN;

/// What the operator decides about registration.
#[derive(Debug, Clone)]
pub struct RegistrationRules {
    /// May clients register at all?
    pub open: bool,
    /// What they have to bring, if anything.
    pub initial_access_token: Option<Digest>,
    /// Where their answers may go; nothing named: anywhere.
    pub allowed_redirect_uris: Vec<RedirectPattern>,
    /// How many from one address in a minute.
    pub per_address: NonZeroU32,
    /// How many registrations are kept that nobody uses.
    pub most_unused: usize,
    /// How long a registration lives that is never used.
    pub unused_lifetime: Duration,
    /// Redirect hosts whose clients expect a secret when they name no method (INT-30).
    pub secret_hosts: Vec<String>,
    /// How long access tokens live that a client got.
    pub access_lifetime: Duration,
}

/// What registration asks.
#[derive(Debug, Clone)]
pub struct RegistrationParts {
    /// Who we are.
    pub issuer: Issuer,
    /// All scopes that exist.
    pub scopes: ScopeSet,
    /// Where clients' keys may be fetched.
    pub documents: MetadataDocuments,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// What happened.
    pub journal: Journal,
    /// What has been revoked.
    pub revocations: Arc<Revocations>,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

/// Where a request comes from, and what it brings.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The address.
    pub address: IpAddr,
    /// The bearer token.
    pub token: Option<Secret>,
}

/// Registers clients; `management` is what they do with that later.
#[derive(Debug)]
pub struct Registration {
    pub(super) rules: RegistrationRules,
    pub(super) parts: RegistrationParts,
    addresses: RateLimit<IpAddr>,
    told: RateLimit<()>,
}

/// What of a client stays as it is, whatever it says about itself.
pub(super) struct Standing {
    pub(super) id: ClientId,
    pub(super) access_token: Digest,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// The secret that it has.
    pub(super) secret: Option<Digest>,
}

impl Registration {
    /// Registration by these rules.
    #[must_use]
    pub fn new(rules: RegistrationRules, parts: RegistrationParts) -> Self {
        let addresses = RateLimit::per_minute(rules.per_address, Arc::clone(&parts.clock));
        let told = RateLimit::per_minute(TOLD_PER_MINUTE, Arc::clone(&parts.clock));
        Self { rules, parts, addresses, told }
    }

    /// Is the endpoint there at all (SEC-116)?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rules.open
    }

    /// Registers a client and answers with the effective values (SEC-108).
    pub async fn register(
        &self,
        caller: &Caller,
        request: RegistrationRequest,
    ) -> Result<RegistrationResponse, OAuthError> {
        self.check_open()?;
        self.check_initial_token(caller)?;
        let now = self.parts.clock.now();
        self.check_rate(caller, now)?;
        let token = Secret::new(random::token());
        let standing = Standing {
            // It gets its name with its place: nobody's turn passes for a request that is refused.
            id: ClientId::new(""),
            access_token: Digest::of(token.expose()),
            created_at: now,
            expires_at: Some(now.plus(self.rules.unused_lifetime)),
            secret: None,
        };
        let (client, secret) = self.described(&request, standing)?;
        let place = self.parts.store.next_place(self.rules.most_unused).await;
        let id = ClientId::at(place.map_err(OAuthError::unavailable)?);
        let client = Client { id, ..client };
        self.parts.store.register_client(&client).await.map_err(OAuthError::unavailable)?;
        self.parts.journal.mention(&AuditEvent::new(AuditKind::ClientRegistered, now).client(&client.id));
        Ok(self.response(&client, secret, &token))
    }

    /// Forgets the counters of addresses that were quiet lately.
    pub fn collect_garbage(&self) {
        self.addresses.collect_garbage();
    }

    pub(super) fn check_open(&self) -> Result<(), OAuthError> {
        if self.rules.open {
            return Ok(());
        }
        let text = "Registration is closed here; ask the operator for a client id.";
        Err(OAuthError::new(ErrorCode::AccessDenied, text))
    }

    /// RFC 7591 section 3.
    fn check_initial_token(&self, caller: &Caller) -> Result<(), OAuthError> {
        let Some(wanted) = &self.rules.initial_access_token else { return Ok(()) };
        if caller.token.as_ref().is_some_and(|token| wanted.is_of(token.expose())) {
            return Ok(());
        }
        let text = "registration wants an initial access token as a bearer token; ask the operator for it";
        Err(OAuthError::new(ErrorCode::InvalidToken, text))
    }

    /// Whoever writes too often waits (SEC-113); many people may share an address (INT-37).
    pub(super) fn check_rate(&self, caller: &Caller, now: Timestamp) -> Result<(), OAuthError> {
        if self.addresses.allows(&network(caller.address)) {
            return Ok(());
        }
        if self.told.allows(&()) {
            let most = self.rules.per_address;
            let why = format!("more than {most} in a minute from {}; others may be, too", caller.address);
            self.parts.journal.record(AuditEvent::new(AuditKind::RegistrationLimited, now).because(why));
        }
        let text = "too many registrations from this address; try again in a minute";
        Err(OAuthError::new(ErrorCode::SlowDown, text))
    }

    /// The client that a request describes, every check passed; and its secret, if it gets a new one.
    pub(super) fn described(
        &self,
        request: &RegistrationRequest,
        standing: Standing,
    ) -> Result<(Client, Option<Secret>), OAuthError> {
        let redirect_uris = redirect_uris(&request.redirect_uris)?;
        self.check_allowed(&redirect_uris)?;
        check_keys(request)?;
        check_response_types(request)?;
        let may_refresh = may_refresh(request)?;
        let Standing { id, access_token, created_at, expires_at, secret } = standing;
        let (auth, secret) = self.authentication(request, &redirect_uris, secret)?;
        let scopes = request.scope.as_deref().map(ScopeSet::parse_lenient);
        let scopes = scopes.map(|asked| asked.intersect(&self.parts.scopes)).filter(|left| !left.is_empty());
        let registration = ClientRegistration {
            access_token,
            client_uri: request.client_uri.as_deref().map(cut),
            scope: scopes.map(|left| left.to_string()),
            software_id: request.software_id.as_deref().map(cut),
            software_version: request.software_version.as_deref().map(cut),
        };
        let client = Client {
            id,
            name: request.client_name.as_deref().map(cut),
            redirect_uris,
            auth,
            origin: ClientOrigin::Registered,
            may_refresh,
            limits: ClientLimits::default(),
            created_at,
            expires_at,
            registration: Some(registration),
        };
        Ok((client, secret))
    }

    fn check_allowed(&self, redirects: &[RedirectUri]) -> Result<(), OAuthError> {
        let allowed = &self.rules.allowed_redirect_uris;
        let is_allowed = |uri: &&RedirectUri| allowed.iter().any(|pattern| pattern.admits(uri));
        match redirects.iter().find(|uri| !allowed.is_empty() && !is_allowed(uri)) {
            None => Ok(()),
            Some(uri) => {
                let text =
                    format!("redirect_uri {} is not one that the operator admits here", cut(uri.as_str()));
                Err(OAuthError::new(ErrorCode::InvalidRedirectUri, text))
            }
        }
    }

    /// The method that will be enforced, and a new secret where it needs one and there is none (INT-30,
    /// INT-31).
    fn authentication(
        &self,
        request: &RegistrationRequest,
        redirects: &[RedirectUri],
        known: Option<Digest>,
    ) -> Result<(ClientAuthMethod, Option<Secret>), OAuthError> {
        let expects_secret = || redirects.iter().any(|uri| self.is_secret_host(uri));
        let method = match request.token_endpoint_auth_method.as_deref() {
            Some(method) => method,
            None if expects_secret() => "client_secret_basic",
            None => "none",
        };
        let with_secret = |method: fn(Digest) -> ClientAuthMethod| match known {
            Some(digest) => (method(digest), None),
            None => {
                let secret = Secret::new(random::token());
                (method(Digest::of(secret.expose())), Some(secret))
            }
        };
        match method {
            "none" => Ok((ClientAuthMethod::None, None)),
            "client_secret_basic" => Ok(with_secret(ClientAuthMethod::ClientSecretBasic)),
            "client_secret_post" => Ok(with_secret(ClientAuthMethod::ClientSecretPost)),
            "private_key_jwt" => {
                Ok((ClientAuthMethod::PrivateKeyJwt { keys: self.keys(request)?, required: true }, None))
            }
            _ => Err(OAuthError::new(
                ErrorCode::InvalidClientMetadata,
                "token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or \
                 private_key_jwt",
            )),
        }
    }

    /// The keys of a client that signs: at least one that can be used, or a place that may be asked.
    fn keys(&self, request: &RegistrationRequest) -> Result<ClientKeys, OAuthError> {
        let refused = match keys(request)? {
            None => "private_key_jwt needs jwks or jwks_uri",
            Some(ClientKeys::Jwks(jwks)) if KeySet::from_jwks(&jwks).is_empty() => {
                "jwks holds no key that can be used"
            }
            Some(ClientKeys::JwksUri(uri)) if !self.parts.documents.admits_keys_at(&uri) => {
                "nothing is fetched from the host of jwks_uri here; send jwks"
            }
            Some(keys) => return Ok(keys),
        };
        Err(OAuthError::new(ErrorCode::InvalidClientMetadata, refused))
    }

    fn is_secret_host(&self, uri: &RedirectUri) -> bool {
        let host = uri.destination();
        self.rules.secret_hosts.iter().any(|listed| {
            host == *listed || host.strip_suffix(listed.as_str()).is_some_and(|rest| rest.ends_with('.'))
        })
    }

    /// What the client is told about itself. Of its secret and its token only it knows the text.
    pub(super) fn response(
        &self,
        client: &Client,
        secret: Option<Secret>,
        token: &Secret,
    ) -> RegistrationResponse {
        let mut grant_types = vec!["authorization_code"];
        if client.may_refresh {
            grant_types.push("refresh_token");
        }
        let stated = client.registration.as_ref();
        let (jwks, jwks_uri) = match client.auth.keys() {
            Some(ClientKeys::Jwks(jwks)) => (Some(jwks.clone()), None),
            Some(ClientKeys::JwksUri(uri)) => (None, Some(uri.to_string())),
            None => (None, None),
        };
        RegistrationResponse {
            client_id: client.id.as_str().to_owned(),
            client_id_issued_at: client.created_at.as_unix(),
            client_secret_expires_at: secret.as_ref().map(|_| 0),
            client_secret: secret.map(|secret| secret.expose().to_owned()),
            registration_access_token: token.expose().to_owned(),
            registration_client_uri: self.parts.issuer.url(&format!("/oauth/register/{}", client.id)),
            redirect_uris: client.redirect_uris.iter().map(ToString::to_string).collect(),
            token_endpoint_auth_method: client.auth.as_str(),
            jwks,
            jwks_uri,
            grant_types,
            response_types: vec!["code"],
            client_name: client.name.clone(),
            client_uri: stated.and_then(|stated| stated.client_uri.clone()),
            scope: stated.and_then(|stated| stated.scope.clone()),
            software_id: stated.and_then(|stated| stated.software_id.clone()),
            software_version: stated.and_then(|stated| stated.software_version.clone()),
        }
    }
}
