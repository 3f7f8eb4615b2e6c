//! Requests to protected servers that we stand in front of ourselves. They come here past the routes: by their
//! host and path. A proxy of ours may have put another `Host`; then it says in `X-Forwarded-Host` and
//! `-Proto` what was asked of it (SEC-151).

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use serde_json::json;

use crate::access::{Addressed, BadTarget, Decision, Passage, Target};
use crate::broker::Broker;
use crate::gateway::{Asker, Refused};

use super::params::LARGEST_BODY;
use super::router::RESOURCE_METADATA;
use super::watched::Opened;
use super::{RequestId, address, answer, asking, body, cors, host};

const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Where a request goes.
pub(super) enum Place<'b> {
    /// To a server that we stand in front of.
    Server(Addressed<'b>),
    /// To the name of one, and to nothing there.
    Nowhere,
    /// To the metadata of one.
    Metadata,
    /// Not to one: it is a proxy's question about a request.
    Question,
    /// Not to one.
    Elsewhere,
}

/// Where does this request go? What only we answer is not looked at here.
pub(super) fn place<'b>(broker: &'b Broker, parts: &Parts) -> Place<'b> {
    // A proxy's question is about a request, and is none.
    if host::is_question_of_a_proxy(broker, parts) {
        return Place::Question;
    }
    let Some((scheme, name)) = asked(broker, parts) else { return Place::Elsewhere };
    if !broker.on_host(&name).any(|resource| broker.gateway.serves(resource)) {
        return Place::Elsewhere;
    }
    let path_and_query = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if parts.uri.path().contains(RESOURCE_METADATA) {
        return Place::Metadata;
    }
    // Nobody whom we believe says which scheme it was: it is the one that the server has.
    for scheme in scheme.map_or(["https", "http"], |scheme| [scheme, scheme]) {
        let target = Target { scheme, authority: &name, path_and_query };
        match target.find(&broker.resources) {
            Ok(addressed) if broker.gateway.serves(addressed.resource) => return Place::Server(addressed),
            Ok(_) | Err(BadTarget::Unknown | BadTarget::NoUrl) => {}
            Err(BadTarget::Ambiguous) => break,
        }
    }
    if host::is_ours(broker, &name) { Place::Elsewhere } else { Place::Nowhere }
}

/// The scheme, if somebody whom we believe says it, and the host that were asked.
fn asked<'p>(broker: &Broker, parts: &'p Parts) -> Option<(Option<&'static str>, Cow<'p, str>)> {
    let one = |name: &str| {
        let mut all = parts.headers.get_all(name).iter();
        let first = all.next().and_then(|value| value.to_str().ok());
        first.filter(|_| all.next().is_none())
    };
    let named = || one(HOST.as_str()).or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    if !address::is_from_a_proxy(parts, &broker.trusted_proxies) {
        return named().map(|host| (None, host.into()));
    }
    let host = if parts.headers.contains_key(FORWARDED_HOST) { one(FORWARDED_HOST) } else { named() };
    let scheme = match (parts.headers.contains_key(PROTO), one(PROTO)) {
        (false, _) => None,
        (true, Some("https")) => Some("https"),
        (true, Some("http")) => Some("http"),
        (true, _) => return None,
    };
    host.map(|host| (scheme, host.into()))
}

/// The host that a request names: a proxy of ours may say another one than stands in `Host`.
pub(super) fn public_host(broker: &Broker, parts: &Parts) -> Option<String> {
    asked(broker, parts).map(|(_, host)| host.into_owned())
}

/// Answers a request to a server: with what the server says, or with why it may not pass (INT-17: before its
/// method or anything else is looked at). Open to any origin, errors included; preflights are answered here.
pub(super) async fn answer(broker: &Arc<Broker>, addressed: &Addressed<'_>, request: Request) -> Response {
    if *request.method() == Method::OPTIONS {
        let mut preflight = cors::preflight();
        if let Some(tenants) = &addressed.resource.tenants {
            cors::also_allow(&mut preflight, &tenants.header);
        }
        return cors::open(preflight);
    }
    let (parts, body) = request.into_parts();
    let (about, decided) = asking::ask(broker, &parts, parts.uri.query(), addressed).await;
    let refusal = match decided {
        Ok(Decision::Allow(passage)) => match broker.gateway.place(&parts, addressed, &passage) {
            Ok(place) => {
                let Passage { caller, limits, tenant } = passage;
                let asker = Asker { caller, tenant, address: about.from, place };
                let response = pass(broker, Request::from_parts(parts, body), addressed, asker).await;
                return asking::tell(about, cors::open(answer::with_limits(response, &limits)));
            }
            Err(full) => answer::with_limits(refused(full), &passage.limits),
        },
        Ok(Decision::TooMany(limits)) => answer::too_many(&limits),
        Ok(Decision::Challenge(challenge)) => answer::challenged(&challenge),
        Ok(Decision::NoTenant(refusal)) => answer::no_tenant(&refusal),
        Err(fault) => answer::undecided(&fault),
    };
    // An answer that overtakes its request's body ends the connection.
    body::arrived(Request::from_parts(parts, body), LARGEST_BODY).await;
    asking::tell(about, cors::open(refusal))
}

/// What the server says.
async fn pass(broker: &Arc<Broker>, request: Request, addressed: &Addressed<'_>, asker: Asker) -> Response {
    let (mut parts, body) = request.into_parts();
    let opened = Opened::by(broker, &parts, addressed);
    // So that the server's log can be read beside ours.
    if let Some(RequestId(id)) = parts.extensions.get()
        && let Ok(id) = HeaderValue::from_str(id)
    {
        parts.headers.insert("x-request-id", id);
    }
    let passed = broker.gateway.pass(Request::from_parts(parts, body), addressed, asker).await;
    passed.map_or_else(refused, |response| opened.watch(response))
}

/// Nothing is at this path of a server's name.
pub(super) fn nothing() -> Response {
    cors::open(answer::json(StatusCode::NOT_FOUND, "not_found", "no server is at this address"))
}

fn refused(refused: Refused) -> Response<Body> {
    match refused {
        Refused::Challenge(challenge) => answer::challenged(&challenge),
        Refused::Message { code, id, text } => {
            let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } });
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
            (StatusCode::BAD_REQUEST, headers, body.to_string()).into_response()
        }
        Refused::Busy => {
            let text = "too many streams, or calls, at once";
            let mut response = answer::json(StatusCode::TOO_MANY_REQUESTS, "slow_down", text);
            answer::retry_later(&mut response);
            response
        }
        Refused::Method => {
            let text = "this server takes GET, POST and DELETE";
            let mut response = answer::json(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text);
            response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
            response
        }
        Refused::Encoding => {
            let text = "the body must be UTF-8, and not packed";
            answer::json(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text)
        }
        Refused::TooLarge(limit) => {
            let text = format!("the body is longer than {limit} bytes");
            answer::json(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", &text)
        }
        Refused::BrokeOff => {
            answer::json(StatusCode::BAD_REQUEST, "invalid_request", "the body broke off, or took too long")
        }
        Refused::NotFound => nothing(),
        Refused::BadGateway(text) => answer::json(StatusCode::BAD_GATEWAY, "bad_gateway", text),
        Refused::CannotSign => answer::try_again(),
        Refused::GatewayTimeout => {
            let text = "the server does not answer in time";
            answer::json(StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", text)
        }
    }
}
