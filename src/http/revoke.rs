//! `POST /oauth/revoke` (RFC 7009).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::json;

use crate::broker::Broker;

use super::answer::Failure;
use super::params::FormParams;
use super::token::{credentials, no_store};

/// Ends the grant behind a token.
pub(super) async fn revoke(
    State(broker): State<Arc<Broker>>,
    headers: HeaderMap,
    FormParams(form): FormParams,
) -> Response {
    let answered = async {
        let credentials = credentials(&headers, &form)?;
        broker.tokens.revoke(&credentials, &form).await
    };
    match answered.await {
        Ok(()) => no_store(Json(json!({})).into_response()),
        Err(error) => Failure::from(error).challenge_if(headers.contains_key(AUTHORIZATION)).into_response(),
    }
}
