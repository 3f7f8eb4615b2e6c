//! PKCE with S256, the only method (OAuth 2.1 section 4.1.1, RFC 7636).

use serde::{Deserialize, Serialize};

use crate::secret::Digest;

/// A code challenge: the base64url SHA-256 of a verifier that only the client knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct S256Challenge(String);

/// The text is no S256 challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("code_challenge must be the 43 base64url characters of a SHA-256 digest, unpadded")]
pub struct InvalidChallenge;

impl S256Challenge {
    /// Accepts exactly 43 base64url characters (SEC-009).
    pub fn parse(text: &str) -> Result<Self, InvalidChallenge> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.len() != 43 || !text.bytes().all(allowed) {
            return Err(InvalidChallenge);
        }
        Ok(Self(text.to_owned()))
    }

    /// The challenge of a verifier.
    #[must_use]
    pub fn of_verifier(verifier: &str) -> Self {
        Self(Digest::of(verifier).as_str().to_owned())
    }

    /// The one challenge that a verifier answers. RFC 7636 section 4.1: 43 to 128 unreserved
    /// characters; anything else answers nothing.
    #[must_use]
    pub fn answered_by(verifier: &str) -> Option<Self> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let is_one = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        is_one.then(|| Self::of_verifier(verifier))
    }

    /// Does this verifier answer the challenge?
    #[must_use]
    pub fn is_answered_by(&self, verifier: &str) -> bool {
        let answered = Self::answered_by(verifier);
        answered.is_some_and(|own| subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), own.0.as_bytes()).into())
    }

    /// The challenge's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_rfc_example_verifies() {
        let challenge = S256Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_answered_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_answered_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
    }

    #[test]
    fn sec_009_a_challenge_has_43_unreserved_characters() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(S256Challenge::parse(good).is_ok());
        for bad in [&good[..42], &format!("{good}="), &good.replace('-', "+"), ""] {
            assert!(S256Challenge::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn int_54_sec_074_verifiers_have_43_to_128_unreserved_characters() {
        for verifier in ["a".repeat(43), "-._~".repeat(32)] {
            assert!(S256Challenge::of_verifier(&verifier).is_answered_by(&verifier));
        }
        for verifier in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50))] {
            assert!(!S256Challenge::of_verifier(&verifier).is_answered_by(&verifier));
        }
    }
}
