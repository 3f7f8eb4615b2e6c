//! `POST /oauth/introspect` (RFC 7662).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::broker::Broker;

use super::answer::Failure;
use super::params::FormParams;
use super::token::{credentials, no_store};

/// Tells a protected server whether a token counts.
pub(super) async fn introspect(
    State(broker): State<Arc<Broker>>,
    headers: HeaderMap,
    FormParams(form): FormParams,
) -> Response {
    let answered = async {
        let credentials = credentials(&headers, &form)?;
        broker.introspection.introspect(&credentials, &form).await
    };
    match answered.await {
        Ok(told) => no_store(Json(told).into_response()),
        Err(error) => Failure::from(error).challenge_if(headers.contains_key(AUTHORIZATION)).into_response(),
    }
}
