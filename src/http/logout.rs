//! Signing out: ask, end, and the way back from an upstream's sign-out page.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};

use crate::broker::Broker;
use crate::login::{PageError, SignOut, SignOutForm};
use crate::pages::{SignOutPage, SignedInView, SignedOutPage, csp};

use super::params::{FormParams, QueryParams};
use super::{RequestId, answer, cookies, host};

/// `GET /oauth/logout`.
pub(super) async fn ask(
    State(broker): State<Arc<Broker>>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    let session = session(&broker, &headers);
    let next = broker.login.ask_sign_out(session.as_deref()).await;
    next.map_or_else(|error| answer::problem(&broker, &error, &request), |next| follow(&broker, &next))
}

/// `POST /oauth/logout`.
pub(super) async fn sign_out(
    State(broker): State<Arc<Broker>>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    FormParams(params): FormParams,
) -> Response {
    // Before anything else: an answer to a foreign form must not clear the cookie either.
    if !host::is_from_our_page(&broker.issuer, &headers) || params.check_repeats().is_err() {
        return answer::problem(&broker, &PageError::FormNotValid, &request);
    }
    let session = session(&broker, &headers);
    let one = |name| params.one(name).ok().flatten();
    let form = SignOutForm {
        form_token: one("form_token"),
        session: session.as_deref(),
        end_access: one("end_access") == Some("yes"),
    };
    let next = match broker.login.sign_out(form).await {
        Ok(next) => next,
        Err(error) => return answer::problem(&broker, &error, &request),
    };
    let mut response = follow(&broker, &next);
    let name = cookies::session_name(&broker.issuer);
    if let Some(cleared) = cookies::clear(&broker.issuer, &name) {
        response.headers_mut().append(SET_COOKIE, cleared);
    }
    response
}

/// `GET /oauth/logout/done`.
pub(super) async fn done(
    State(broker): State<Arc<Broker>>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    QueryParams(params): QueryParams,
) -> Response {
    let session = session(&broker, &headers);
    let state = params.one("state").ok().flatten();
    let next = broker.login.signed_out(state, session.as_deref()).await;
    next.map_or_else(|error| answer::problem(&broker, &error, &request), |next| follow(&broker, &next))
}

fn session(broker: &Broker, headers: &HeaderMap) -> Option<String> {
    cookies::read(headers, &cookies::session_name(&broker.issuer))
}

fn follow(broker: &Broker, next: &SignOut) -> Response {
    let base = broker.issuer.path();
    match next {
        SignOut::Ask { who, form_token } => {
            let who = SignedInView { person: &who.person, provider: &who.upstream };
            let page = SignOutPage { base, who, form_token: form_token.expose() };
            answer::page(StatusCode::OK, csp::FORM, page.render())
        }
        SignOut::Done { also_at } => {
            let page = SignedOutPage { base, also_at: also_at.as_deref() };
            answer::page(StatusCode::OK, csp::PLAIN, page.render())
        }
        SignOut::GoUpstream { url } => answer::go(url),
    }
}
