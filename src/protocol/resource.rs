//! Resource indicators (RFC 8707): the protected server that a token is for, and its only `aud`.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// A protected server's URL exactly as configured; comparison ignores what clients vary
/// (case of scheme and host, default port, one trailing slash: SEC-016, INT-55).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceUri {
    text: String,
    canonical: String,
}

/// The text is no resource indicator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// Not an absolute http(s) URL.
    #[error("is not an absolute http or https URL")]
    NotAbsolute,
    /// Has a fragment or user information.
    #[error("must have no fragment, user name or password (RFC 8707 section 2)")]
    HasExtras,
}

impl ResourceUri {
    /// Accepts an absolute http(s) URL without fragment (SEC-015).
    pub fn parse(text: &str) -> Result<Self, InvalidResource> {
        let url = Url::parse(text).map_err(|_| InvalidResource::NotAbsolute)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(InvalidResource::NotAbsolute);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.fragment().is_some() || has_user {
            return Err(InvalidResource::HasExtras);
        }
        let mut canonical = url.as_str().to_owned();
        if url.query().is_none() && canonical.ends_with('/') {
            canonical.pop();
        }
        Ok(Self { text: text.to_owned(), canonical })
    }

    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one spelling that all that are equal share.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The URL's path, without a trailing slash; empty for a bare origin.
    #[must_use]
    pub fn path(&self) -> &str {
        let after_scheme = self.canonical.find("://").map_or(0, |at| at + 3);
        let rest = self.canonical.get(after_scheme..).unwrap_or_default();
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.canonical.strip_suffix(self.path()).unwrap_or(&self.canonical)
    }

    /// Host and port, as in a `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }
}

impl PartialEq for ResourceUri {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for ResourceUri {}

impl TryFrom<String> for ResourceUri {
    type Error = InvalidResource;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ResourceUri> for String {
    fn from(resource: ResourceUri) -> Self {
        resource.text
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> ResourceUri {
        ResourceUri::parse(text).unwrap()
    }

    #[test]
    fn sec_016_int_55_spelling_variants_are_one_resource() {
        let configured = uri("https://mcp.example.com/mcp");
        for same in
            ["HTTPS://MCP.example.com/mcp", "https://mcp.example.com:443/mcp", "https://mcp.example.com/mcp/"]
        {
            assert_eq!(uri(same), configured, "{same}");
        }
        for other in [
            "https://mcp.example.com/MCP",
            "https://mcp.example.com/",
            "https://mcp.example.com/mcp?x=1",
            "http://mcp.example.com/mcp",
        ] {
            assert_ne!(uri(other), configured, "{other}");
        }
        assert_eq!(uri("https://a.example"), uri("https://a.example/"));
    }

    #[test]
    fn sec_015_relative_and_fragment_are_refused() {
        assert_eq!(ResourceUri::parse("/mcp"), Err(InvalidResource::NotAbsolute));
        assert_eq!(ResourceUri::parse("urn:x:y"), Err(InvalidResource::NotAbsolute));
        assert_eq!(ResourceUri::parse("https://a.example/#x"), Err(InvalidResource::HasExtras));
        assert_eq!(ResourceUri::parse("https://u:p@a.example/"), Err(InvalidResource::HasExtras));
    }

    #[test]
    fn parts() {
        assert_eq!(uri("https://a.example:8443/x/y/").path(), "/x/y");
        assert_eq!(uri("https://a.example:8443/x/y/").origin(), "https://a.example:8443");
        assert_eq!(uri("https://a.example").path(), "");
    }
}
