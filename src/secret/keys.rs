//! The operator's secret and the keys derived from it (HKDF-SHA256, RFC 5869), one per purpose.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};

use super::{Secret, random};

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

/// The operator's secret: everything at rest and every refresh token hangs on it.
#[derive(Clone, Debug)]
pub struct MasterSecret(Secret);

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
        Ok(Self(secret))
    }

    /// A fresh secret, for the demo and for the first start of the embedded store.
    #[must_use]
    pub fn generate() -> Self {
        Self(Secret::new(random::token()))
    }

    /// The text, to keep it in a file.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The key that seals records at rest.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer { bytes: self.derive(b"gatelodge seal v1") }
    }

    /// A key for message authentication, one per purpose.
    #[must_use]
    pub fn mac_key(&self, purpose: &'static str) -> MacKey {
        let bytes = self.derive(purpose.as_bytes());
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"gatelodge");
        let key = salt.extract(self.0.expose().as_bytes());
        let mut bytes = [0_u8; 32];
        #[expect(clippy::expect_used, reason = "32 bytes is within what HKDF-SHA256 gives")]
        key.expand(&[purpose], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut bytes))
            .expect("32 bytes of HKDF output");
        bytes
    }
}

/// What was sealed could not be opened: another secret, another record, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed record did not open: the secret changed, or the record was moved or altered")]
pub struct SealError;

/// Seals records at rest: AES-256-GCM with a random nonce; the record's key is associated data,
/// so a record that is copied over another does not open (SEC-166).
#[derive(Clone)]
pub struct Sealer {
    bytes: [u8; 32],
}

impl Sealer {
    fn key(&self) -> LessSafeKey {
        #[expect(clippy::expect_used, reason = "the length is the type's")]
        let key = UnboundKey::new(&AES_256_GCM, &self.bytes).expect("a key of 32 bytes");
        LessSafeKey::new(key)
    }

    /// Seals `plain` for the record named `key`.
    ///
    /// # Panics
    /// Never in practice: a record is far below what AES-GCM can seal.
    #[must_use]
    pub fn seal(&self, key: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = random::bytes::<NONCE_LEN>();
        let mut body = plain.to_vec();
        #[expect(clippy::expect_used, reason = "a record is far below AES-GCM's limit")]
        self.key()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(key.as_bytes()),
                &mut body,
            )
            .expect("sealing a record");
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        sealed
    }

    /// Opens what was sealed for the record named `key`.
    pub fn open(&self, key: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain =
            self.key().open_in_place(nonce, Aad::from(key.as_bytes()), &mut body).map_err(|_| SealError)?;
        Ok(plain.to_vec())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([secret])")
    }
}

/// HMAC-SHA256 for one purpose.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The tag of `message`.
    #[must_use]
    pub fn tag(&self, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, message);
        let mut bytes = [0_u8; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Is `tag` the whole tag of `message`? In constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_166_a_sealed_record_opens_only_under_its_own_key() {
        let sealer = MasterSecret::generate().sealer();
        let sealed = sealer.seal("gl:1:grant:a", b"alice");
        assert_eq!(sealer.open("gl:1:grant:a", &sealed).unwrap(), b"alice");
        assert_eq!(sealer.open("gl:1:grant:b", &sealed), Err(SealError));
        let other = MasterSecret::generate().sealer();
        assert_eq!(other.open("gl:1:grant:a", &sealed), Err(SealError));
        assert_eq!(sealer.open("gl:1:grant:a", b"short"), Err(SealError));
    }

    #[test]
    fn sec_168_short_and_example_secrets_are_refused() {
        let refuse = |text: &str| MasterSecret::new(Secret::new(text.into())).unwrap_err();
        assert_eq!(refuse("short"), WeakSecret::Short);
        assert_eq!(refuse("change-me-change-me-change-me-1234567"), WeakSecret::Guessable);
        assert_eq!(refuse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), WeakSecret::Guessable);
    }

    #[test]
    fn keys_differ_by_purpose() {
        let master = MasterSecret::generate();
        assert_ne!(master.mac_key("a").tag(b"x"), master.mac_key("b").tag(b"x"));
        assert!(master.mac_key("a").verify(b"x", &master.mac_key("a").tag(b"x")));
    }
}
