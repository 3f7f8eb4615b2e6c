//! Metadata and keys. Served from memory: no store, no upstream, no limit of rate (INT-08).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;

use crate::broker::Broker;

use super::{answer, proxied};

/// `/.well-known/oauth-authorization-server`, also appended to the issuer's path.
pub(super) async fn authorization_server(State(broker): State<Arc<Broker>>) -> Response {
    document(&broker.metadata())
}

/// The same with the issuer's path inserted (RFC 8414 section 3.1).
pub(super) async fn authorization_server_at(
    State(broker): State<Arc<Broker>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let named = path.trim_end_matches('/');
    if !named.is_empty() && broker.issuer.path().strip_prefix('/') == Some(named) {
        return document(&broker.metadata());
    }
    answer::not_found(State(broker), request).await
}

/// `/.well-known/oauth-protected-resource`: the server at the root, or the default one.
pub(super) async fn resource_default(state: State<Arc<Broker>>, request: Request) -> Response {
    resource(state, "", request).await
}

/// The same with the server's path inserted (RFC 9728 section 3.1).
pub(super) async fn resource_at(state: State<Arc<Broker>>, request: Request) -> Response {
    let marker = "/.well-known/oauth-protected-resource";
    let path = request.uri().path().split_once(marker).map_or("", |(_, path)| path).to_owned();
    resource(state, &path, request).await
}

/// The same appended to the server's path (INT-22).
pub(super) async fn resource_appended(state: State<Arc<Broker>>, request: Request) -> Response {
    let path = request.uri().path().split_once("/.well-known/").map_or("", |(path, _)| path).to_owned();
    resource(state, &path, request).await
}

async fn resource(State(broker): State<Arc<Broker>>, path: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match broker.resource_metadata(path, proxied::public_host(&broker, &parts).as_deref()) {
        Some(metadata) => document(&metadata),
        None => answer::not_found(State(broker), Request::from_parts(parts, body)).await,
    }
}

/// The public keys (SEC-138).
pub(super) async fn jwks(State(broker): State<Arc<Broker>>) -> Response {
    document(broker.keys.current().jwks())
}

fn document(content: &impl Serialize) -> Response {
    let mut response = Json(content).into_response();
    let cache = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response
}
