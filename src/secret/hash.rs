//! SHA-256 of secrets that we generated: they have full entropy, so no password hash is needed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// A SHA-256 digest in base64url, compared in constant time.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        Self(URL_SAFE_NO_PAD.encode(digest.as_ref()))
    }

    /// A digest as [`Digest::as_str`] wrote it.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let is_one = URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
        is_one.then(|| Self(text.to_owned()))
    }

    /// The first 64 bits: to find something by, and no proof of anything.
    #[must_use]
    pub fn prefix(&self) -> [u8; 8] {
        first_64_bits(&self.0)
    }

    /// The 43 base64url characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this the digest of `text`? In constant time.
    #[must_use]
    pub fn is_of(&self, text: &str) -> bool {
        *self == Self::of(text)
    }
}

/// A SHA-256 digest by which a cache finds what it knows of a secret. It leaves the process in no way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a secret at a place, which holds no line break.
    #[must_use]
    pub fn of(place: &str, secret: &str) -> Self {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(place.as_bytes());
        context.update(b"\n");
        context.update(secret.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[fingerprint]")
    }
}

/// The first 64 bits of what base64url text holds. What is not base64url has none: then it is zero.
#[must_use]
pub fn first_64_bits(text: &str) -> [u8; 8] {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    bytes.first_chunk().copied().unwrap_or_default()
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}
