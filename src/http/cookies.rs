//! The cookies: `gl_session` is who is signed in here. A sign-in has two: `gl_form` binds our page to the
//! browser (SEC-033), and `gl_login_…`, one per login and set only after approval, binds the upstream's
//! answer to it (SEC-028, SEC-029).
//!
//! `__Host-`, `Secure`, `HttpOnly`, `SameSite=Lax` (SEC-159). Plain http on loopback gets the plain
//! name: browsers refuse the prefix there.

use cookie::{Cookie, SameSite};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

use crate::domain::LoginId;
use crate::protocol::Issuer;
use crate::secret::Secret;

/// Longest cookie value that can be ours.
const LONGEST: usize = 64;

/// The name of the form's cookie.
pub(super) fn form_name(issuer: &Issuer) -> String {
    prefixed(issuer, "gl_form")
}

/// The name of the browser session's cookie.
pub(super) fn session_name(issuer: &Issuer) -> String {
    prefixed(issuer, "gl_session")
}

/// The name of a login's cookie: two tabs do not disturb each other (SEC-026).
pub(super) fn login_name(issuer: &Issuer, login: &LoginId) -> String {
    let short: String = login.as_str().chars().take(10).collect();
    prefixed(issuer, &format!("gl_login_{short}"))
}

fn prefixed(issuer: &Issuer, name: &str) -> String {
    if issuer.is_loopback_http() { name.to_owned() } else { format!("__Host-{name}") }
}

/// The value of a cookie. Several cookies of one name are none: somebody planted one.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == name && cookie.value().len() <= LONGEST)
        .map(|cookie| cookie.value().to_owned());
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

/// A `Set-Cookie` value for the browser's session.
pub(super) fn set(issuer: &Issuer, name: &str, value: &Secret) -> Option<HeaderValue> {
    header(&base(issuer, name, value.expose()).build())
}

/// A `Set-Cookie` value that removes the cookie.
pub(super) fn clear(issuer: &Issuer, name: &str) -> Option<HeaderValue> {
    header(&base(issuer, name, "").max_age(cookie::time::Duration::ZERO).build())
}

fn base<'a>(issuer: &Issuer, name: &'a str, value: &'a str) -> cookie::CookieBuilder<'a> {
    Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .secure(!issuer.is_loopback_http())
        .same_site(SameSite::Lax)
}

fn header(cookie: &Cookie<'_>) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&cookie.to_string()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
