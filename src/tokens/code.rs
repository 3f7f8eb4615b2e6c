//! Authorization codes: `grant id (16 bytes) ‖ secret (32 bytes)` in base64url (SEC-022, INT-49).
//!
//! The grant's name finds the record; the record holds the digest of the whole code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::GrantId;
use crate::secret::{Digest, Secret, random};

const LENGTH: usize = 16 + 32;

/// A code as a client presents it.
#[derive(Debug)]
pub struct AuthorizationCode {
    grant: GrantId,
    digest: Digest,
}

impl AuthorizationCode {
    /// A fresh code of a grant, and what the store may know of it.
    #[must_use]
    pub fn generate(grant: GrantId) -> (Secret, Digest) {
        let mut bytes = grant.as_bytes().to_vec();
        bytes.extend_from_slice(&random::bytes::<32>());
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let digest = Digest::of(&text);
        (Secret::new(text), digest)
    }

    /// Reads a code; `None` if it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (grant, secret) = bytes.split_first_chunk::<16>()?;
        (secret.len() == LENGTH - 16)
            .then(|| Self { grant: GrantId::from_bytes(*grant), digest: Digest::of(text) })
    }

    /// The grant that it names.
    #[must_use]
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_022_int_49_codes_are_long_and_unreserved() {
        let grant = GrantId::generate();
        let (code, digest) = AuthorizationCode::generate(grant);
        assert_eq!(code.expose().len(), 64);
        assert!(code.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        let read = AuthorizationCode::parse(code.expose()).unwrap();
        assert_eq!((read.grant(), read.digest()), (&grant, &digest));
        assert!(AuthorizationCode::parse(&code.expose()[..63]).is_none());
    }

    /// SEC-023: the challenge is nowhere in the code; it is random but for the grant's name.
    #[test]
    fn sec_023_two_codes_of_one_grant_share_only_its_name() {
        let grant = GrantId::generate();
        let (a, _) = AuthorizationCode::generate(grant);
        let (b, _) = AuthorizationCode::generate(grant);
        assert_ne!(a.expose()[22..], b.expose()[22..]);
    }
}
