//! CORS for endpoints that programs in a browser call: any origin, never credentials
//! (INT-68 to INT-70). The broker's machine endpoints and the demo's MCP server share it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue,
};
use http::{Method, StatusCode};

const REQUEST_HEADERS: &str = "Authorization, Content-Type, Accept, MCP-Protocol-Version, \
                               Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID";
const RESPONSE_HEADERS: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version";

/// The whole of it as a layer.
pub(super) async fn allow_any_origin(request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS { open(preflight()) } else { open(next.run(request).await) }
}

/// The answer to `OPTIONS`, token or not.
#[must_use]
pub fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Opens an answer, errors included, to any origin.
#[must_use]
pub fn open(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    response
}
