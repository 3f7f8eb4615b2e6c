//! What is kept of a secret that was handed out.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::MacKey;

/// An HMAC of a secret and of whom it belongs to: without the operator's secret nobody can try
/// guesses, and moved to another owner it proves nothing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyedHash(String);

impl KeyedHash {
    /// The hash of `secret`, which belongs to `owner`.
    #[must_use]
    pub fn of(key: &MacKey, owner: &str, secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(key.tag(&message(owner, secret))))
    }

    /// Its text, for a record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this the hash of `secret`, under any of the keys? In constant time.
    #[must_use]
    pub fn is_of(&self, key: &MacKey, owner: &str, secret: &str) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(&self.0).unwrap_or_default();
        key.verify(&message(owner, secret), &tag)
    }
}

/// The length tells where the owner ends.
fn message(owner: &str, secret: &str) -> Vec<u8> {
    let mut message = (owner.len() as u64).to_be_bytes().to_vec();
    message.extend_from_slice(owner.as_bytes());
    message.extend_from_slice(secret.as_bytes());
    message
}

impl PartialEq for KeyedHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for KeyedHash {}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[keyed hash]")
    }
}

#[cfg(test)]
mod tests {
    use super::super::MasterSecret;
    use super::*;

    #[test]
    fn a_hash_holds_for_its_owner_under_any_of_the_keys() {
        let (old, new) = (MasterSecret::generate(), MasterSecret::generate());
        let before = old.mac_key("test");
        let hash = KeyedHash::of(&before, "glo_a", "s3cret");
        assert!(hash.is_of(&before, "glo_a", "s3cret"));
        assert!(!hash.is_of(&before, "glo_a", "s3cre"));
        assert!(!hash.is_of(&before, "glo_", "as3cret"));
        assert!(!hash.is_of(&new.mac_key("test"), "glo_a", "s3cret"));
        let both = new.clone().with_previous([old]).mac_key("test");
        assert!(hash.is_of(&both, "glo_a", "s3cret"));
        assert_ne!(KeyedHash::of(&both, "glo_a", "s3cret"), hash);
    }
}
