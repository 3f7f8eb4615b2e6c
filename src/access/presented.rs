//! Which credential a request carries (RFC 6750 section 2).

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use url::form_urlencoded;

/// Where an API key may stand alone.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where its secret stands, if that comes apart.
pub const X_API_SECRET: HeaderName = HeaderName::from_static("x-api-secret");

/// The request carries credentials in two ways (RFC 6750 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request carries credentials in two ways")]
pub struct TwoMethods;

/// How API keys may come beside `Authorization: Bearer`, at a server that accepts them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiKeyForms {
    /// A scheme of the operator's choice: `Authorization: {scheme} {id}:{secret}`.
    pub scheme: Option<String>,
}

/// The one credential of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// None, or none that we know.
    Nothing,
    /// `Authorization: Bearer`.
    Bearer(&'a str),
    /// A whole API key in `X-API-Key`.
    ApiKey(&'a str),
    /// An API key whose name and secret come apart.
    ApiKeyPair {
        /// Its name.
        id: &'a str,
        /// Its secret.
        secret: &'a str,
    },
}

impl<'a> Presented<'a> {
    /// Reads the headers. Where the server takes no API keys (`forms` is none), the headers for them are its
    /// own matter. A token in the query is ignored, because URLs end up in logs; beside a header it makes
    /// the request ambiguous (SEC-146).
    pub fn read(
        headers: &'a HeaderMap,
        query: Option<&str>,
        forms: Option<&ApiKeyForms>,
    ) -> Result<Self, TwoMethods> {
        let authorization = only(headers, &AUTHORIZATION)?;
        let key = forms.map(|_| only(headers, &X_API_KEY)).transpose()?.flatten();
        let in_query =
            |query: &str| form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token");
        let is_in_query = query.is_some_and(in_query);
        match (authorization, key) {
            (None, None) => Ok(Self::Nothing),
            (Some(_), Some(_)) => Err(TwoMethods),
            _ if is_in_query => Err(TwoMethods),
            (None, Some(key)) => Ok(match only(headers, &X_API_SECRET)? {
                Some(secret) => Self::ApiKeyPair { id: key, secret },
                None => Self::ApiKey(key),
            }),
            (Some(credential), None) => {
                let pair = || pair(credential, forms?.scheme.as_deref()?);
                let bearer = bearer(credential).map(Self::Bearer);
                Ok(bearer.or_else(pair).unwrap_or(Self::Nothing))
            }
        }
    }
}

/// The one value, without space around it; what is not UTF-8 is nothing that we know.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, TwoMethods> {
    let mut all = headers.get_all(name).iter();
    let first = all.next().map(|value| std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim());
    if all.next().is_some() { Err(TwoMethods) } else { Ok(first) }
}

/// The token of a `Bearer` credential.
#[must_use]
pub fn bearer(credential: &str) -> Option<&str> {
    of_scheme(credential, "bearer")
}

/// What follows the scheme, whose case does not matter (RFC 9110 section 11.1).
fn of_scheme<'c>(credential: &'c str, wanted: &str) -> Option<&'c str> {
    let credential = credential.trim();
    let (scheme, rest) = credential.split_once(' ').unwrap_or((credential, ""));
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim_start())
}

fn pair<'c>(credential: &'c str, scheme: &str) -> Option<Presented<'c>> {
    let rest = of_scheme(credential, scheme)?;
    let (id, secret) = rest.split_once(':').unwrap_or((rest, ""));
    Some(Presented::ApiKeyPair { id, secret })
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Bearer(_) => "Bearer(…)",
            Self::ApiKey(_) => "ApiKey(…)",
            Self::ApiKeyPair { .. } => "ApiKeyPair(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(named: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn authorizations(values: &[&str]) -> HeaderMap {
        let named: Vec<_> = values.iter().map(|value| (AUTHORIZATION, *value)).collect();
        headers(&named)
    }

    /// SEC-146: two methods are refused, a token in the query counts for nothing.
    #[test]
    fn sec_146_one_credential_and_only_in_the_header() {
        let check = |values: &[&str], query, expected: Result<Option<&str>, TwoMethods>| {
            let expected = expected.map(|token| token.map_or(Presented::Nothing, Presented::Bearer));
            assert_eq!(
                Presented::read(&authorizations(values), query, None),
                expected,
                "{values:?} {query:?}"
            );
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

    /// SEC-146, SEC-150: the headers for API keys count where the server takes them, each once and alone.
    #[test]
    fn sec_146_an_api_key_comes_in_one_way() {
        let forms = ApiKeyForms { scheme: Some("trustgrid-token".into()) };
        let read = |named: &[(HeaderName, &str)], query, expected| {
            let found = headers(named);
            assert_eq!(Presented::read(&found, query, Some(&forms)), expected, "{named:?} {query:?}");
        };
        let pair = |id, secret| Ok(Presented::ApiKeyPair { id, secret });
        let key = (X_API_KEY, "k");
        let secret = (X_API_SECRET, "s");
        read(std::slice::from_ref(&key), None, Ok(Presented::ApiKey("k")));
        read(&[key.clone(), secret.clone()], None, pair("k", "s"));
        read(std::slice::from_ref(&secret), None, Ok(Presented::Nothing));
        read(&[(AUTHORIZATION, "TrustGrid-Token i:s")], None, pair("i", "s"));
        read(&[(AUTHORIZATION, "trustgrid-token i")], None, pair("i", ""));
        read(&[(AUTHORIZATION, "Bearer t"), secret.clone()], None, Ok(Presented::Bearer("t")));
        read(&[(AUTHORIZATION, "Bearer t"), key.clone()], None, Err(TwoMethods));
        read(&[(AUTHORIZATION, "Basic t"), key.clone()], None, Err(TwoMethods));
        read(&[key.clone(), key.clone()], None, Err(TwoMethods));
        read(&[key.clone(), secret.clone(), secret.clone()], None, Err(TwoMethods));
        read(std::slice::from_ref(&key), Some("access_token=a"), Err(TwoMethods));
        read(&[], Some("api_key=k&x-api-key=k"), Ok(Presented::Nothing));
        let ignored = headers(&[(AUTHORIZATION, "Bearer t"), key]);
        assert_eq!(Presented::read(&ignored, None, None), Ok(Presented::Bearer("t")));
        let unknown = authorizations(&["trustgrid-token i:s"]);
        assert_eq!(Presented::read(&unknown, None, None), Ok(Presented::Nothing));
        assert_eq!(Presented::read(&unknown, None, Some(&ApiKeyForms::default())), Ok(Presented::Nothing));
    }
}
