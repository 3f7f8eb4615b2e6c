//! `POST /oauth/token`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, PRAGMA};

use crate::broker::Broker;
use crate::clients::Credentials;
use crate::protocol::{OAuthError, Params};

use super::answer::Failure;
use super::params::FormParams;

/// Redeems a code or a refresh token.
pub(super) async fn token(
    State(broker): State<Arc<Broker>>,
    headers: HeaderMap,
    FormParams(form): FormParams,
) -> Response {
    let answered = async {
        let credentials = credentials(&headers, &form)?;
        broker.tokens.token(&credentials, &form).await
    };
    match answered.await {
        Ok(tokens) => no_store(Json(tokens).into_response()),
        Err(error) => Failure::from(error).challenge_if(headers.contains_key(AUTHORIZATION)).into_response(),
    }
}

/// What the client proves itself with.
pub(super) fn credentials(headers: &HeaderMap, form: &Params) -> Result<Credentials, OAuthError> {
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or("unreadable"));
    Credentials::read(header, form)
}

/// RFC 6749 section 5.1 (SEC-063).
pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
