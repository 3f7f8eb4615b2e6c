//! Codes and refresh tokens for ID tokens (OpenID Connect Core sections 3.1.3 and 12), and userinfo
//! (section 5.3).

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::clock::Timestamp;
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::{Secret, random};

use super::keys::at_hash;
use super::params::{Params, Repeated};
use super::people::Somebody;
use super::{Code, DemoProvider, Offline, REFRESH_LIFE, SignIn, TOKEN_LIFE, error_answer, json_answer};

/// `POST /token`.
pub(super) async fn redeem(
    State(provider): State<DemoProvider>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let tokens = Params::parse(&body)
        .map_err(|Repeated(name)| invalid(&format!("{name} stands there twice")))
        .and_then(|form| {
            provider.authenticate_client(&headers, &form)?;
            provider.exchange(&form)
        });
    match tokens {
        Ok(tokens) => json_answer(StatusCode::OK, &tokens, []),
        Err(error) if error.code() == ErrorCode::InvalidClient => {
            let realm = HeaderValue::from_static("Basic realm=\"demo\"");
            error_answer(StatusCode::UNAUTHORIZED, &error, [(WWW_AUTHENTICATE, realm)])
        }
        Err(error) if error.code() == ErrorCode::ServerError => {
            error_answer(StatusCode::INTERNAL_SERVER_ERROR, &error, [])
        }
        Err(error) => error_answer(StatusCode::BAD_REQUEST, &error, []),
    }
}

/// `GET` and `POST /userinfo`.
pub(super) async fn userinfo(State(provider): State<DemoProvider>, headers: HeaderMap) -> Response {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
    let now = provider.inner.clock.now();
    let claims = token.and_then(|token| {
        let memory = provider.memory();
        memory
            .sign_ins
            .get(token)
            .filter(|sign_in| sign_in.expires_at > now)
            .map(|found| found.person.claims())
    });
    if let Some(claims) = claims {
        return json_answer(StatusCode::OK, &claims, []);
    }
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    let body = json!({"error": "invalid_token"});
    json_answer(StatusCode::UNAUTHORIZED, &body, [(WWW_AUTHENTICATE, challenge)])
}

impl DemoProvider {
    /// `client_secret_basic` or `client_secret_post`, one of them.
    fn authenticate_client(&self, headers: &HeaderMap, form: &Params) -> Result<(), OAuthError> {
        let refused = || OAuthError::new(ErrorCode::InvalidClient, "client authentication failed");
        let posted = form.get("client_secret");
        let (id, secret) = match (headers.get(AUTHORIZATION), posted) {
            (Some(_), Some(_)) => return Err(invalid("the client authenticates in two ways")),
            (Some(header), None) => {
                let (id, secret) = basic(header).ok_or_else(refused)?;
                if form.get("client_id").is_some_and(|other| other != id) {
                    return Err(refused());
                }
                (id, secret)
            }
            (None, Some(secret)) => {
                let id = form.get("client_id").ok_or_else(refused)?;
                (id.to_owned(), Secret::new(secret.to_owned()))
            }
            (None, None) => return Err(refused()),
        };
        if id == self.inner.client_id && secret == self.inner.client_secret { Ok(()) } else { Err(refused()) }
    }

    fn exchange(&self, form: &Params) -> Result<Value, OAuthError> {
        match form.get("grant_type") {
            Some("authorization_code") => {}
            Some("refresh_token") => return self.refresh(form),
            Some(_) => {
                let text = "only authorization_code and refresh_token are supported";
                return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, text));
            }
            None => return Err(invalid("grant_type is missing")),
        }
        let code = form.get("code").ok_or_else(|| invalid("code is missing"))?;
        let now = self.inner.clock.now();
        // Taken out before it is looked at: whatever follows, it serves once.
        let code = self.memory().codes.remove(code).filter(|code| code.expires_at > now);
        let grant = |text| OAuthError::new(ErrorCode::InvalidGrant, text);
        let code = code.ok_or_else(|| grant("the code is unknown, used or expired"))?;
        if form.get("redirect_uri") != Some(&code.redirect_uri) {
            return Err(grant("redirect_uri is not the one of the authorization request"));
        }
        let proven = match (&code.challenge, form.get("code_verifier")) {
            (Some(challenge), Some(verifier)) => challenge.is_answered_by(verifier),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !proven {
            return Err(grant("code_verifier does not fit"));
        }
        let Code { person, authenticated_at, nonce, is_offline, .. } = code;
        self.mint(person, (authenticated_at, nonce), is_offline)
    }

    /// Each refresh token serves once, and brings the next.
    fn refresh(&self, form: &Params) -> Result<Value, OAuthError> {
        let token = form.get("refresh_token").ok_or_else(|| invalid("refresh_token is missing"))?;
        let now = self.inner.clock.now();
        let found = self.memory().refresh_tokens.remove(token).filter(|found| found.expires_at > now);
        let unknown =
            || OAuthError::new(ErrorCode::InvalidGrant, "the refresh token is unknown, used or expired");
        let Offline { person, authenticated_at, .. } = found.ok_or_else(unknown)?;
        self.mint(person, (authenticated_at, None), true)
    }

    fn mint(
        &self,
        person: Somebody,
        (authenticated_at, nonce): (Timestamp, Option<String>),
        is_offline: bool,
    ) -> Result<Value, OAuthError> {
        let now = self.inner.clock.now();
        let expires_at = now.plus(TOKEN_LIFE);
        let access_token = random::token();
        let mut claims = person.claims();
        let own = json!({
            "iss": self.inner.issuer, "aud": self.inner.client_id, "iat": now, "exp": expires_at,
            "auth_time": authenticated_at, "at_hash": at_hash(&access_token)
        });
        if let (Some(claims), Value::Object(own)) = (claims.as_object_mut(), own) {
            claims.extend(own);
            claims.extend(nonce.map(|nonce| ("nonce".to_owned(), Value::String(nonce))));
        }
        let id_token = self.inner.key.sign(&claims).map_err(|fault| {
            OAuthError::new(ErrorCode::ServerError, "the ID token cannot be signed").caused_by(fault)
        })?;
        let mut answer = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_LIFE.as_secs(),
            "scope": "openid email profile groups", "id_token": id_token
        });
        let mut memory = self.memory();
        if is_offline {
            let token = random::token();
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("refresh_token".to_owned(), Value::String(token.clone()));
            }
            memory.refresh_tokens.retain(|_, other| other.expires_at > now);
            let expires_at = now.plus(REFRESH_LIFE);
            let offline = Offline { person: person.clone(), authenticated_at, expires_at };
            memory.refresh_tokens.insert(token, offline);
        }
        memory.sign_ins.retain(|_, other| other.expires_at > now);
        memory.sign_ins.insert(access_token, SignIn { person, expires_at });
        Ok(answer)
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749 section 2.3.1).
fn basic(header: &HeaderValue) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |half: &str| {
        let pair = format!("={half}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decoded(id)?, Secret::new(decoded(secret)?)))
}

fn invalid(text: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, text)
}
