//! A small OpenID provider for the demo: three people, no passwords, loopback only.
//!
//! - `authorize`: the sign-in page and the way back with a code.
//! - `token`: codes and refresh tokens for ID tokens, and userinfo.
//! - `people`: who can sign in.
//! - `keys`: the signing key.
//! - `page`: the HTML.
//! - `params`: queries and forms, each parameter once.

mod authorize;
mod keys;
mod page;
mod params;
mod people;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::clock::{Clock, Timestamp};
use crate::protocol::{OAuthError, S256Challenge};
use crate::secret::Secret;

use keys::SigningKey;
use people::Somebody;

/// A code's life.
const CODE_LIFE: Duration = Duration::from_secs(60);

/// The life of an ID token and of an access token for userinfo.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// The life of a refresh token; each serves once.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The demo's identity provider. Its issuer is a bare origin without a trailing slash, where
/// [`Self::router`] is served.
#[derive(Clone)]
pub struct DemoProvider {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    client_id: String,
    client_secret: Secret,
    redirect_uris: Vec<String>,
    clock: Arc<dyn Clock>,
    key: SigningKey,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    codes: HashMap<String, Code>,
    sign_ins: HashMap<String, SignIn>,
    refresh_tokens: HashMap<String, Offline>,
}

/// What a code stands for.
struct Code {
    person: Somebody,
    redirect_uri: String,
    nonce: Option<String>,
    challenge: Option<S256Challenge>,
    authenticated_at: Timestamp,
    expires_at: Timestamp,
    is_offline: bool,
}

/// What a refresh token stands for.
struct Offline {
    person: Somebody,
    authenticated_at: Timestamp,
    expires_at: Timestamp,
}

/// What an access token for userinfo stands for.
struct SignIn {
    person: Somebody,
    expires_at: Timestamp,
}

impl DemoProvider {
    /// A provider with one client, and a fresh signing key.
    #[must_use]
    pub fn new(
        issuer: String,
        client_id: String,
        client_secret: Secret,
        redirect_uris: Vec<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let key = SigningKey::generate();
        let memory = Mutex::default();
        let inner = Inner { issuer, client_id, client_secret, redirect_uris, clock, key, memory };
        Self { inner: Arc::new(inner) }
    }

    /// Its routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize::show).post(authorize::choose))
            .route("/token", post(token::redeem))
            .route("/userinfo", get(token::userinfo).post(token::userinfo))
            .with_state(self.clone())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every change is a single insert or remove: a panic elsewhere leaves nothing half done.
        self.inner.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DemoProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoProvider").field("issuer", &self.inner.issuer).finish_non_exhaustive()
    }
}

async fn discovery(State(provider): State<DemoProvider>) -> Response {
    let issuer = &provider.inner.issuer;
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "scopes_supported": ["openid", "email", "profile", "groups", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported":
            ["sub", "email", "email_verified", "name", "groups", "auth_time", "nonce", "at_hash"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true
    });
    json_answer(StatusCode::OK, &document, [])
}

async fn jwks(State(provider): State<DemoProvider>) -> Response {
    json_answer(StatusCode::OK, &json!({"keys": [provider.inner.key.jwk()]}), [])
}

/// JSON that nobody may keep.
fn json_answer<const N: usize>(
    status: StatusCode,
    body: &Value,
    extra: [(HeaderName, HeaderValue); N],
) -> Response {
    let fixed = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, fixed, extra, body.to_string()).into_response()
}

/// An error as RFC 6749 section 5.2 writes it.
fn error_answer<const N: usize>(
    status: StatusCode,
    error: &OAuthError,
    extra: [(HeaderName, HeaderValue); N],
) -> Response {
    let body = json!({"error": error.code().as_str(), "error_description": error.description()});
    json_answer(status, &body, extra)
}
