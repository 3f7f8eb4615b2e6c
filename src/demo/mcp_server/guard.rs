//! May this request pass? Asked before its method, its headers or its body are looked at
//! (INT-17).

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::access::{Caller, Challenge, Guarded, Presented, require};

use super::{McpServer, json_answer, needs};

/// Longest body that is read.
pub(super) const LONGEST_BODY: usize = 1024 * 1024;

impl McpServer {
    /// Answers with a challenge, or passes the request on to the SDK: without its token
    /// (SEC-147), with what the token said.
    pub(super) async fn guard(&self, guarded: &Guarded, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let token = match Presented::read(&parts.headers, parts.uri.query(), None) {
            Ok(Presented::Bearer(token)) => token,
            Ok(Presented::Nothing | Presented::ApiKey(_) | Presented::ApiKeyPair { .. }) => {
                return challenged(&Challenge::missing(guarded));
            }
            Err(_) => return challenged(&Challenge::two_methods(guarded)),
        };
        let Ok(verifier) = self.inner.keys.verifier_for(token).await else {
            return unavailable();
        };
        let now = self.inner.clock.now();
        let caller = match verifier.verify(token, &guarded.resource, now) {
            Ok(access) => Caller::from(access),
            Err(reason) => {
                tracing::debug!(%reason, resource = %guarded.resource, "an access token is refused");
                return challenged(&Challenge::invalid_token(guarded));
            }
        };
        let body = if parts.method == Method::POST {
            let Ok(bytes) = to_bytes(body, LONGEST_BODY).await else {
                let body = json!({"error": "the body is too long, or broke off"});
                return json_answer(StatusCode::PAYLOAD_TOO_LARGE, &body);
            };
            if let Err(challenge) = require(&caller, guarded, &needs::of_body(&bytes)) {
                return challenged(&challenge);
            }
            Body::from(bytes)
        } else {
            body
        };
        parts.headers.remove(AUTHORIZATION);
        parts.extensions.insert(caller);
        parts.extensions.insert(guarded.resource.clone());
        self.inner.service.handle(Request::from_parts(parts, body)).await.map(Body::new)
    }
}

fn challenged(challenge: &Challenge) -> Response {
    let status = StatusCode::from_u16(challenge.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let body = json!({"error": challenge.error().unwrap_or("unauthorized")});
    let mut response = json_answer(status, &body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(challenge.www_authenticate()) {
        headers.insert(WWW_AUTHENTICATE, value);
    } else {
        tracing::error!("a challenge holds characters that no header can");
    }
    response
}

/// The keys are our fault: clients throw their tokens away on a 401 (PRIN-5).
fn unavailable() -> Response {
    let body = json!({"error": "temporarily_unavailable"});
    let answer = json_answer(StatusCode::SERVICE_UNAVAILABLE, &body);
    ([(RETRY_AFTER, "5"), (CACHE_CONTROL, "no-store")], answer).into_response()
}
