//! Errors by kind: JSON for programs, pages for people. A storage fault is 503, never the
//! caller's fault (PRIN-5); the log has the cause, the caller has the request's id.

use std::any::Any;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::access::{CannotDecide, Challenge, LimitStates, NoTenant};
use crate::broker::Broker;
use crate::clients::DocumentFault;
use crate::login::{ClientReturn, PageError};
use crate::pages::{ErrorPage, Problem, ReturnLink, csp};
use crate::protocol::{ErrorCode, OAuthError};

use super::RequestId;

/// Seconds after which a caller may try again where a part did not answer.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("5");
/// The same where there were too many: they are counted by the minute.
const IN_A_MINUTE: HeaderValue = HeaderValue::from_static("60");

/// An OAuth error as JSON (RFC 6749 section 5.2).
#[derive(Debug)]
pub(super) struct Failure {
    error: OAuthError,
    status: Option<StatusCode>,
    challenge: Option<&'static str>,
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self { error, status: None, challenge: None }
    }
}

impl Failure {
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// A client that used the header is told which scheme it failed (SEC-064).
    pub(super) fn challenge_if(mut self, basic_was_used: bool) -> Self {
        self.challenge = basic_was_used.then_some("Basic realm=\"gatelodge\"");
        self
    }

    /// Who brings no bearer token is told of the scheme, and who brings a wrong one that it does not hold
    /// (RFC 6750 section 3).
    pub(super) fn challenge_bearer(mut self, was_sent: bool) -> Self {
        self.challenge = Some(if was_sent { "Bearer error=\"invalid_token\"" } else { "Bearer" });
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = &self.error;
        let status = self.status.unwrap_or(match error.code() {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
            ErrorCode::AccessDenied => StatusCode::FORBIDDEN,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::SlowDown => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGrant
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget
            | ErrorCode::InvalidRedirectUri
            | ErrorCode::InvalidClientMetadata
            | ErrorCode::RequestNotSupported
            | ErrorCode::RequestUriNotSupported
            | ErrorCode::LoginRequired
            | ErrorCode::ConsentRequired => StatusCode::BAD_REQUEST,
        });
        match error.cause() {
            Some(cause) => tracing::error!(code = error.code().as_str(), %cause, "{}", error.description()),
            // Whoever is slowed down comes often; the line of the request says so, too.
            None if error.code() == ErrorCode::SlowDown => tracing::debug!("{}", error.description()),
            None => tracing::info!(code = error.code().as_str(), "{}", error.description()),
        }
        let body = json!({ "error": error.code().as_str(), "error_description": error.description() });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = self.challenge.map(HeaderValue::from_static);
            headers.extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
        }
        retry_later(&mut response);
        response
    }
}

/// When a caller may try again who was not served now.
pub(super) fn retry_later(response: &mut Response) {
    let after = match response.status() {
        StatusCode::SERVICE_UNAVAILABLE => TRY_AGAIN,
        StatusCode::TOO_MANY_REQUESTS => IN_A_MINUTE,
        _ => return,
    };
    response.headers_mut().insert(RETRY_AFTER, after);
}

/// A page with its content security policy.
pub(super) fn page(status: StatusCode, policy: &'static str, html: String) -> Response {
    let mut response = (status, Html(html)).into_response();
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    retry_later(&mut response);
    response
}

/// On to another address, after a GET or a POST: 303, never 307 (SEC-020).
pub(super) fn go(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(_) => {
            let mut response = Redirect::to(url).into_response();
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if let Some(location) = headers.get_mut(LOCATION) {
                location.set_sensitive(true);
            }
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What went wrong in front of a person, as a page.
pub(super) fn problem(broker: &Broker, error: &PageError, request: &RequestId) -> Response {
    let (problem, detail, back) = words(error);
    log(error, problem);
    let approval = if let PageError::AwaitsApproval(code) = error { Some(code.as_str()) } else { None };
    // Only here is there somebody who can change it.
    let asks = matches!(problem, Problem::NotAdmitted | Problem::AwaitsApproval);
    let shown = ErrorPage {
        detail: detail.as_deref(),
        approval,
        contact: broker.contact.as_deref().filter(|_| asks),
        request_id: Some(&request.0),
        return_to: back.map(|back| link(back, None)),
        ..ErrorPage::of(broker.issuer.path(), problem)
    };
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::BAD_REQUEST);
    page(status, csp::PLAIN, shown.render())
}

/// A fault of ours or of an upstream is for the operator; the rest is everyday life.
fn log(error: &PageError, problem: Problem) {
    if let PageError::Unavailable(fault) = error {
        tracing::error!(%fault, "a store fault in front of a person");
    } else if let PageError::ClientDocument(fault) = error {
        tracing::warn!(%fault, "a client's metadata document cannot be used");
    } else if let PageError::UpstreamUnavailable(_, fault) = error {
        tracing::warn!(%fault, "a sign-in failed");
    } else if let PageError::UpstreamRefused(_, fault) = error {
        tracing::warn!(%fault, "a sign-in failed");
    } else if let PageError::ForeignAnswer(fault) = error {
        tracing::warn!(%fault, "a sign-in failed");
    } else {
        tracing::info!(?problem, "a page of error");
    }
}

/// Which page, what somebody else said about it, and the way back.
fn words(error: &PageError) -> (Problem, Option<String>, Option<&ClientReturn>) {
    match error {
        PageError::UnknownClient => (Problem::UnknownClient, None, None),
        PageError::ClientDocument(fault @ DocumentFault::Busy(_)) => {
            (Problem::ClientDocumentUnavailable, Some(fault.to_string()), None)
        }
        PageError::ClientDocument(DocumentFault::Unreachable(_)) => {
            (Problem::ClientDocumentUnavailable, None, None)
        }
        PageError::Unavailable(_) | PageError::ClientDocument(DocumentFault::Store(_)) => {
            (Problem::Unavailable, None, None)
        }
        // Our own words about a public document, for its author.
        PageError::ClientDocument(fault) => (Problem::ClientDocument, Some(fault.to_string()), None),
        PageError::NotAdmitted => (Problem::NotAdmitted, None, None),
        PageError::AwaitsApproval(_) => (Problem::AwaitsApproval, None, None),
        PageError::TooManySignIns => (Problem::TooManySignIns, None, None),
        PageError::BadRedirect(mismatch) => (Problem::BadRedirect, Some(mismatch.to_string()), None),
        PageError::BadRequest(text) => (Problem::BadRequest, Some(text.clone()), None),
        PageError::FormNotValid => (Problem::FormReplayed, None, None),
        PageError::LoginOver => (Problem::SignInOver, None, None),
        PageError::WrongBrowser => (Problem::WrongBrowser, None, None),
        PageError::UnknownUpstream => (Problem::NotFound, None, None),
        PageError::ForeignAnswer(_) => (Problem::ForeignAnswer, None, None),
        PageError::UpstreamUnavailable(back, _) => (Problem::UpstreamUnavailable, None, back.as_deref()),
        PageError::UpstreamRefused(back, _) => (Problem::UpstreamFailed, None, Some(back)),
        PageError::UpstreamReported { code, text, return_to } => {
            let said = text.as_ref().map_or_else(|| code.clone(), |text| format!("{code}: {text}"));
            (Problem::UpstreamFailed, Some(said), Some(return_to))
        }
    }
}

/// A link back to a client.
pub(super) fn link(back: &ClientReturn, client_name: Option<&str>) -> ReturnLink {
    ReturnLink::new(back.to(), client_name, &back.parameters().collect::<Vec<_>>())
}

/// Nothing here: a page for people, JSON for programs and for everything well-known (INT-05,
/// INT-07).
pub(super) async fn not_found(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    if wants_page(&request) {
        let html = ErrorPage::of(broker.issuer.path(), Problem::NotFound).render();
        return page(StatusCode::NOT_FOUND, csp::PLAIN, html);
    }
    json(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}

/// The same for programs alone.
pub(super) fn nothing_here() -> Response {
    json(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}

/// A method that this address does not have (SEC-034, SEC-062).
pub(super) async fn method_not_allowed() -> Response {
    let text = "this address does not take this method";
    json(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text)
}

/// A `Host` that is not ours.
pub(super) fn wrong_host(broker: &Broker, request: &Request) -> Response {
    let status = StatusCode::MISDIRECTED_REQUEST;
    if wants_page(request) {
        return page(status, csp::PLAIN, ErrorPage::of(broker.issuer.path(), Problem::WrongHost).render());
    }
    let text =
        "this server does not answer to that Host; pass the public one on, or list it in allowed_hosts";
    json(status, "invalid_request", text)
}

/// A bug of ours. The panic's text stays in the log.
#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
pub(super) fn after_panic(panic: Box<dyn Any + Send + 'static>) -> http::Response<axum::body::Body> {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!(panic = text.as_deref().unwrap_or("?"), "a request panicked");
    json(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "an unexpected fault; the log has more")
}

/// A request to a protected server that may not pass, and how it could.
pub(super) fn challenged(challenge: &Challenge) -> Response {
    let status = StatusCode::from_u16(challenge.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = json(status, challenge.error().unwrap_or("unauthorized"), "see WWW-Authenticate");
    match HeaderValue::from_str(challenge.www_authenticate()) {
        Ok(value) => {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        Err(_) => tracing::error!("a challenge holds characters that no header can"),
    }
    response
}

/// A request for no tenant, whose caller may use the server. The text names no tenant.
pub(super) fn no_tenant(refusal: &NoTenant) -> Response {
    let (status, error) = match refusal {
        NoTenant::Lacking(challenge) => return challenged(challenge),
        NoTenant::Unnamed(_) | NoTenant::Malformed(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        NoTenant::Unknown => (StatusCode::FORBIDDEN, "access_denied"),
    };
    json(status, error, &refusal.to_string())
}

/// The store is our fault: clients throw their tokens away on a 401 (PRIN-5).
pub(super) fn undecided(fault: &CannotDecide) -> Response {
    tracing::error!(%fault, "a request to a protected server cannot be decided about");
    try_again()
}

/// A fault of ours that may pass.
pub(super) fn try_again() -> Response {
    let text = "try again in a moment";
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text);
    retry_later(&mut response);
    response
}

/// More came than may (RFC 6585 section 4).
pub(super) fn too_many(limits: &LimitStates) -> Response {
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, "slow_down", "too many requests");
    response.headers_mut().insert(RETRY_AFTER, limits.retry_after().into());
    with_limits(response, limits)
}

/// Tells how much is left.
pub(super) fn with_limits(mut response: Response, limits: &LimitStates) -> Response {
    for (name, value) in limits.headers().into_iter().flatten() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// An error for a program.
pub(super) fn json(status: StatusCode, error: &str, text: &str) -> Response {
    let mut response = (status, Json(json!({ "error": error, "error_description": text }))).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn wants_page(request: &Request) -> bool {
    !request.uri().path().contains("/.well-known/") && accepts_html(request.headers())
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
