//! CORS for the broker's machine endpoints.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::Method;

pub(super) use crate::cors::open;
pub(super) use crate::cors::{also_allow, preflight};

/// The whole of it as a layer.
pub(super) async fn allow_any_origin(request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS { open(preflight()) } else { open(next.run(request).await) }
}
