//! The broker's issuer identifier (RFC 8414 section 2) and the URLs below it.
//!
//! Every URL that the broker publishes is built here from configuration, never from a request's
//! headers (SEC-136).

use std::fmt;

use url::{Host, Url};

/// An issuer: an https origin with an optional path, no query, no fragment, no trailing slash.
/// http is accepted on loopback only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    origin: String,
    authority: String,
    path: String,
    loopback_http: bool,
}

/// Why a text is no issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    /// Not an absolute URL with a host.
    #[error("is not an absolute URL; write for example https://auth.example.com")]
    NotAUrl,
    /// Neither https nor http on loopback.
    #[error("must be https (plain http is accepted only on 127.0.0.1, [::1] or localhost)")]
    NotHttps,
    /// Has a query, a fragment or user information.
    #[error("must have no query, fragment, user name or password (RFC 8414 section 2)")]
    HasExtras,
    /// Would be spelled differently by a client that normalises URLs.
    #[error("must be written in its normal form, without a trailing slash: {0}")]
    NotNormal(String),
}

impl Issuer {
    /// Accepts an issuer in its normal form.
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl)?;
        let host = url.host().ok_or(InvalidIssuer::NotAUrl)?;
        let loopback_http = url.scheme() == "http" && is_loopback_host(&host);
        if url.scheme() != "https" && !loopback_http {
            return Err(InvalidIssuer::NotHttps);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || has_user {
            return Err(InvalidIssuer::HasExtras);
        }
        let normal = url.as_str().trim_end_matches('/').to_owned();
        if normal != text {
            return Err(InvalidIssuer::NotNormal(normal));
        }
        let origin = url.origin().ascii_serialization();
        let authority = origin.split("://").nth(1).unwrap_or_default().to_owned();
        let path = normal.strip_prefix(&origin).unwrap_or_default().to_owned();
        Ok(Self { text: normal, origin, authority, path, loopback_http })
    }

    /// The identifier, byte for byte as metadata, `iss` and tokens carry it (INT-02).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Host and port, as a `Host` header names them.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path without a trailing slash; empty for a bare origin.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Plain http on loopback: cookies cannot be `Secure` there.
    #[must_use]
    pub fn is_loopback_http(&self) -> bool {
        self.loopback_http
    }

    /// The public URL of an endpoint; `path` starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `127.0.0.0/8`, `[::1]` or `localhost`.
#[must_use]
pub fn is_loopback_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_168_http_is_for_loopback_only() {
        for good in [
            "https://auth.example.com",
            "https://x.example/a/b",
            "http://127.0.0.1:9400",
            "http://localhost:1",
        ] {
            assert_eq!(Issuer::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(Issuer::parse("http://auth.example.com"), Err(InvalidIssuer::NotHttps));
        assert_eq!(Issuer::parse("http://127.0.0.1.evil.example"), Err(InvalidIssuer::NotHttps));
    }

    #[test]
    fn an_issuer_is_written_in_one_way_only() {
        let normal = |bad| match Issuer::parse(bad) {
            Err(InvalidIssuer::NotNormal(normal)) => normal,
            other => format!("{other:?}"),
        };
        assert_eq!(normal("https://auth.example.com/"), "https://auth.example.com");
        assert_eq!(normal("https://AUTH.example.com:443"), "https://auth.example.com");
        assert_eq!(Issuer::parse("https://a.example?x"), Err(InvalidIssuer::HasExtras));
        assert_eq!(Issuer::parse("https://u@a.example"), Err(InvalidIssuer::HasExtras));
        assert_eq!(Issuer::parse("auth.example.com"), Err(InvalidIssuer::NotAUrl));
    }

    #[test]
    fn parts() {
        let issuer = Issuer::parse("https://a.example:8443/tenant/one").unwrap();
        assert_eq!(issuer.authority(), "a.example:8443");
        assert_eq!(issuer.path(), "/tenant/one");
        assert_eq!(issuer.url("/oauth/token"), "https://a.example:8443/tenant/one/oauth/token");
    }
}
