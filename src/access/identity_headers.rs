//! How a server that trusts us is told who asks: the one place that writes these headers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::TenantName;

use super::Caller;

const USER: HeaderName = HeaderName::from_static("x-auth-user");
const EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
const CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
const SCOPES: HeaderName = HeaderName::from_static("x-auth-scopes");
const TENANT: HeaderName = HeaderName::from_static("x-auth-tenant");

/// What names of headers begin with that say who asks for what.
const OURS: [&str; 4] = ["x-auth-", "x-forwarded-", "x-original-", "x-rewrite-"];

/// Sets every header that names a person or a tenant, or blanks it: none of the client's own comes through
/// (SEC-154).
pub fn identify(caller: Option<&Caller>, tenant: Option<&TenantName>, headers: &mut HeaderMap) {
    let scopes = caller.map(|caller| caller.scopes().to_string());
    let named = [
        (USER, caller.map(Caller::subject)),
        (EMAIL, caller.and_then(Caller::email)),
        (CLIENT, caller.and_then(Caller::client)),
        (SCOPES, scopes.as_deref()),
        (TENANT, tenant.map(TenantName::as_str)),
    ];
    for (name, value) in named {
        // What no header can hold is left out, and not cut: a part of an address is another address.
        let value = value.and_then(|value| HeaderValue::from_str(value).ok());
        headers.insert(name, value.unwrap_or(HeaderValue::from_static("")));
    }
}

/// Does a header of this name say who asks for what?
#[must_use]
pub fn is_about_the_request(name: &str) -> bool {
    OURS.iter().any(|prefix| name.starts_with(prefix))
}

/// Some servers take an underscore for a hyphen, where proxies do not.
#[must_use]
pub fn is_disguised(name: &str) -> bool {
    name.contains('_') && is_about_the_request(&name.replace('_', "-"))
}
