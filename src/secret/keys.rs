//! The operator's secret and the keys derived from it (HKDF-SHA256, RFC 5869), one per purpose.

use aws_lc_rs::hkdf;

use super::seal::SealingKey;
use super::{MacKey, Sealer, Secret, random};

/// Fewest characters that an operator's secret may have.
pub const SHORTEST_SECRET: usize = 32;

/// Values that stand in examples; a broker must not run on them (SEC-168).
const EXAMPLES: [&str; 4] = ["change", "example", "secretsecret", "00000000"];

/// Why a secret is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Too few characters.
    #[error("is shorter than {SHORTEST_SECRET} characters; make one with: gatelodge secret")]
    Short,
    /// Stands in an example, or repeats few characters.
    #[error("is an example or is guessable; make one with: gatelodge secret")]
    Guessable,
}

/// The operator's secret: everything at rest and every refresh token hangs on it. Previous ones
/// may come with it: they open and verify what they sealed and signed, and make nothing new.
#[derive(Clone, Debug)]
pub struct MasterSecret {
    current: Secret,
    previous: Vec<Secret>,
}

impl MasterSecret {
    /// Accepts a secret that is long enough and not an example.
    pub fn new(secret: Secret) -> Result<Self, WeakSecret> {
        let text = secret.expose();
        if text.chars().count() < SHORTEST_SECRET {
            return Err(WeakSecret::Short);
        }
        let lower = text.to_ascii_lowercase();
        let mut distinct: Vec<char> = text.chars().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 10 || EXAMPLES.iter().any(|example| lower.contains(example)) {
            return Err(WeakSecret::Guessable);
        }
        Ok(Self { current: secret, previous: Vec::new() })
    }

    /// A fresh secret, for the demo and for the first start of the embedded store.
    #[must_use]
    pub fn generate() -> Self {
        Self { current: Secret::new(random::token()), previous: Vec::new() }
    }

    /// The same secret, and others that were in use before it or will be after it.
    #[must_use]
    pub fn with_previous(mut self, previous: impl IntoIterator<Item = Self>) -> Self {
        self.previous.extend(previous.into_iter().map(|secret| secret.current));
        self
    }

    /// The text, to keep it in a file.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.current.expose()
    }

    /// The keys that seal records at rest.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        let key = |secret: &Secret| {
            let [id, ..] = derive(secret, b"gatelodge seal id v1");
            SealingKey::new(&derive(secret, b"gatelodge seal v1"), id)
        };
        Sealer::new(key(&self.current), self.previous.iter().map(key).collect())
    }

    /// A key for message authentication, one per purpose.
    #[must_use]
    pub fn mac_key(&self, purpose: &'static str) -> MacKey {
        let key = |secret: &Secret| derive(secret, purpose.as_bytes());
        MacKey::new(key(&self.current), self.previous.iter().map(key))
    }
}

fn derive(secret: &Secret, purpose: &[u8]) -> [u8; 32] {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"gatelodge");
    let key = salt.extract(secret.expose().as_bytes());
    let mut bytes = [0_u8; 32];
    #[expect(clippy::expect_used, reason = "32 bytes is within what HKDF-SHA256 gives")]
    key.expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut bytes))
        .expect("32 bytes of HKDF output");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_168_short_and_example_secrets_are_refused() {
        let refuse = |text: &str| MasterSecret::new(Secret::new(text.into())).unwrap_err();
        assert_eq!(refuse("short"), WeakSecret::Short);
        assert_eq!(refuse("change-me-change-me-change-me-1234567"), WeakSecret::Guessable);
        assert_eq!(refuse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), WeakSecret::Guessable);
    }
}
