//! Queries and forms as [`Params`]; repeated parameters are told apart later, by name.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::protocol::{ErrorCode, OAuthError, Params};

use super::answer::Failure;

/// Largest form or JSON body (SEC-072).
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// Secrets and one-time values that must not stand in a URL, where logs keep them (SEC-062).
const NEVER_IN_A_QUERY: [&str; 6] =
    ["client_secret", "client_assertion", "code", "code_verifier", "refresh_token", "token"];

/// The query's parameters.
pub(super) struct QueryParams(pub(super) Params);

impl<S: Sync> FromRequestParts<S> for QueryParams {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Params::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// The parameters of an `application/x-www-form-urlencoded` body.
pub(super) struct FormParams(pub(super) Params);

impl<S: Sync> FromRequest<S> for FormParams {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        check_type(request.headers(), "application/x-www-form-urlencoded")?;
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        if NEVER_IN_A_QUERY.iter().any(|name| query.all(name).next().is_some()) {
            let text = "send credentials in the body, never in the URL";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, text).into());
        }
        let body = read(request.into_body()).await?;
        Ok(Self(Params::parse(&body)))
    }
}

/// Refuses another media type with 415.
pub(super) fn check_type(headers: &HeaderMap, wanted: &str) -> Result<(), Failure> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let error = OAuthError::new(ErrorCode::InvalidRequest, format!("the body must be {wanted}"));
    Err(Failure::from(error).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// Reads a body up to 64 KiB; more is 413.
pub(super) async fn read(body: Body) -> Result<Bytes, Failure> {
    axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        let text = "the body is larger than 64 KiB, was cut off, or took longer than 10 s";
        let error = OAuthError::new(ErrorCode::InvalidRequest, text);
        Failure::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE)
    })
}
