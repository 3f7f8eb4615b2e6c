//! Refresh tokens: `glr_` and base64url of `grant id (16) ‖ generation (8) ‖ HMAC-SHA256 (32)`.
//!
//! Nothing secret is stored: a token proves itself by its MAC, and the store holds one
//! generation per family (PRIN-4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::GrantId;
use crate::secret::{MacKey, MasterSecret, Secret};

const PREFIX: &str = "glr_";

/// A refresh token whose MAC was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    grant: GrantId,
    generation: u64,
}

impl RefreshToken {
    /// Its family.
    #[must_use]
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// Its generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Makes and reads refresh tokens.
#[derive(Debug, Clone)]
pub struct RefreshTokens {
    key: MacKey,
}

impl RefreshTokens {
    /// Tokens under the operator's secret.
    #[must_use]
    pub fn new(master: &MasterSecret) -> Self {
        Self { key: master.mac_key("gatelodge refresh token v1") }
    }

    /// The one token of this generation.
    #[must_use]
    pub fn issue(&self, grant: &GrantId, generation: u64) -> Secret {
        let mut bytes = Self::message(grant, generation).to_vec();
        bytes.extend_from_slice(&self.key.tag(&bytes));
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a token; `None` unless its MAC is whole (SEC-092).
    #[must_use]
    pub fn read(&self, text: &str) -> Option<RefreshToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (grant, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, tag) = rest.split_first_chunk::<8>()?;
        let grant = GrantId::from_bytes(*grant);
        let generation = u64::from_be_bytes(*generation);
        self.key.verify(&Self::message(&grant, generation), tag).then_some(RefreshToken { grant, generation })
    }

    fn message(grant: &GrantId, generation: u64) -> [u8; 24] {
        let mut message = [0_u8; 24];
        let (name, number) = message.split_at_mut(16);
        name.copy_from_slice(&grant.to_bytes());
        number.copy_from_slice(&generation.to_be_bytes());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PersonId;

    #[test]
    fn a_token_reads_back_under_its_own_secret_only() {
        let tokens = RefreshTokens::new(&MasterSecret::generate());
        let grant = GrantId::generate(&PersonId::of("https://idp.example", "alice"));
        let token = tokens.issue(&grant, 7);
        let read = tokens.read(token.expose()).unwrap();
        assert_eq!((read.grant(), read.generation()), (&grant, 7));
        assert_eq!(tokens.issue(&grant, 7), token, "the successor is derived, not stored");
        assert!(RefreshTokens::new(&MasterSecret::generate()).read(token.expose()).is_none());
    }

    /// CVE-2026-27840: a truncated token was valid elsewhere.
    #[test]
    fn sec_092_truncated_extended_and_flipped_tokens_are_refused() {
        let tokens = RefreshTokens::new(&MasterSecret::generate());
        let token = tokens.issue(&GrantId::generate(&PersonId::of("https://idp.example", "alice")), 1);
        let text = token.expose();
        for cut in 0..text.len() {
            assert!(tokens.read(&text[..cut]).is_none(), "cut at {cut}");
        }
        assert!(tokens.read(&format!("{text}A")).is_none());
        assert!(tokens.read(&format!("{text}AAAA")).is_none());
        let bytes = URL_SAFE_NO_PAD.decode(&text[PREFIX.len()..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(flipped));
            assert!(tokens.read(&flipped).is_none(), "bit {bit}");
        }
    }
}
