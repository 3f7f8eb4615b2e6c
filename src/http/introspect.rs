//! `POST /oauth/introspect` (RFC 7662).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::broker::Broker;

use super::address::Address;
use super::params::FormParams;
use super::token::answer_client;

/// Tells a protected server whether a token counts.
pub(super) async fn introspect(
    State(broker): State<Arc<Broker>>,
    Address(address): Address,
    headers: HeaderMap,
    FormParams(form): FormParams,
) -> Response {
    let (broker, form) = (&broker, &form);
    answer_client((address, &headers), form, |who| async move {
        broker.introspection.introspect(&who, form).await
    })
    .await
}
