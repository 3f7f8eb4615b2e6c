//! `POST /oauth/revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde_json::json;

use crate::broker::Broker;

use super::address::Address;
use super::params::FormParams;
use super::token::answer_client;

/// Ends the grant behind a token.
pub(super) async fn revoke(
    State(broker): State<Arc<Broker>>,
    Address(address): Address,
    headers: HeaderMap,
    FormParams(form): FormParams,
) -> Response {
    let (broker, form) = (&broker, &form);
    answer_client((address, &headers), form, |who| async move {
        broker.tokens.revoke(&who, form).await.map(|()| json!({}))
    })
    .await
}
