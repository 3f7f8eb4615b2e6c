//! Which headers go on to a server, and which of its answer's come back.
//!
//! What concerns one connection stays there (RFC 9110 section 7.6.1). What says who asks for what is ours
//! alone, whatever it is spelt like (SEC-154), and is written after everything else has been taken out:
//! nothing that the client names in `Connection` takes it out again (SEC-155).

use std::net::IpAddr;

use cookie::Cookie;
use http::Uri;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    HeaderMap, HeaderName, HeaderValue, LOCATION, VARY, WWW_AUTHENTICATE,
};

use crate::access::is_about_the_request;
use crate::domain::IdentityForm;

use super::route::Route;

/// What concerns one connection, whether `Connection` names it or not.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What else says who asks for what, and from where; or turns a method into another one.
const ABOUT_THE_REQUEST: [&str; 8] = [
    "client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
];

/// Where clients put what they show us (SEC-147).
const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "x-api-secret"];

/// The cookie that identity providers' own pages bring along, and those of ours.
const SESSION: &str = "__session";
const OUR_COOKIES: [&str; 2] = ["gl_", "__Host-gl_"];

/// What an answer may not say on our own origin: it would hold for all of it.
const NOT_BESIDE_US: [&str; 12] = [
    "accept-ch",
    "clear-site-data",
    "nel",
    "no-vary-search",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-login",
    "speculation-rules",
    "use-as-dictionary",
];

/// What proxies in front of us would do for a server of their own: serve another file, say.
const FOR_PROXIES: [&str; 3] = ["x-accel-", "x-lighttpd-", "x-sendfile"];

/// A page of the server would be a page of ours: it gets no scripts and no origin.
const SANDBOX: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// nginx holds nothing back that says so.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What goes on of a request's headers.
pub(super) fn onward(asked: &HeaderMap, route: &Route) -> HeaderMap {
    let own = named_in_connection(asked);
    let identity = match &route.forwarding.identity {
        IdentityForm::Jwt(name) => Some(name),
        IdentityForm::Headers | IdentityForm::None => None,
    };
    let stays = |name: &HeaderName| {
        let text = name.as_str();
        // An underscore is a hyphen to some servers.
        let is_credential = CREDENTIALS.contains(&text) && !route.forwarding.forward_credential;
        text.contains('_')
            || HOP_BY_HOP.contains(&text)
            || ABOUT_THE_REQUEST.contains(&text)
            || is_about_the_request(text)
            || is_credential
            || matches!(*name, HOST | EXPECT)
            || (identity == Some(name) && *name != AUTHORIZATION)
            || route.tenant_header() == Some(name)
            || own.iter().any(|own| own == text)
    };
    let mut onward = HeaderMap::with_capacity(asked.len() + 8);
    for (name, value) in asked {
        if stays(name) {
            continue;
        }
        if *name == COOKIE {
            let kept = cookies(value, route.forwarding.forward_credential);
            onward.extend(kept.map(|value| (COOKIE, value)));
        } else {
            onward.append(name, value.clone());
        }
    }
    onward
}

/// Says where the request comes from and what people call the server; nobody else's word goes on.
pub(super) fn say_where_from(onward: &mut HeaderMap, route: &Route, address: IpAddr) {
    let (scheme, authority) = route.public();
    for (name, text) in [
        (FORWARDED_FOR, address.to_string().as_str()),
        (FORWARDED_HOST, authority),
        (FORWARDED_PROTO, scheme),
    ] {
        onward.extend(HeaderValue::from_str(text).ok().map(|value| (name, value)));
    }
}

/// Says for which tenant the request is, where the client said so: in the client's own header, in our spelling.
pub(super) fn say_whose(onward: &mut HeaderMap, route: &Route) {
    if let (Some(header), Some(tenant)) = (route.tenant_header(), route.tenant()) {
        onward.extend(HeaderValue::from_str(tenant.as_str()).ok().map(|value| (header.clone(), value)));
    }
}

/// What comes back of an answer's headers. Only we challenge, and only we open it to other origins.
pub(super) fn returned(answered: &HeaderMap, route: &Route, asked: &Uri) -> HeaderMap {
    let own = named_in_connection(answered);
    let stays = |name: &HeaderName| {
        let text = name.as_str();
        HOP_BY_HOP.contains(&text)
            || *name == WWW_AUTHENTICATE
            || text == "alt-svc"
            || FOR_PROXIES.iter().any(|prefix| text.starts_with(prefix))
            || text.starts_with("access-control-")
            || is_about_the_request(text)
            || (route.is_beside_us && NOT_BESIDE_US.contains(&text))
            || own.iter().any(|own| own == text)
    };
    let mut returned = HeaderMap::with_capacity(answered.len() + 8);
    for (name, value) in answered.iter().filter(|(name, _)| !stays(name)) {
        returned.append(name, value.clone());
    }
    if let Some(outside) = location(&returned, route, asked) {
        returned.insert(LOCATION, outside);
    }
    if let Some(name) = route.tenant_header() {
        returned.append(VARY, name.clone().into());
    }
    returned.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if returned.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        returned.insert(BUFFERING, HeaderValue::from_static("no"));
    }
    if route.is_beside_us {
        returned.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    }
    returned
}

/// A redirect to an address of the server's own leads to what people call it.
fn location(returned: &HeaderMap, route: &Route, asked: &Uri) -> Option<HeaderValue> {
    let named = returned.get(LOCATION)?.to_str().ok()?;
    let outside = route.outside_url(named, &route.url(asked)?)?;
    HeaderValue::from_str(&outside).ok()
}

/// The headers that a message's `Connection` takes for itself.
fn named_in_connection(headers: &HeaderMap) -> Vec<String> {
    let lists = headers.get_all(CONNECTION).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Cookies without credentials of ours.
fn cookies(value: &HeaderValue, forward_credential: bool) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let stays = |name: &str| {
        OUR_COOKIES.iter().any(|prefix| name.starts_with(prefix))
            || (!forward_credential && name.starts_with(SESSION))
    };
    let kept = Cookie::split_parse(text).filter_map(Result::ok).filter(|cookie| !stays(cookie.name()));
    let kept: Vec<String> = kept.map(|cookie| cookie.to_string()).collect();
    HeaderValue::from_str(&kept.join("; ")).ok().filter(|kept| !kept.is_empty())
}
