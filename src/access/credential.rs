//! Which credential a request carries (RFC 6750 section 2).

use url::form_urlencoded;

/// The request carries credentials in two ways (RFC 6750 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request carries credentials in two ways")]
pub struct TwoMethods;

/// The one `Authorization` header of a request. A token in the query is ignored, because URLs end
/// up in logs; beside a header it makes the request ambiguous (SEC-146).
pub fn presented<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    query: Option<&str>,
) -> Result<Option<&'a str>, TwoMethods> {
    let mut headers = headers.into_iter();
    let Some(header) = headers.next() else { return Ok(None) };
    let in_query =
        |query: &str| form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token");
    if headers.next().is_some() || query.is_some_and(in_query) {
        return Err(TwoMethods);
    }
    // What is not UTF-8 is no scheme that we know.
    Ok(Some(std::str::from_utf8(header).unwrap_or_default()))
}

/// The token of a `Bearer` credential; the scheme's case does not matter (RFC 9110 section 11.1).
#[must_use]
pub fn bearer(credential: Option<&str>) -> Option<&str> {
    let credential = credential?.trim();
    let (scheme, token) = credential.split_once(' ').unwrap_or((credential, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from<'a>(headers: &[&'a str], query: Option<&str>) -> Result<Option<&'a str>, TwoMethods> {
        presented(headers.iter().map(|header| header.as_bytes()), query)
    }

    /// SEC-146: two methods are refused, a token in the query counts for nothing.
    #[test]
    fn sec_146_one_credential_and_only_in_the_header() {
        assert_eq!(from(&[], None), Ok(None));
        assert_eq!(from(&[], Some("access_token=a")), Ok(None));
        assert_eq!(from(&["Bearer a"], Some("x=y")), Ok(Some("Bearer a")));
        assert_eq!(from(&["Bearer a", "Bearer a"], None), Err(TwoMethods));
        assert_eq!(from(&["Bearer a"], Some("x=y&access%5Ftoken=a")), Err(TwoMethods));
    }

    /// SEC-146: `bEaReR` works.
    #[test]
    fn sec_146_the_scheme_has_no_case() {
        assert_eq!(bearer(Some("bEaReR  a.b.c ")), Some("a.b.c"));
        assert_eq!(bearer(Some("Bearer")), Some(""));
        assert_eq!(bearer(Some("Basic a")), None);
        assert_eq!(bearer(Some("Bearera")), None);
        assert_eq!(bearer(None), None);
    }
}
