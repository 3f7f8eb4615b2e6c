//! The sign-in page and the way back with a code (OpenID Connect Core section 3.1.2).
//!
//! Nothing is stored before a person is chosen: the page carries the request along, and it is
//! checked again when it comes back.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};

use crate::protocol::{ErrorCode, RedirectUri, S256Challenge};
use crate::secret::random;

use super::params::{Params, Repeated};
use super::people::Somebody;
use super::{CODE_LIFE, Code, DemoProvider, page};

/// A request that may be answered with a code.
struct Request {
    back: Back,
    nonce: Option<String>,
    challenge: Option<S256Challenge>,
    is_offline: bool,
}

/// The way back to the client; both halves of it were checked.
struct Back {
    redirect_uri: RedirectUri,
    state: Option<String>,
}

/// Where client and redirect URI are not both known, a person reads what is wrong; otherwise the
/// client does (RFC 6749 section 4.1.2.1).
enum Refusal {
    Show(String),
    Return(Back, ErrorCode, &'static str),
}

/// `GET /authorize`.
pub(super) async fn show(State(provider): State<DemoProvider>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    match provider.check(&query) {
        Ok(_) => page::sign_in(&query),
        Err(refusal) => provider.refuse(refusal),
    }
}

/// `POST /authorize`: the person was chosen.
pub(super) async fn choose(State(provider): State<DemoProvider>, body: String) -> Response {
    let Ok(form) = Params::parse(&body) else {
        return page::fault("The form names something twice.");
    };
    let request = match provider.check(form.get("request").unwrap_or_default()) {
        Ok(request) => request,
        Err(refusal) => return provider.refuse(refusal),
    };
    let Some(person) = form.get("person").and_then(Somebody::find) else {
        let refusal = Refusal::Return(request.back, ErrorCode::AccessDenied, "nobody was chosen");
        return provider.refuse(refusal);
    };
    let code = provider.issue_code(person, &request);
    provider.go_back(&request.back, &[("code", &code)])
}

impl DemoProvider {
    fn check(&self, query: &str) -> Result<Request, Refusal> {
        let params = Params::parse(query)
            .map_err(|Repeated(name)| Refusal::Show(format!("The request names {name} twice.")))?;
        let back = self.way_back(&params)?;
        match questions(&params) {
            Ok(challenge) => {
                let nonce = params.get("nonce").map(str::to_owned);
                let is_offline = lists(&params, "scope", "offline_access");
                Ok(Request { back, nonce, challenge, is_offline })
            }
            Err((code, text)) => Err(Refusal::Return(back, code, text)),
        }
    }

    fn way_back(&self, params: &Params) -> Result<Back, Refusal> {
        let show = |text: &str| Refusal::Show(text.to_owned());
        if params.get("client_id") != Some(&self.inner.client_id) {
            return Err(show("The request comes from an application that is not registered here."));
        }
        let known = |text: &&str| self.inner.redirect_uris.iter().any(|registered| registered == text);
        let redirect_uri = params
            .get("redirect_uri")
            .filter(known)
            .and_then(|text| RedirectUri::parse(text).ok())
            .ok_or_else(|| show("The request names an address to return to that is not registered."))?;
        Ok(Back { redirect_uri, state: params.get("state").map(str::to_owned) })
    }

    fn issue_code(&self, person: Somebody, request: &Request) -> String {
        let now = self.inner.clock.now();
        let code = random::token();
        let record = Code {
            person,
            redirect_uri: request.back.redirect_uri.as_str().to_owned(),
            nonce: request.nonce.clone(),
            challenge: request.challenge.clone(),
            authenticated_at: now,
            expires_at: now.plus(CODE_LIFE),
            is_offline: request.is_offline,
        };
        let mut memory = self.memory();
        memory.codes.retain(|_, other| other.expires_at > now);
        memory.codes.insert(code.clone(), record);
        code
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Show(text) => page::fault(&text),
            Refusal::Return(back, code, description) => {
                self.go_back(&back, &[("error", code.as_str()), ("error_description", description)])
            }
        }
    }

    /// Back to the client with an answer, its state, and `iss` (RFC 9207). 303, so that the
    /// browser does not post the form on (RFC 9700 section 4.12).
    fn go_back(&self, back: &Back, answer: &[(&str, &str)]) -> Response {
        let mut parameters = answer.to_vec();
        parameters.extend(back.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", &self.inner.issuer));
        let headers = [
            (LOCATION, back.redirect_uri.with_query(&parameters)),
            (CACHE_CONTROL, "no-store".to_owned()),
            (REFERRER_POLICY, "no-referrer".to_owned()),
        ];
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// Does this word stand in the list of this name?
fn lists(params: &Params, name: &str, word: &str) -> bool {
    params.get(name).is_some_and(|list| list.split(' ').any(|one| one == word))
}

/// What is asked, once it is known who asks: the PKCE challenge, or what is wrong.
fn questions(params: &Params) -> Result<Option<S256Challenge>, (ErrorCode, &'static str)> {
    if params.get("response_type") != Some("code") {
        return Err((ErrorCode::UnsupportedResponseType, "response_type must be code"));
    }
    if !lists(params, "scope", "openid") {
        return Err((ErrorCode::InvalidScope, "scope must contain openid"));
    }
    if params.get("request").is_some() {
        return Err((ErrorCode::RequestNotSupported, "request objects are not supported"));
    }
    if params.get("request_uri").is_some() {
        return Err((ErrorCode::RequestUriNotSupported, "request objects are not supported"));
    }
    if lists(params, "prompt", "none") {
        return Err((ErrorCode::LoginRequired, "nobody is signed in"));
    }
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err((ErrorCode::InvalidRequest, "code_challenge is missing")),
        (Some(challenge), Some("S256")) => match S256Challenge::parse(challenge) {
            Ok(challenge) => Ok(Some(challenge)),
            Err(_) => Err((ErrorCode::InvalidRequest, "code_challenge is malformed")),
        },
        (Some(_), _) => Err((ErrorCode::InvalidRequest, "code_challenge_method must be S256")),
    }
}
