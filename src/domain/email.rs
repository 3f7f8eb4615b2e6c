//! Email addresses and domains, as far as they may decide anything.
//!
//! The rules are strict on purpose: an address that could be read in two ways is no address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Host;

/// A DNS domain in lower-case ASCII (IDNA applied), compared by whole labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);

/// The text is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain name; write for example example.com, without @, wildcard or trailing dot")]
pub struct InvalidDomain(String);

impl DomainName {
    /// The domain's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainName {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDomain(text.escape_debug().to_string());
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
        if !text.contains('.') || text.ends_with('.') || !text.chars().all(plain) {
            return Err(invalid());
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) if name.split('.').all(|label| !label.is_empty()) => {
                Ok(Self(name.to_ascii_lowercase()))
            }
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for DomainName {
    type Error = InvalidDomain;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DomainName> for String {
    fn from(domain: DomainName) -> Self {
        domain.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An email address whose domain is unambiguous. The local part is kept as it is:
/// case and plus-tags are never folded into an identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    local: String,
    domain: DomainName,
}

/// The text is no address that could decide anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a plain email address like alice@example.com")]
pub struct InvalidEmail;

impl EmailAddress {
    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail)?;
        let plain =
            |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '(' | ')' | '<' | '>' | '\\' | ';');
        if local.is_empty() || domain.contains('@') || !local.chars().all(plain) {
            return Err(InvalidEmail);
        }
        let domain = domain.parse().map_err(|_| InvalidEmail)?;
        Ok(Self { local: local.to_owned(), domain })
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmail;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(email: EmailAddress) -> Self {
        email.to_string()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain_of(text: &str) -> Option<String> {
        text.parse::<EmailAddress>().ok().map(|email| email.domain().to_string())
    }

    /// IDP-matcher: each of these must not be read as `example.com`.
    #[test]
    fn idp_matcher_lookalikes_are_not_the_domain() {
        for address in [
            "a@evil-example.com",
            "a@example.com.evil",
            "a@evil@example.com",
            "\"a@example.com\"@evil",
            "a@\u{435}xample.com",
            "a@example.com\u{0}",
            "a@sub.example.com",
            "a@xn--example-.com",
            "a@example.com.",
            "a@example.com ",
            " a@example.com@",
            "a@example.com,b@evil.example",
            "a@",
            "@example.com",
            "example.com",
            "a@example,com",
            "a b@example.com",
            "a@ex\u{200b}ample.com",
            "a@example.com\r\n",
            "a@%65xample.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
        ] {
            assert_ne!(domain_of(address).as_deref(), Some("example.com"), "{address:?}");
        }
    }

    #[test]
    fn idp_matcher_only_the_domain_is_lower_cased() {
        let email: EmailAddress = "Alice+x@EXAMPLE.com".parse().unwrap();
        assert_eq!(email.to_string(), "Alice+x@example.com");
        assert_ne!(email, "alice+x@example.com".parse().unwrap());
        assert_eq!(domain_of("a@müller.example"), Some("xn--mller-kva.example".into()));
    }
}
