//! Which credential a request carries (RFC 6750 section 2).

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use url::form_urlencoded;

use crate::protocol::ResourceUri;

/// The cookie that Clerk's session tokens come in.
const SESSION: &str = "__session";

/// What a browser says of the page behind a request (Fetch Metadata).
const FETCH_SITE: &str = "sec-fetch-site";

/// The request carries credentials in two ways (RFC 6750 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request carries credentials in two ways")]
pub struct TwoMethods;

/// The one credential of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// None, or none that we know.
    Nothing,
    /// `Authorization: Bearer`.
    Bearer(&'a str),
    /// The session cookie of the application that the request belongs to.
    Session(&'a str),
    /// None, and the request begins and stays on this machine.
    Local,
}

/// Where a request may carry its credential.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The query of its target.
    pub query: Option<&'a str>,
    /// Does it begin and stay on this machine?
    pub is_local: bool,
}

impl<'a> Carried<'a> {
    /// Browsers add cookies, and reach this machine, for the pages of others, too. So what says nothing else
    /// for itself must come from no other site: by `Sec-Fetch-Site`, or where that is missing by `Origin`.
    pub(super) fn is_of_another_site(&self, resource: &ResourceUri) -> bool {
        let only = |name: &str| {
            let mut all = self.headers.get_all(name).iter();
            let first = all.next().map(|value| value.to_str().unwrap_or_default());
            if all.next().is_some() { Some("") } else { first }
        };
        match (only(FETCH_SITE), only(ORIGIN.as_str())) {
            (Some(site), _) => !["same-origin", "same-site", "none"].contains(&site),
            (None, Some(origin)) => origin != resource.origin(),
            (None, None) => false,
        }
    }

    /// The session cookie. Several of this name are none: somebody planted one.
    pub(super) fn session(&self) -> Option<&'a str> {
        let all = self.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = all.flat_map(|all| all.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut named = pairs.filter(|(name, value)| *name == SESSION && !value.is_empty());
        let (_, value) = named.next()?;
        named.next().is_none().then_some(value)
    }
}

impl<'a> Presented<'a> {
    /// Reads the headers. A token in the query is ignored, because URLs end up in logs; beside a header it
    /// makes the request ambiguous (SEC-146).
    pub fn read(headers: &'a HeaderMap, query: Option<&str>) -> Result<Self, TwoMethods> {
        let mut authorizations = headers.get_all(AUTHORIZATION).iter();
        let Some(first) = authorizations.next() else { return Ok(Self::Nothing) };
        let in_query =
            |query: &str| form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token");
        if authorizations.next().is_some() || query.is_some_and(in_query) {
            return Err(TwoMethods);
        }
        // What is not UTF-8 is no scheme that we know.
        let credential = std::str::from_utf8(first.as_bytes()).unwrap_or_default();
        Ok(bearer(credential).map_or(Self::Nothing, Self::Bearer))
    }
}

/// The token of a `Bearer` credential; the scheme's case does not matter (RFC 9110 section 11.1).
#[must_use]
pub fn bearer(credential: &str) -> Option<&str> {
    let credential = credential.trim();
    let (scheme, token) = credential.split_once(' ').unwrap_or((credential, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Bearer(_) => "Bearer(…)",
            Self::Session(_) => "Session(…)",
            Self::Local => "Local",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    }

    /// SEC-146: two methods are refused, a token in the query counts for nothing.
    #[test]
    fn sec_146_one_credential_and_only_in_the_header() {
        let check = |values: &[&str], query, expected: Result<Option<&str>, TwoMethods>| {
            let expected = expected.map(|token| token.map_or(Presented::Nothing, Presented::Bearer));
            assert_eq!(Presented::read(&headers(values), query), expected, "{values:?} {query:?}");
        };
        check(&[], None, Ok(None));
        check(&[], Some("access_token=a"), Ok(None));
        check(&["Bearer a"], Some("x=y"), Ok(Some("a")));
        check(&["Basic a"], None, Ok(None));
        check(&["Bearer a", "Bearer a"], None, Err(TwoMethods));
        check(&["Bearer a"], Some("x=y&access%5Ftoken=a"), Err(TwoMethods));
    }

    /// SEC-146: `bEaReR` works.
    #[test]
    fn sec_146_the_scheme_has_no_case() {
        assert_eq!(bearer("bEaReR  a.b.c "), Some("a.b.c"));
        assert_eq!(bearer("Bearer"), Some(""));
        assert_eq!(bearer("Basic a"), None);
        assert_eq!(bearer("Bearera"), None);
    }
}
