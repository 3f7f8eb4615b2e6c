//! The front page, its files, and the health checks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::broker::Broker;
use crate::pages::{IndexPage, ServerView, assets, csp};
use crate::protocol::OAuthError;

use super::answer;

/// `GET /`: what this is.
pub(super) async fn index(State(broker): State<Arc<Broker>>) -> Response {
    let server = |resource: &'_ crate::domain::Resource| (resource.name.clone(), resource.url.to_string());
    let is_for_people =
        |resource: &&crate::domain::Resource| Some(&resource.url) != broker.admin_api.as_ref();
    let servers: Vec<(String, String)> = broker.resources.iter().filter(is_for_people).map(server).collect();
    let page = IndexPage {
        base: broker.issuer.path(),
        issuer: broker.issuer.as_str(),
        servers: servers.iter().map(|(name, url)| ServerView { name, url }).collect(),
    };
    answer::page(StatusCode::OK, csp::PLAIN, page.render())
}

/// A file of the pages. Its name changes with its content, so it is cached for good.
pub(super) async fn asset(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    let path = request.uri().path();
    let bare = path.strip_prefix(broker.issuer.path()).unwrap_or(path);
    let Some(asset) = assets::find(bare) else {
        return answer::not_found(State(broker), request).await;
    };
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

/// The process answers.
pub(super) async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The store answers, too.
pub(super) async fn readyz(State(broker): State<Arc<Broker>>) -> Response {
    match broker.store.ping().await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(fault) => answer::Failure::from(OAuthError::unavailable(fault)).into_response(),
    }
}
