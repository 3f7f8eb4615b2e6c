//! Whose requests these are: the `Host` allow-list and the origin of a form (SEC-161).

use axum::extract::Request;
use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use crate::broker::Broker;
use crate::protocol::Issuer;

/// Probes ask by address; what they learn is no secret.
const FOR_ANYBODY: [&str; 2] = ["/healthz", "/readyz"];

/// Was this request meant for us? If not, the answer is 421.
pub(super) fn may_ask(broker: &Broker, request: &Request) -> bool {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let named = header.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    named.is_some_and(|host| is_ours(broker, host)) || FOR_ANYBODY.contains(&request.uri().path())
}

fn is_ours(broker: &Broker, host: &str) -> bool {
    let same = |own: &str| host.eq_ignore_ascii_case(own);
    same(broker.issuer.authority()) || broker.allowed_hosts.iter().any(|own| same(own))
}

/// Was this form sent by a page of ours, as far as the browser tells? Our pages send no referrer,
/// and then browsers send `Origin: null`; `Sec-Fetch-Site` says the rest.
pub(super) fn is_from_our_page(issuer: &Issuer, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let origin = text(ORIGIN.as_str()).is_none_or(|origin| origin == "null" || origin == issuer.origin());
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    origin && site
}
