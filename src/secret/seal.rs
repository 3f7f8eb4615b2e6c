//! Seals for records at rest: AES-256-GCM with the record's key as associated data.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::random;

/// What was sealed could not be opened: another secret, another record, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed record did not open: the secret changed, or the record was moved or altered")]
pub struct SealError;

/// What a seal held.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The record.
    pub plain: Vec<u8>,
    /// Was it sealed under a previous secret? Then it should be sealed anew.
    pub is_stale: bool,
}

/// One key and its name.
pub(super) struct SealingKey {
    key: LessSafeKey,
    /// Stands in the first byte of every nonce made for the key. So the key is found without
    /// trying each, and the form is the one that it had when there was only one key: a nonce
    /// without a name opens as well, after a try or two. 88 random bits are left.
    pub(super) id: u8,
}

impl SealingKey {
    /// Expands the key, once.
    pub(super) fn new(bytes: &[u8; 32], id: u8) -> Self {
        #[expect(clippy::expect_used, reason = "the length is the type's")]
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("a key of 32 bytes");
        Self { key: LessSafeKey::new(key), id }
    }
}

/// Seals records at rest, so that a record that is copied over another does not open (SEC-166).
/// The first key seals; every key opens.
#[derive(Clone)]
pub struct Sealer {
    first: Arc<SealingKey>,
    previous: Arc<[SealingKey]>,
}

impl Sealer {
    pub(super) fn new(first: SealingKey, previous: Vec<SealingKey>) -> Self {
        Self { first: Arc::new(first), previous: previous.into() }
    }

    /// Seals `plain` for the record named `key`.
    ///
    /// # Panics
    /// Never in practice: a record is far below what AES-GCM can seal.
    #[must_use]
    pub fn seal(&self, key: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = random::bytes::<NONCE_LEN>();
        let [id, ..] = &mut nonce;
        *id = self.first.id;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, body) = sealed.split_at_mut(NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        #[expect(clippy::expect_used, reason = "a record is far below AES-GCM's limit")]
        let tag = self
            .first
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(key.as_bytes()), body)
            .expect("sealing a record");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what was sealed for the record named `key`.
    pub fn open(&self, key: &str, sealed: &[u8]) -> Result<Opened, SealError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let [id, ..] = nonce;
        let all =
            || std::iter::once((&*self.first, false)).chain(self.previous.iter().map(|key| (key, true)));
        let named = all().filter(|(key, _)| key.id == *id);
        let others = all().filter(|(key, _)| key.id != *id);
        let opened = named.chain(others).find_map(|(with, is_stale)| {
            let mut body = body.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = with.key.open_in_place(nonce, Aad::from(key.as_bytes()), &mut body).ok()?.len();
            body.truncate(length);
            Some(Opened { plain: body, is_stale })
        });
        opened.ok_or(SealError)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([secret])")
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("is_stale", &self.is_stale).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MasterSecret;

    fn plain(sealer: &Sealer, key: &str, sealed: &[u8]) -> Result<(Vec<u8>, bool), SealError> {
        sealer.open(key, sealed).map(|opened| (opened.plain, opened.is_stale))
    }

    #[test]
    fn sec_166_a_sealed_record_opens_only_under_its_own_key() {
        let sealer = MasterSecret::generate().sealer();
        let sealed = sealer.seal("gl:1:grant:a", b"alice");
        assert_eq!(plain(&sealer, "gl:1:grant:a", &sealed), Ok((b"alice".to_vec(), false)));
        assert_eq!(plain(&sealer, "gl:1:grant:b", &sealed), Err(SealError));
        let other = MasterSecret::generate().sealer();
        assert_eq!(plain(&other, "gl:1:grant:a", &sealed), Err(SealError));
        assert_eq!(plain(&sealer, "gl:1:grant:a", b"short"), Err(SealError));
    }

    #[test]
    fn a_previous_secret_opens_and_does_not_seal() {
        let (old, new) = (MasterSecret::generate(), MasterSecret::generate());
        let both = new.clone().with_previous([old.clone(), MasterSecret::generate()]).sealer();
        let sealed = old.sealer().seal("a", b"alice");
        assert_eq!(plain(&both, "a", &sealed), Ok((b"alice".to_vec(), true)));
        let sealed = both.seal("a", b"alice");
        assert_eq!(plain(&new.sealer(), "a", &sealed), Ok((b"alice".to_vec(), false)));
        assert_eq!(plain(&old.sealer(), "a", &sealed), Err(SealError));
        assert!(!format!("{:?}", both.open("a", &sealed)).contains("alice"));
    }

    /// What was sealed when nonces had no name, or another key's, still opens.
    #[test]
    fn a_nonce_without_a_name_opens() {
        let key = |byte, id| SealingKey::new(&[byte; 32], id);
        let both = Sealer::new(key(1, 7), vec![key(2, 9)]);
        for id in 0..=255 {
            let old = Sealer::new(key(2, id), Vec::new());
            let sealed = old.seal("a", b"alice");
            assert_eq!(sealed[0], id);
            assert_eq!(plain(&both, "a", &sealed), Ok((b"alice".to_vec(), true)));
        }
    }
}
