//! `POST /oauth/token`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::broker::Broker;
use crate::clients::Credentials;
use crate::protocol::{OAuthError, Params};

use super::address::Address;
use super::answer::Failure;
use super::params::FormParams;

/// Redeems a code or a refresh token.
pub(super) async fn token(
    State(broker): State<Arc<Broker>>,
    Address(address): Address,
    headers: HeaderMap,
    FormParams(form): FormParams,
) -> Response {
    let (broker, form) = (&broker, &form);
    answer_client((address, &headers), form, |who| async move { broker.tokens.token(&who, form).await }).await
}

/// What token, revocation and introspection have in common: who is calling, an answer that nobody
/// keeps, and the challenge for a header that did not hold.
pub(super) async fn answer_client<T, F>(
    (address, headers): (IpAddr, &HeaderMap),
    form: &Params,
    work: impl FnOnce(Credentials) -> F,
) -> Response
where
    T: Serialize,
    F: Future<Output = Result<T, OAuthError>>,
{
    let answered = match credentials(address, headers, form) {
        Ok(credentials) => work(credentials).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(answer) => no_store(json(&answer)),
        Err(error) => Failure::from(error).challenge_if(headers.contains_key(AUTHORIZATION)).into_response(),
    }
}

/// Bytes that an answer with tokens fits into.
const USUAL_ANSWER: usize = 2048;

/// As JSON, in one piece.
fn json(answer: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    match serde_json::to_writer(&mut body, answer) {
        Ok(()) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What the client proves itself with.
fn credentials(address: IpAddr, headers: &HeaderMap, form: &Params) -> Result<Credentials, OAuthError> {
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or("unreadable"));
    Credentials::read(Some(address), header, form)
}

/// RFC 6749 section 5.1 (SEC-063).
pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
