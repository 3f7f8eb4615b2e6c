//! Whose requests these are: the `Host` allow-list and the origin of a form (SEC-161).

use axum::extract::Request;
use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::request::Parts;

use crate::broker::Broker;
use crate::protocol::Issuer;

use super::address;
use super::router::{RESOURCE_METADATA, VERIFY};

/// Probes ask by address; what they learn is no secret.
const FOR_ANYBODY: [&str; 2] = ["/healthz", "/readyz"];

/// Was this request meant for us? If not, the answer is 421.
pub(super) fn may_ask(broker: &Broker, request: &Request) -> bool {
    let path = request.uri().path();
    named(request).is_some_and(|host| is_ours(broker, host) || is_guarded(broker, host, path))
        || FOR_ANYBODY.contains(&path)
        // Proxies ask by address; who they are is looked at there.
        || (broker.forward_auth && is_question(path))
}

/// Does a proxy of ours ask about somebody else's request?
pub(super) fn is_question_of_a_proxy(broker: &Broker, parts: &Parts) -> bool {
    broker.forward_auth
        && is_question(parts.uri.path())
        && address::is_from_a_proxy(parts, &broker.trusted_proxies)
}

/// Does a proxy ask about somebody else's request?
fn is_question(path: &str) -> bool {
    path.strip_prefix(VERIFY).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// The host that a request names.
pub(super) fn named(request: &Request) -> Option<&str> {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    header.or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
}

/// Is it about a server that we stand in front of? Its proxy leaves its metadata to us (RFC 9728).
fn is_guarded(broker: &Broker, host: &str, path: &str) -> bool {
    broker.forward_auth && path.contains(RESOURCE_METADATA) && broker.on_host(host).next().is_some()
}

/// Is it the issuer's, or one that the operator added?
pub(super) fn is_ours(broker: &Broker, host: &str) -> bool {
    let same = |own: &str| host.eq_ignore_ascii_case(own);
    same(broker.issuer.authority()) || broker.allowed_hosts.iter().any(|own| same(own))
}

/// Does a browser want to show the answer in a window? A page elsewhere that draws its pictures from here
/// would spend its visitors' turns. Programs do not say.
pub(super) fn is_for_a_window(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_none_or(|purpose| purpose == "document")
}

/// Was this form sent by a page of ours, as far as the browser tells? Our pages send no referrer,
/// and then browsers send `Origin: null`; `Sec-Fetch-Site` says the rest.
pub(super) fn is_from_our_page(issuer: &Issuer, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let origin = text(ORIGIN.as_str()).is_none_or(|origin| origin == "null" || origin == issuer.origin());
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    origin && site
}
