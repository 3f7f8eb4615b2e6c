//! Forward-auth: a reverse proxy asks about each request, and passes it on or hands our answer out (nginx
//! `auth_request`, Traefik `ForwardAuth`, Caddy `forward_auth`).
//!
//! The proxy says in three headers what was asked of it, or, as Envoy does (`ext_authz`), asks below
//! `/verify` with the client's own `Host`. Anybody can do that: they are believed of the peers in
//! `trusted_proxies` only (SEC-151), and only if there is one target (SEC-152). Every answer sets or blanks
//! every header that names a person, so that none of the client's own comes through (SEC-154).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HOST, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::access::{Caller, Decision, Target, identify, is_disguised};
use crate::broker::Broker;

use super::router::VERIFY;
use super::{address, answer, asking, cors};

const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";
const URI: &str = "x-forwarded-uri";

/// Other names for the same: whoever sends one wants something else to be read than is decided about.
const ALIASES: [&str; 6] = [
    "x-original-uri",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-forwarded-url",
    "x-forwarded-path",
];

/// Answers whoever comes by the routes: who is no proxy of ours, or asks below the issuer's path.
pub(super) async fn verify(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    decide(&broker, request).await
}

/// Answers a proxy; nobody else.
pub(super) async fn decide(broker: &Broker, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if !address::is_from_a_proxy(&parts, &broker.trusted_proxies) {
        let text = "only proxies in trusted_proxies may ask here";
        return refuse(StatusCode::BAD_REQUEST, text);
    }
    let target = match target(&parts) {
        Ok(target) => target,
        Err(text) => return refuse(StatusCode::BAD_REQUEST, text),
    };
    let addressed = match target.find(&broker.resources) {
        Ok(found) => found,
        Err(fault) => {
            tracing::info!(%fault, "forward-auth was asked about something else");
            return refuse(StatusCode::FORBIDDEN, &format!("what was asked for {fault}"));
        }
    };
    // Whether the server sees the header that we see, only the gateway knows.
    if addressed.resource.tenants.is_some() {
        let text = "what was asked for is several tenants' server: only the gateway passes requests on to it";
        return refuse(StatusCode::FORBIDDEN, text);
    }
    let query = target.path_and_query.split_once('?').map(|(_, query)| query);
    let (about, decided) = asking::ask(broker, &parts, query, &addressed).await;
    let response = match decided {
        Ok(Decision::Allow(passage)) => answer::with_limits(allowed(&passage.caller), &passage.limits),
        Ok(Decision::TooMany(limits)) => anonymous(answer::too_many(&limits)),
        Ok(Decision::Challenge(challenge)) => anonymous(answer::challenged(&challenge)),
        Ok(Decision::NoTenant(refusal)) => anonymous(answer::no_tenant(&refusal)),
        Err(fault) => anonymous(answer::undecided(&fault)),
    };
    asking::tell(about, response)
}

/// What the proxy was asked for, said once and in one way.
fn target(parts: &Parts) -> Result<Target<'_>, &'static str> {
    let headers = &parts.headers;
    if headers.keys().any(|name| ALIASES.contains(&name.as_str()) || is_disguised(name.as_str())) {
        return Err("the request names its target or its person in several ways");
    }
    let one = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().and_then(|value| value.to_str().ok());
        // A list is what two proxies make of it; a URL may hold a comma.
        let is_list = |text: &str| text.contains(' ') || (name != URI && text.contains(','));
        first.filter(|text| all.next().is_none() && !is_list(text))
    };
    let missing = "the proxy must send X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Uri, once each";
    let scheme = one(PROTO).ok_or(missing)?;
    let whole = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    match whole.strip_prefix(VERIFY).filter(|below| below.starts_with('/')) {
        None => {
            let (authority, path_and_query) = (one(FORWARDED_HOST).ok_or(missing)?, one(URI).ok_or(missing)?);
            Ok(Target { scheme, authority, path_and_query })
        }
        Some(_) if headers.contains_key(URI) => Err("the request names its target in several ways"),
        Some(path_and_query) => {
            Ok(Target { scheme, authority: one(HOST.as_str()).ok_or("there is no Host")?, path_and_query })
        }
    }
}

fn allowed(caller: &Caller) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    // In one step: those of here, of limits, and of every answer.
    headers.reserve(16);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    identify(Some(caller), None, headers);
    response
}

fn refuse(status: StatusCode, text: &str) -> Response {
    anonymous(answer::json(status, "invalid_request", text))
}

/// Whoever does not pass is nobody to the server behind; the proxy hands this out, and programs in a browser may
/// read it (INT-69).
fn anonymous(mut response: Response) -> Response {
    identify(None, None, response.headers_mut());
    cors::open(response)
}
