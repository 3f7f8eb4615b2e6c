//! What the layer says itself.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use super::{Challenge, Refused};

/// The body of an answer that is the layer's own.
pub type AnswerBody = Full<Bytes>;

pub(super) fn json(status: StatusCode, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn error(status: StatusCode, error: &str) -> Response<AnswerBody> {
    let mut response = json(status, format!("{{\"error\":\"{error}\"}}").into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn challenged(challenge: &Challenge) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(challenge.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = error(status, challenge.error().unwrap_or("unauthorized"));
    if let Ok(value) = HeaderValue::from_str(challenge.www_authenticate()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    } else {
        tracing::error!("a challenge holds characters that no header can");
    }
    response
}

/// The keys are our fault: clients throw their tokens away on a 401 (PRIN-5).
pub(super) fn unavailable() -> Response<AnswerBody> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

pub(super) fn metadata(document: &Bytes, method: &Method) -> Response<AnswerBody> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
        return response;
    }
    json(StatusCode::OK, document.clone())
}

pub(super) fn not_found() -> Response<AnswerBody> {
    json(StatusCode::NOT_FOUND, Bytes::from_static(b"{\"error\":\"not_found\"}"))
}

impl Refused {
    /// The answer: the challenge, or 500 where nothing stands in front.
    #[must_use]
    pub fn response(&self) -> Response<AnswerBody> {
        match self {
            Self::Challenge(challenge) => challenged(challenge),
            Self::Unchecked => error(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}
