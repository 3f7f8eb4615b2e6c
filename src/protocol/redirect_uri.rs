//! Redirect URIs: which may be registered, and which requested one equals a registered one.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::is_loopback_host;

/// Longest redirect URI that is accepted (SEC-113).
const LONGEST: usize = 2048;

/// Schemes that run code or read files in the person's browser.
const DANGEROUS: [&str; 10] =
    ["javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws", "wss"];

/// A redirect URI that may be registered, kept byte for byte (INT-32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Why a text is no acceptable redirect URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// Not an absolute URI, or characters that a URI cannot hold.
    #[error("is not an absolute URI")]
    NotAbsolute,
    /// Over 2,048 bytes.
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    /// Has a fragment (RFC 6749 section 3.1.2), user information or a wildcard.
    #[error("must have no fragment, user name, password or wildcard")]
    HasExtras,
    /// A scheme that could run code, or plain http off loopback.
    #[error("must use https, http on loopback, or a private-use scheme of an application")]
    Scheme,
}

impl RedirectUri {
    /// Accepts https, http on loopback, and private-use schemes (INT-28, SEC-109).
    pub fn parse(text: &str) -> Result<Self, InvalidRedirectUri> {
        if text.len() > LONGEST {
            return Err(InvalidRedirectUri::TooLong);
        }
        // What `Url` would quietly repair is refused: the string itself is what gets compared.
        let unusual = |c: char| !c.is_ascii_graphic() || matches!(c, '\\' | '<' | '>' | '"' | '`');
        if text.contains(unusual) {
            return Err(InvalidRedirectUri::NotAbsolute);
        }
        let url = Url::parse(text).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
        // What is shown and compared is the text: a scheme in capitals would be taken for another one.
        if !text.starts_with(url.scheme()) {
            return Err(InvalidRedirectUri::Scheme);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.fragment().is_some() || has_user || text.contains('*') {
            return Err(InvalidRedirectUri::HasExtras);
        }
        match url.scheme() {
            "https" if url.has_host() => {}
            "http" if url.host().is_some_and(|host| is_loopback_host(&host)) => {}
            "https" | "http" => return Err(InvalidRedirectUri::Scheme),
            scheme if DANGEROUS.contains(&scheme) => return Err(InvalidRedirectUri::Scheme),
            _ => {}
        }
        let web = matches!(url.scheme(), "http" | "https");
        if web && !text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://")) {
            return Err(InvalidRedirectUri::NotAbsolute);
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI as registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is `requested` this registered URI? Exact string comparison (OAuth 2.1 section 2.3.1);
    /// on loopback only the port may vary (RFC 8252 section 7.3, INT-39).
    #[must_use]
    pub fn matches(&self, requested: &Self) -> bool {
        if self.0 == requested.0 {
            return true;
        }
        match (self.without_loopback_port(), requested.without_loopback_port()) {
            (Some(registered), Some(requested)) => registered == requested,
            _ => false,
        }
    }

    /// The URI without the port that varies: two that [match](Self::matches) are the same here.
    #[must_use]
    pub fn without_port(&self) -> String {
        self.without_loopback_port()
            .map_or_else(|| self.0.clone(), |(before, after)| format!("{before}{after}"))
    }

    /// http on `127.0.0.1`, `[::1]` or `localhost`: any local program can listen there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.without_loopback_port().is_some()
    }

    /// An application's own scheme, which any installed application can claim.
    #[must_use]
    pub fn is_private_use(&self) -> bool {
        !self.0.starts_with("https:") && !self.0.starts_with("http:")
    }

    /// Where the answer goes, as a person can recognise it: the host, or the application's scheme.
    #[must_use]
    pub fn destination(&self) -> String {
        let Ok(url) = Url::parse(&self.0) else { return self.0.clone() };
        if self.is_private_use() {
            return format!("{}:", url.scheme());
        }
        match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => self.0.clone(),
        }
    }

    /// The URI with parameters added to its query; the rest stays byte for byte.
    #[must_use]
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let separator = match self.0.find('?') {
            None => "?",
            Some(at) if at + 1 == self.0.len() || self.0.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{separator}{query}", self.0)
    }

    /// For http on loopback: the text before and after the port. Compared as text, so that
    /// scheme, host and path must be equal byte for byte.
    fn without_loopback_port(&self) -> Option<(&str, &str)> {
        let url = Url::parse(&self.0).ok()?;
        let loopback = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address == std::net::Ipv4Addr::LOCALHOST,
            Host::Ipv6(address) => address.is_loopback(),
        };
        if url.scheme() != "http" || !loopback {
            return None;
        }
        let authority_at = "http://".len();
        let rest = self.0.get(authority_at..)?;
        let authority_len = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = rest.get(..authority_len)?;
        let after_host = authority.rfind(']').unwrap_or(0);
        let host_len =
            authority.get(after_host..)?.rfind(':').map_or(authority.len(), |colon| after_host + colon);
        let path = rest.get(authority_len..)?;
        // `http://127.0.0.1` and `http://127.0.0.1/` are one request target.
        let path = if path.is_empty() { "/" } else { path };
        Some((self.0.get(..authority_at + host_len)?, path))
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = InvalidRedirectUri;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap()
    }

    fn matches(registered: &str, requested: &str) -> bool {
        RedirectUri::parse(requested).is_ok_and(|requested| uri(registered).matches(&requested))
    }

    #[test]
    fn sec_001_redirects_match_as_exact_strings() {
        let registered = "https://good.example/cb";
        assert!(matches(registered, registered));
        for other in [
            "https://good.example/cb/",
            "https://GOOD.example/cb",
            "https://good.example/c%62",
            "https://good.example/x/../cb",
            "https://good.example/cb?a=b",
            "https://good@evil.example/cb",
            "https://good.example.evil.tld/cb",
            "https://goodXexample/cb",
            "https://good.example:443/cb",
            "http://good.example/cb",
            "https://good.example/CB",
            "https://good.example%2Fcb/cb",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
    }

    #[test]
    fn sec_002_int_39_on_loopback_only_the_port_varies() {
        for (registered, requested) in [
            ("http://127.0.0.1:33418/", "http://127.0.0.1:1/"),
            ("http://127.0.0.1/", "http://127.0.0.1:33418"),
            ("http://localhost/callback", "http://localhost:5555/callback"),
            ("http://[::1]/cb", "http://[::1]:8080/cb"),
            ("http://localhost:8787/callback", "http://localhost/callback"),
        ] {
            assert!(matches(registered, requested), "{registered} {requested}");
        }
        for (registered, requested) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
            ("http://127.0.0.1/cb", "http://localhost:1/cb"),
            ("http://localhost/cb", "http://127.0.0.1:1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb?x=1"),
            ("http://127.0.0.1/cb", "http://127.0.0.2:1/cb"),
            ("https://good.example/cb", "https://good.example:8443/cb"),
        ] {
            assert!(!matches(registered, requested), "{registered} {requested}");
        }
    }

    #[test]
    fn int_28_sec_109_what_may_be_registered() {
        for good in [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
            "com.example.app:/oauth",
            "http://[::1]:1/cb",
        ] {
            assert_eq!(uri(good).as_str(), good);
        }
        for bad in [
            "javascript:alert(1)",
            // The page would show it as an application's own scheme.
            "HTTPS://evil.example/cb",
            "Http://127.0.0.1/cb",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "http://x.example/cb",
            "https://a.example/#f",
            "https://*.example/cb",
            "https://u:p@a.example/",
            "https:/a.example/cb",
            "/cb",
            "https://a.example/c b",
            "https://a.example\\@evil.example/",
            "JavaScript:alert(1)",
            "",
            "https://",
            "http://127.0.0.1.evil.example/",
            "wss://a.example/",
        ] {
            assert!(RedirectUri::parse(bad).is_err(), "{bad}");
        }
        let long = format!("https://a.example/{}", "x".repeat(LONGEST));
        assert_eq!(RedirectUri::parse(&long), Err(InvalidRedirectUri::TooLong));
    }

    #[test]
    fn parameters_are_added_without_touching_the_rest() {
        assert_eq!(uri("http://127.0.0.1:1").with_query(&[("code", "a b")]), "http://127.0.0.1:1?code=a+b");
        assert_eq!(
            uri("https://a.example/?x=%2F").with_query(&[("s", "\r\n&")]),
            "https://a.example/?x=%2F&s=%0D%0A%26"
        );
        assert_eq!(uri("myapp:cb").with_query(&[("c", "1")]), "myapp:cb?c=1");
    }

    #[test]
    fn people_see_a_host_or_a_scheme() {
        assert_eq!(uri("https://claude.ai/api/mcp/auth_callback").destination(), "claude.ai");
        assert_eq!(uri("http://localhost:8787/callback").destination(), "localhost:8787");
        assert_eq!(uri("cursor://anysphere.cursor-mcp/oauth/callback").destination(), "cursor:");
    }
}
