//! Which redirect URIs an operator admits: whole ones, and kinds of them.

use url::{Host, Url};

use super::{InvalidRedirectUri, RedirectUri};

/// Some redirect URIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectPattern {
    /// One, as a registered URI matches a requested one: on loopback with any port.
    Exactly(RedirectUri),
    /// `claude.ai`, `claude.ai:8443`: https there, whatever the path.
    Host(String),
    /// `*.example.com`: https on every host below it, on the usual port.
    Below(String),
    /// `http://localhost`, `http://127.0.0.1`: there, whatever port and path.
    Loopback(String),
    /// `cursor:`: the scheme of an application.
    Scheme(String),
}

/// Why a text admits nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectPattern {
    /// No URI that could be registered.
    #[error(transparent)]
    Uri(#[from] InvalidRedirectUri),
    /// `https://claude.ai`: would admit this very text and nothing else.
    #[error("is a URI without a path: {0} admits that host, https://{0}/ this one URI")]
    HostAsUri(String),
    /// No scheme that an application may have of its own.
    #[error("is not the scheme of an application")]
    Scheme,
    /// No host.
    #[error("is neither a URI nor a host")]
    Host,
}

impl RedirectPattern {
    /// Reads what an operator wrote.
    pub fn parse(text: &str) -> Result<Self, InvalidRedirectPattern> {
        if let Some(scheme) = text.strip_suffix(':') {
            return application(scheme).ok_or(InvalidRedirectPattern::Scheme);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            // Of a whole top-level domain nobody means every host.
            let parent = host(parent).filter(|parent| parent.contains('.') && !parent.contains(':'));
            return parent.map(Self::Below).ok_or(InvalidRedirectPattern::Host);
        }
        let is_host_and_port =
            text.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        if is_host_and_port && !text.contains('/') {
            return host(text).map(Self::Host).ok_or(InvalidRedirectPattern::Host);
        }
        let uri = RedirectUri::parse(text)?;
        let authority =
            text.split_once("://").map(|(_, rest)| rest).filter(|rest| !rest.contains(['/', '?']));
        match authority {
            Some(authority) if uri.is_loopback() && !has_port(authority) => {
                Ok(Self::Loopback(text.to_owned()))
            }
            Some(authority) if text.starts_with("https:") => {
                Err(InvalidRedirectPattern::HostAsUri(authority.to_owned()))
            }
            Some(_) | None => Ok(Self::Exactly(uri)),
        }
    }

    /// Is this one of them?
    #[must_use]
    pub fn admits(&self, uri: &RedirectUri) -> bool {
        let parsed = Url::parse(uri.as_str()).ok();
        let https = || parsed.as_ref().filter(|url| url.scheme() == "https");
        match self {
            Self::Exactly(admitted) => admitted.matches(uri),
            Self::Host(admitted) => https().and_then(authority).is_some_and(|host| host == *admitted),
            Self::Below(parent) => https().and_then(authority).is_some_and(|host| {
                host.strip_suffix(parent.as_str())
                    .is_some_and(|below| below.len() > 1 && below.ends_with('.'))
            }),
            Self::Loopback(origin) => {
                let host = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
                uri.is_loopback() && host(uri.as_str()) == host(origin)
            }
            Self::Scheme(scheme) => uri.is_private_use() && parsed.is_some_and(|url| url.scheme() == scheme),
        }
    }
}

/// Host and port as a URL has them in its normal form: without the port that https has anyway.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// A name in its normal form, with a port or without.
fn host(text: &str) -> Option<String> {
    let url = Url::parse(&format!("https://{text}/")).ok()?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let is_whole = url.path() == "/" && text.bytes().all(is_name) && !matches!(url.host()?, Host::Domain(""));
    authority(&url).filter(|_| is_whole)
}

fn has_port(authority: &str) -> bool {
    authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

fn application(scheme: &str) -> Option<RedirectPattern> {
    // Whatever may be registered with that scheme may be admitted with it.
    let uri = RedirectUri::parse(&format!("{scheme}:/callback")).ok()?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+');
    let is_one = uri.is_private_use() && scheme.bytes().all(plain);
    is_one.then(|| RedirectPattern::Scheme(scheme.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(pattern: &str, uri: &str) -> bool {
        let uri = RedirectUri::parse(uri).unwrap();
        RedirectPattern::parse(pattern).unwrap().admits(&uri)
    }

    #[test]
    fn sec_109_each_kind_of_pattern_admits_its_own_and_no_other() {
        for (pattern, good, bad) in [
            (
                "claude.ai",
                &["https://claude.ai/api/mcp/auth_callback", "https://claude.ai:443/", "https://CLAUDE.ai/x"]
                    [..],
                &[
                    "https://claude.ai:8443/",
                    "https://a.claude.ai/",
                    "https://notclaude.ai/",
                    "https://claude.ai.evil.example/",
                    "https://evil.example/claude.ai",
                    "https://evil.example/?claude.ai",
                    "claude.ai:/cb",
                ][..],
            ),
            ("claude.ai:8443", &["https://claude.ai:8443/x"], &["https://claude.ai/x"]),
            (
                "*.example.com",
                &["https://a.example.com/", "https://a.b.example.com/x"],
                &["https://example.com/", "https://badexample.com/", "https://a.example.com.evil.example/"],
            ),
            (
                "http://127.0.0.1",
                &["http://127.0.0.1:1/cb", "http://127.0.0.1/", "http://127.0.0.1"],
                &["http://localhost/", "http://[::1]/", "https://127.0.0.1/"],
            ),
            ("http://localhost", &["http://localhost:7777/oauth/callback"], &["http://127.0.0.1/"]),
            ("http://[::1]", &["http://[::1]:7777/cb"], &["http://127.0.0.1/"]),
            (
                "cursor:",
                &["cursor://anysphere.cursor-mcp/oauth/callback", "cursor:/cb"],
                &["cursors:/cb", "https://cursor/", "vscode:/cursor:"],
            ),
            (
                "https://vscode.dev/redirect",
                &["https://vscode.dev/redirect"],
                &["https://vscode.dev/redirect/", "https://vscode.dev/redirect?x"],
            ),
            ("http://127.0.0.1:1/cb", &["http://127.0.0.1:2/cb"], &["http://127.0.0.1:1/other"]),
            ("com.example.app:/oauth", &["com.example.app:/oauth"], &["com.example.app:/other"]),
        ] {
            for uri in good {
                assert!(admits(pattern, uri), "{pattern} admits {uri}");
            }
            for uri in bad {
                assert!(!admits(pattern, uri), "{pattern} does not admit {uri}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for bad in [
            "",
            "*",
            "*.",
            "*.com",
            "*.example.com:8443",
            "https:",
            "http:",
            "javascript:",
            "data:",
            ":",
            "a b",
            "https://claude.ai",
            "http://claude.ai",
            "http://claude.ai/cb",
            "https://*.example.com/cb",
            "javascript:alert(1)",
            "claude.ai/callback",
            "https://a.example/#f",
            "Cursor:",
        ] {
            assert!(RedirectPattern::parse(bad).is_err(), "{bad}");
        }
        let told = RedirectPattern::parse("https://claude.ai").unwrap_err().to_string();
        assert!(told.contains("claude.ai admits that host"), "{told}");
    }
}
