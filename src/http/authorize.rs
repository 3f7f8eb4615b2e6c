//! The browser's endpoints: authorize, consent, callback.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};

use crate::broker::Broker;
use crate::domain::LoginId;
use crate::login::{
    AuthorizeError, Choice, ConsentAsked, ConsentForm, NoAccess, NoAccessReason, Notice, PageError, Returned,
    Step, UpstreamAnswer, Visitor,
};
use crate::pages::{
    ClientView, ConsentPage, FindProblem, FindView, NoAccessPage, ReturnPage, ScopeView, ServerView,
    SessionNews, SignedInView, UpstreamView, csp,
};
use crate::protocol::Params;

use super::address::Address;
use super::params::{FormParams, QueryParams};
use super::{RequestId, answer, cookies, host};

/// `GET /oauth/authorize`.
pub(super) async fn authorize(
    State(broker): State<Arc<Broker>>,
    Extension(request): Extension<RequestId>,
    Address(address): Address,
    headers: HeaderMap,
    QueryParams(params): QueryParams,
) -> Response {
    if !host::is_for_a_window(&headers) {
        let text = "this address is for a window of its own, and not for a part of another page".to_owned();
        return answer::problem(&broker, &PageError::BadRequest(text), &request);
    }
    let [form, session] = visitor(&broker, &headers);
    let visitor = Visitor { address, form: form.as_deref(), session: session.as_deref() };
    match broker.login.begin(&params, visitor).await {
        Ok(step) => follow(&broker, step),
        Err(AuthorizeError::Show(error)) => answer::problem(&broker, &error, &request),
        // A client that anyone can register must not be able to bounce people (SEC-019).
        Err(AuthorizeError::Return { back, client_name, error }) if back.to().needs_interaction_first() => {
            let page = ReturnPage {
                base: broker.issuer.path(),
                code: error.code(),
                description: error.description(),
                return_to: answer::link(&back, client_name.as_deref()),
            };
            answer::page(StatusCode::OK, csp::PLAIN, page.render())
        }
        Err(AuthorizeError::Return { back, .. }) => answer::go(&back.url()),
    }
}

/// The cookies of the form and of the session.
fn visitor(broker: &Broker, headers: &HeaderMap) -> [Option<String>; 2] {
    let names = [cookies::form_name(&broker.issuer), cookies::session_name(&broker.issuer)];
    names.map(|name| cookies::read(headers, &name))
}

/// `HEAD` looks and changes nothing (SEC-026).
pub(super) async fn head() -> Response {
    StatusCode::OK.into_response()
}

/// `POST /oauth/consent`.
pub(super) async fn consent(
    State(broker): State<Arc<Broker>>,
    Extension(request): Extension<RequestId>,
    Address(address): Address,
    headers: HeaderMap,
    FormParams(params): FormParams,
) -> Response {
    let [form, session] = visitor(&broker, &headers);
    let visitor = Visitor { address, form: form.as_deref(), session: session.as_deref() };
    let from_our_page = host::is_from_our_page(&broker.issuer, &headers);
    let step = match read_consent(&params, visitor).filter(|_| from_our_page) {
        Some(form) => broker.login.consent(form).await,
        None => Err(PageError::FormNotValid),
    };
    step.map_or_else(|error| answer::problem(&broker, &error, &request), |step| follow(&broker, step))
}

/// The form as our page sends it: one button, the rest once each.
fn read_consent<'a>(params: &'a Params, visitor: Visitor<'a>) -> Option<ConsentForm<'a>> {
    let one = |name| params.one(name).ok().flatten();
    params.check_repeats().ok()?;
    let choice = match (one("upstream"), one("action")) {
        (Some(upstream), None) => Choice::Upstream(upstream),
        (None, Some("find")) => Choice::Find,
        (None, Some("allow")) => Choice::Allow,
        (None, Some("deny")) => Choice::Deny,
        _ => return None,
    };
    let [login, form_token] = [one("login")?, one("form_token")?];
    Some(ConsentForm { login, form_token, visitor, choice, email: one("email") })
}

/// `GET /oauth/callback/{upstream}`.
pub(super) async fn callback(
    State(broker): State<Arc<Broker>>,
    Extension(request): Extension<RequestId>,
    Path(upstream): Path<String>,
    headers: HeaderMap,
    QueryParams(params): QueryParams,
) -> Response {
    let cookie = |login: &LoginId| cookies::read(&headers, &cookies::login_name(&broker.issuer, login));
    let [_, session] = visitor(&broker, &headers);
    let session = session.as_deref();
    let arrived = UpstreamAnswer { upstream: &upstream, params: &params, cookie: &cookie, session };
    let Returned { used_up, step } = broker.login.upstream_return(arrived).await;
    let mut response =
        step.map_or_else(|error| answer::problem(&broker, &error, &request), |step| follow(&broker, step));
    let name = used_up.map(|login| cookies::login_name(&broker.issuer, &login));
    if let Some(cleared) = name.and_then(|name| cookies::clear(&broker.issuer, &name)) {
        response.headers_mut().append(SET_COOKIE, cleared);
    }
    response
}

fn follow(broker: &Broker, step: Step) -> Response {
    match step {
        Step::ShowConsent(asked) => show_consent(broker, &asked),
        Step::GoUpstream { url, login, cookie } => {
            let mut response = answer::go(&url);
            let name = cookies::login_name(&broker.issuer, &login);
            if let Some(value) = cookies::set(&broker.issuer, &name, &cookie) {
                response.headers_mut().append(SET_COOKIE, value);
            }
            response
        }
        Step::ReturnToClient { back, session } => {
            let mut response = answer::go(&back.url());
            let name = cookies::session_name(&broker.issuer);
            if let Some(value) = session.and_then(|session| cookies::set(&broker.issuer, &name, &session)) {
                response.headers_mut().append(SET_COOKIE, value);
            }
            response
        }
        Step::ShowNoAccess(no_access) => show_no_access(broker, &no_access),
    }
}

fn show_consent(broker: &Broker, asked: &ConsentAsked) -> Response {
    let request = &asked.request;
    let Some(resource) = broker.resources.find(&request.resource) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let scopes = request.scopes.iter();
    let page = ConsentPage {
        base: broker.issuer.path(),
        login: asked.login.as_str(),
        form_token: asked.form_token.expose(),
        client: ClientView {
            id: request.client_id.as_str(),
            name: asked.client_name.as_deref(),
            self_registered: asked.self_registered,
        },
        redirect: &request.redirect_uri,
        server: ServerView { name: &resource.name, url: resource.url.as_str() },
        scopes: scopes
            .map(|scope| ScopeView {
                name: scope.as_str(),
                description: resource.describe(scope),
                is_withheld: asked.foreseen.as_ref().is_some_and(|foreseen| !foreseen.contains(scope)),
            })
            .collect(),
        upstreams: broker
            .login
            .upstreams
            .iter()
            .map(|upstream| UpstreamView { id: upstream.id().as_str(), name: upstream.label() })
            .collect(),
        find: broker.login.upstreams.can_be_found().then(|| FindView {
            email: request.login_hint.as_deref(),
            problem: asked.notice.and_then(|notice| match notice {
                Notice::NoAddress => Some(FindProblem::NoAddress),
                Notice::UnknownDomain => Some(FindProblem::UnknownDomain),
                Notice::SessionOver | Notice::AnotherPerson | Notice::SignInAgain => None,
            }),
        }),
        signed_in: asked
            .signed_in
            .as_ref()
            .map(|who| SignedInView { person: &who.person, provider: &who.upstream }),
        news: asked.notice.and_then(|notice| match notice {
            Notice::SessionOver => Some(SessionNews::Over),
            Notice::AnotherPerson => Some(SessionNews::AnotherPerson),
            Notice::SignInAgain => Some(SessionNews::SignInAgain),
            Notice::NoAddress | Notice::UnknownDomain => None,
        }),
    };
    let mut response = answer::page(StatusCode::OK, csp::FORM, page.render());
    let name = cookies::form_name(&broker.issuer);
    if let Some(value) = cookies::set(&broker.issuer, &name, &asked.browser) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

fn show_no_access(broker: &Broker, no_access: &NoAccess) -> Response {
    let other;
    let reasons: Vec<&str> = match &no_access.reason {
        NoAccessReason::Nothing(why) => vec![why.as_str()],
        NoAccessReason::NotWhatWasAsked { asked, granted } => {
            other = format!("The application asks for {asked}; you may have {granted}.");
            vec![&other]
        }
    };
    let page = NoAccessPage {
        base: broker.issuer.path(),
        person: &no_access.person,
        provider: &no_access.upstream,
        server: ServerView { name: &no_access.resource, url: no_access.resource_url.as_str() },
        reasons,
        contact: broker.contact.as_deref(),
        another_account: Some(&no_access.another_account),
        return_to: Some(answer::link(&no_access.return_to, no_access.client_name.as_deref())),
    };
    answer::page(StatusCode::FORBIDDEN, csp::PLAIN, page.render())
}
