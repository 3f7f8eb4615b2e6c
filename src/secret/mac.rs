//! Message authentication.

use std::fmt;

use aws_lc_rs::hmac;

/// HMAC-SHA256 for one purpose. The first key makes tags; every key verifies.
#[derive(Clone)]
pub struct MacKey {
    first: hmac::Key,
    previous: Vec<hmac::Key>,
}

impl MacKey {
    pub(super) fn new(first: [u8; 32], previous: impl Iterator<Item = [u8; 32]>) -> Self {
        let key = |bytes: [u8; 32]| hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Self { first: key(first), previous: previous.map(key).collect() }
    }

    /// The tag of `message`.
    #[must_use]
    pub fn tag(&self, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.first, message);
        let mut bytes = [0_u8; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Is `tag` the whole tag of `message`, under any of the keys? In constant time: every key is
    /// asked, whichever answers.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        let keys = std::iter::once(&self.first).chain(&self.previous);
        keys.fold(false, |held, key| hmac::verify(key, message, tag).is_ok() | held)
    }

    /// Each key alone, the first one first: for what was derived by another replica, or before
    /// the secret changed.
    pub fn each(&self) -> impl Iterator<Item = Self> + '_ {
        let keys = std::iter::once(&self.first).chain(&self.previous);
        keys.map(|key| Self { first: key.clone(), previous: Vec::new() })
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use crate::secret::MasterSecret;

    #[test]
    fn keys_differ_by_purpose() {
        let master = MasterSecret::generate();
        assert_ne!(master.mac_key("a").tag(b"x"), master.mac_key("b").tag(b"x"));
        assert!(master.mac_key("a").verify(b"x", &master.mac_key("a").tag(b"x")));
    }

    #[test]
    fn a_previous_secret_verifies_and_makes_no_tags() {
        let (old, new) = (MasterSecret::generate(), MasterSecret::generate());
        let both = new.clone().with_previous([old.clone()]).mac_key("a");
        let (by_old, by_new) = (old.mac_key("a").tag(b"x"), new.mac_key("a").tag(b"x"));
        assert!(both.verify(b"x", &by_old) && both.verify(b"x", &by_new));
        assert!(!both.verify(b"y", &by_old) && !both.verify(b"x", &by_old[..31]));
        assert_eq!(both.tag(b"x"), by_new);
        assert_eq!(both.each().map(|key| key.tag(b"x")).collect::<Vec<_>>(), [by_new, by_old]);
    }
}
