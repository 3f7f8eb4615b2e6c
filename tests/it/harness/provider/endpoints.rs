//! What the test provider answers over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt as _};
use gatelodge::protocol::S256Challenge;
use gatelodge::secret::random;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::super::keys::{object, patched};
use super::{
    CLIENT_ID, CLIENT_SECRET, Code, Documents, ResponseIss, Shared, TokenAnswer, TokenRequest, refresh,
    tokens,
};

type Provider = State<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>, below: &str) -> Router {
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/userinfo", get(userinfo))
        .route("/graph/me/transitiveMemberOf/microsoft.graph.group", get(graph))
        .with_state(shared);
    if below.is_empty() { router } else { Router::new().nest(below, router) }
}

/// A page of groups; each names the next one.
async fn graph(State(shared): Provider, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let mut state = shared.state();
    state.fetches.graph += 1;
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = token.strip_prefix("Bearer ").is_some_and(|token| state.sign_ins.contains_key(token));
    let Some(pages) = state.graph.as_ref().filter(|_| known) else {
        return json_answer(
            StatusCode::FORBIDDEN,
            &json!({"error": {"code": "Authorization_RequestDenied"}}),
        );
    };
    let query = pairs(query.unwrap_or_default().as_bytes());
    let at: usize = query.get("$skiptoken").map_or(0, |at| at.parse().expect("a page"));
    json_answer(StatusCode::OK, &pages[at])
}

async fn discovery(State(shared): Provider) -> Response {
    let hangs = shared.state().misbehaviour.documents == Documents::Hang;
    if hangs {
        std::future::pending::<()>().await;
    }
    let mut state = shared.state();
    state.fetches.discovery += 1;
    if let Some(answer) = misled(&state.misbehaviour.documents, &shared.issuer) {
        return answer;
    }
    if state.misbehaviour.discovery_fails {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let (issuer, base) = (&shared.issuer, shared.issuer.trim_end_matches('/'));
    let mut document = object(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/userinfo"),
        "jwks_uri": format!("{base}/jwks"),
        "scopes_supported": ["openid", "email", "profile", "groups"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true
    }));
    if state.refresh.is_offered {
        let scopes = ["openid", "email", "profile", "groups", "offline_access"];
        document.insert("scopes_supported".into(), json!(scopes));
    }
    json_answer(StatusCode::OK, &Value::Object(patched(document, &state.misbehaviour.discovery)))
}

/// A document as a provider should not answer.
fn misled(how: &Documents, issuer: &str) -> Option<Response> {
    let json = [(CONTENT_TYPE, "application/json")];
    Some(match how {
        Documents::Good | Documents::Hang => return None,
        Documents::Huge => (json, format!("{{\"x\":\"{}\"}}", "x".repeat(2 * 1024 * 1024))).into_response(),
        Documents::Redirect(to) => {
            (StatusCode::FOUND, [(LOCATION, format!("{to}/.well-known/openid-configuration"))])
                .into_response()
        }
        Documents::Nonsense => (json, format!("<html>{issuer}")).into_response(),
        // The head and the first bytes come, and then nothing more.
        Documents::Drip => {
            let first = stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"{\"issuer\"")) });
            (json, Body::from_stream(first.chain(stream::pending()))).into_response()
        }
    })
}

async fn jwks(State(shared): Provider) -> Response {
    let mut state = shared.state();
    state.fetches.jwks += 1;
    if state.misbehaviour.jwks_fails {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if state.misbehaviour.no_keys {
        return json_answer(StatusCode::OK, &json!({"keys": []}));
    }
    let mut keys = json!([state.es256.jwk(), state.rs256.jwk()]);
    if let Some(issuer) = &state.misbehaviour.key_issuer {
        keys.as_array_mut().expect("a list").iter_mut().for_each(|key| key["issuer"] = json!(issuer));
    }
    json_answer(StatusCode::OK, &json!({ "keys": keys }))
}

/// Signs the chosen person in at once.
async fn authorize(State(shared): Provider, RawQuery(query): RawQuery) -> Response {
    let query = pairs(query.unwrap_or_default().as_bytes());
    let mut state = shared.state();
    state.authorize_requests.push(query.clone());
    let Some(redirect_uri) = query.get("redirect_uri") else {
        return (StatusCode::BAD_REQUEST, "no redirect_uri").into_response();
    };
    if query.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
        return (StatusCode::BAD_REQUEST, "unknown client").into_response();
    }
    let mut answer = form_urlencoded::Serializer::new(String::new());
    if state.refresh.is_disabled(&state.person.sub) {
        answer.append_pair("error", "access_denied");
    } else if let Some((error, description)) = &state.misbehaviour.authorize_error {
        answer.append_pair("error", error).append_pair("error_description", description);
    } else {
        let code = format!("upstream-code-{}", random::token());
        answer.append_pair("code", &code);
        state.given_out.push(code.clone());
        let person = state.person.clone();
        let is_offline = query.get("access_type").is_some_and(|kind| kind == "offline")
            || query
                .get("scope")
                .is_some_and(|scopes| scopes.split(' ').any(|scope| scope == "offline_access"));
        state.codes.insert(
            code,
            Code {
                person,
                redirect_uri: redirect_uri.clone(),
                nonce: query.get("nonce").cloned(),
                challenge: query.get("code_challenge").cloned(),
                is_offline,
            },
        );
    }
    if let Some(value) = query.get("state") {
        answer.append_pair("state", value);
    }
    match &state.misbehaviour.response_iss {
        ResponseIss::Correct => drop(answer.append_pair("iss", &shared.issuer)),
        ResponseIss::Wrong(other) => drop(answer.append_pair("iss", other)),
        ResponseIss::Missing => {}
    }
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    let location = format!("{redirect_uri}{separator}{}", answer.finish());
    (StatusCode::FOUND, [(LOCATION, location)]).into_response()
}

async fn token(State(shared): Provider, headers: HeaderMap, body: String) -> Response {
    let form = pairs(body.as_bytes());
    let answer = {
        let mut state = shared.state();
        let authorization_header = headers.contains_key(AUTHORIZATION);
        state.token_requests.push(TokenRequest { form: form.clone(), authorization_header });
        state.misbehaviour.token.clone()
    };
    match answer {
        TokenAnswer::ServerError => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the identity provider is on fire").into_response()
        }
        TokenAnswer::InvalidGrant => error("invalid_grant"),
        TokenAnswer::Code(code) => error(code),
        TokenAnswer::Error(text) => json_answer(
            StatusCode::BAD_REQUEST,
            &json!({"error": "invalid_grant", "error_description": text}),
        ),
        TokenAnswer::Hang => std::future::pending().await,
        TokenAnswer::Redirect(target) => {
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target)]).into_response()
        }
        TokenAnswer::RefreshHeld if !form["grant_type"].starts_with("refresh") => {
            redeem(&shared, &headers, &form, &answer)
        }
        TokenAnswer::Held | TokenAnswer::RefreshHeld => {
            shared.release().await;
            redeem(&shared, &headers, &form, &answer)
        }
        TokenAnswer::Tokens | TokenAnswer::Huge | TokenAnswer::NoIdToken => {
            redeem(&shared, &headers, &form, &answer)
        }
    }
}

fn redeem(
    shared: &Shared,
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
    answer: &TokenAnswer,
) -> Response {
    if !client_is_authenticated(headers, form) {
        return json_answer(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_client"}));
    }
    match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => {}
        Some("refresh_token") => {
            let refreshed = refresh::answer(shared, form, answer);
            let refused = || error("invalid_grant");
            return refreshed.map_or_else(refused, |body| json_answer(StatusCode::OK, &body));
        }
        _ => return error("unsupported_grant_type"),
    }
    let mut state = shared.state();
    let Some(code) = form.get("code").and_then(|code| state.codes.remove(code)) else {
        return error("invalid_grant");
    };
    let answered = code.challenge.as_deref().is_none_or(|challenge| {
        let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
        S256Challenge::parse(challenge).is_ok_and(|challenge| challenge.is_answered_by(verifier))
    });
    if !answered || form.get("redirect_uri") != Some(&code.redirect_uri) {
        return error("invalid_grant");
    }
    let access_token = format!("upstream-access-{}", random::token());
    let mut body = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 300});
    if *answer != TokenAnswer::NoIdToken {
        let id_token = tokens::id_token(shared, &state, &code.person, code.nonce.as_deref(), &access_token);
        body["id_token"] = json!(id_token);
        state.given_out.push(id_token);
    }
    if *answer == TokenAnswer::Huge {
        body["padding"] = json!("x".repeat(3 * 1024 * 1024));
    }
    if code.is_offline && state.refresh.is_offered {
        let token = state.refresh.begin(code.person.clone());
        body["refresh_token"] = json!(token);
        state.given_out.push(token);
    }
    state.given_out.push(access_token.clone());
    state.sign_ins.insert(access_token, code.person);
    json_answer(StatusCode::OK, &body)
}

async fn userinfo(State(shared): Provider, headers: HeaderMap) -> Response {
    let mut state = shared.state();
    state.fetches.userinfo += 1;
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let Some(person) = state.sign_ins.get(token) else {
        return json_answer(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}));
    };
    json_answer(StatusCode::OK, &Value::Object(patched(person.claims(), &state.misbehaviour.userinfo)))
}

/// `client_secret_basic` (form-decoded, RFC 6749 section 2.3.1) or `client_secret_post`.
fn client_is_authenticated(headers: &HeaderMap, form: &BTreeMap<String, String>) -> bool {
    let basic = headers.get(AUTHORIZATION).and_then(|value| {
        let encoded = value.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decoded = |text: &str| {
            let pair = format!("x={text}");
            form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
        };
        Some((decoded(id)?, decoded(secret)?))
    });
    let posted = || Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()));
    basic.or_else(posted).is_some_and(|(id, secret)| id == CLIENT_ID && secret == CLIENT_SECRET)
}

fn pairs(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn error(code: &str) -> Response {
    json_answer(StatusCode::BAD_REQUEST, &json!({"error": code}))
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
