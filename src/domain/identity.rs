//! Who a person is, as far as the identity provider may say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::{Digest, first_64_bits};

use super::{DomainName, EmailAddress};

/// The operator's name for an identity provider: it stands in URLs and rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpstreamId(String);

impl UpstreamId {
    /// Accepts 1 to 40 characters of `a-z`, `0-9` and `-`: they stand in a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=40).contains(&text.len()) && text.bytes().all(allowed);
        good.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person's stable identifier, the `sub` of our tokens: a digest of issuer and subject, never
/// an email (SEC-054). The prefix keeps it apart from every client id (SEC-114).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(String);

impl PersonId {
    /// The person whom `issuer` calls `subject`.
    #[must_use]
    pub fn of(issuer: &str, subject: &str) -> Self {
        let digest = Digest::of(&format!("{}:{issuer}{subject}", issuer.len()));
        Self(format!("p_{}", digest.as_str()))
    }

    /// An identifier as a token or the audit log carries it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest = text.strip_prefix("p_")?;
        let is_one =
            digest.len() == 43 && digest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        is_one.then(|| Self(text.to_owned()))
    }

    /// The identifier's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The short form, for the names of a person's records.
    #[must_use]
    pub fn tag(&self) -> PersonTag {
        // Whatever has the form of an identifier has a tag, also one that is no digest.
        PersonTag(first_64_bits(self.0.strip_prefix("p_").unwrap_or_default()))
    }
}

/// The first 64 bits of a person's digest. Two people might share one, so it only says where to
/// look: the record says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonTag([u8; 8]);

impl PersonTag {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for PersonTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account as rules name it: `issuer|subject`. The issuer is a URL, so the first bar ends it;
/// a subject may hold more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider's issuer identifier.
    pub issuer: String,
    /// The person's identifier there.
    pub subject: String,
}

/// The text names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not issuer|subject")]
pub struct InvalidAccount;

impl FromStr for Account {
    type Err = InvalidAccount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (issuer, subject) = text.split_once('|').ok_or(InvalidAccount)?;
        let is_url = issuer.starts_with("https://") || issuer.starts_with("http://");
        if !is_url || subject.is_empty() {
            return Err(InvalidAccount);
        }
        Ok(Self { issuer: issuer.to_owned(), subject: subject.to_owned() })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.issuer, self.subject)
    }
}

/// A signed-in person. Only facts that the upstream's trust rule lets through stand here:
/// an unverified email is absent, and so is a domain that the provider has no authority for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Which upstream said so.
    pub upstream: UpstreamId,
    /// Its issuer identifier.
    pub issuer: String,
    /// The person's identifier there.
    pub subject: String,
    /// The email address, verified.
    pub email: Option<EmailAddress>,
    /// The organisation's domain, where the provider is the authority for it.
    pub domain: Option<DomainName>,
    /// Group names, byte for byte.
    pub groups: BTreeSet<String>,
    /// Roles, byte for byte.
    pub roles: BTreeSet<String>,
    /// The values of those claims that rules ask for, by their path.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// A name to show; decides nothing.
    pub name: Option<String>,
    /// The session there that it belongs to, where the upstream names its sessions.
    pub session: Option<UpstreamSession>,
    /// When the upstream said so.
    pub authenticated_at: Timestamp,
}

/// Where [`Identity::claims`] says which lists were cut. Nothing is granted by it.
const INCOMPLETE: &str = ":incomplete";

/// A person's session at an upstream: the first 64 bits of a digest of its `sid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpstreamSession([u8; 8]);

impl UpstreamSession {
    /// The session that this upstream calls `sid`.
    #[must_use]
    pub fn of(upstream: &UpstreamId, sid: &str) -> Self {
        // An upstream's name has no colon.
        Self(Digest::of(&format!("{upstream}:{sid}")).prefix())
    }

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for UpstreamSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Identity {
    /// Did the provider tell fewer groups than the person has? Then the absence of one means
    /// nothing.
    #[must_use]
    pub fn groups_are_incomplete(&self) -> bool {
        self.claims.get(INCOMPLETE).is_some_and(|lists| lists.contains("groups"))
    }

    /// Remembers that the provider told fewer groups than there are.
    pub fn mark_groups_incomplete(&mut self) {
        self.claims.entry(INCOMPLETE.to_owned()).or_default().insert("groups".to_owned());
    }

    /// These facts of the same person, in the session of an earlier sign-in: facts are renewed, a
    /// sign-in is not.
    #[must_use]
    pub fn in_the_session_of(self, sign_in: &Self) -> Self {
        Self { session: sign_in.session, authenticated_at: sign_in.authenticated_at, ..self }
    }

    /// The account key.
    #[must_use]
    pub fn person(&self) -> PersonId {
        PersonId::of(&self.issuer, &self.subject)
    }

    /// Is it this account?
    #[must_use]
    pub fn is(&self, account: &Account) -> bool {
        self.issuer == account.issuer && self.subject == account.subject
    }

    /// The address, if the provider is the authority for its domain: only then may it decide.
    #[must_use]
    pub fn own_email(&self) -> Option<&EmailAddress> {
        self.email.as_ref().filter(|email| self.domain.as_ref() == Some(email.domain()))
    }

    /// How to address the person on a page.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.email, &self.name) {
            (Some(email), _) => email.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => self.subject.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_054_the_account_key_is_issuer_and_subject() {
        assert_eq!(PersonId::of("https://a", "1"), PersonId::of("https://a", "1"));
        assert_ne!(PersonId::of("https://a", "1"), PersonId::of("https://b", "1"));
        assert_ne!(PersonId::of("https://a", "1"), PersonId::of("https://a", "2"));
        assert_ne!(PersonId::of("https://a1", "1"), PersonId::of("https://a", "11"));
    }

    #[test]
    fn an_account_s_subject_may_hold_bars() {
        let account: Account = "https://acme.auth0.com/|auth0|5f7c".parse().unwrap();
        assert_eq!(account.issuer, "https://acme.auth0.com/");
        assert_eq!(account.subject, "auth0|5f7c");
        assert_eq!(account.to_string(), "https://acme.auth0.com/|auth0|5f7c");
        for bad in ["", "https://a", "https://a|", "|1", "a|b@example.com", "alice@example.com"] {
            assert!(bad.parse::<Account>().is_err(), "{bad}");
        }
    }

    #[test]
    fn upstream_ids_are_safe_in_a_path() {
        assert!(UpstreamId::parse("okta-2").is_some());
        for bad in ["", "Okta", "a/b", "..", "a b", &"x".repeat(41)] {
            assert!(UpstreamId::parse(bad).is_none(), "{bad}");
        }
    }
}
