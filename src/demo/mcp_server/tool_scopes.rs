//! May this caller use this tool? Each needs a scope of its own, and which tool it is says the body.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::json;

use crate::resource_server::require;

use super::{LONGEST_BODY, needs};

/// Passes a request on if its caller may do what its body asks for.
pub(super) async fn ask(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LONGEST_BODY).await else {
        let body = json!({"error": "the body is too long, or broke off"});
        return (StatusCode::PAYLOAD_TOO_LARGE, Json(body)).into_response();
    };
    if let Err(refused) = require(&parts.extensions, &needs::of_body(&bytes).to_string()) {
        return refused.response().into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}
