//! API keys as text: `glk_{id}_{secret}{checksum}`, all of it base62.
//!
//! The prefix and the checksum, a CRC-32 of everything before it, let scanners tell a key that leaked from
//! what only resembles one, and us refuse a typing error without asking the store (SEC-148).

use crate::domain::{ApiKey, ApiKeyId, base62};
use crate::secret::{KeyedHash, MacKey, MasterSecret, Secret, random};

/// What every key begins with.
pub const API_KEY_PREFIX: &str = "glk_";

/// 178 bits.
const SECRET_DIGITS: usize = 30;

const CHECKSUM_DIGITS: usize = 6;

/// A key that somebody shows, in the right form.
#[derive(Debug)]
pub struct ShownApiKey {
    id: ApiKeyId,
    secret: Secret,
}

impl ShownApiKey {
    /// Reads a whole key.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(API_KEY_PREFIX)?.split_once('_')?;
        Self::of_pair(id, secret)
    }

    /// Reads a key whose name and secret come apart; the secret ends with the checksum all the same.
    #[must_use]
    pub fn of_pair(id: &str, secret: &str) -> Option<Self> {
        let name = ApiKeyId::parse(id)?;
        let is_plain = secret.bytes().all(|b| b.is_ascii_alphanumeric());
        if secret.len() != SECRET_DIGITS + CHECKSUM_DIGITS || !is_plain {
            return None;
        }
        let (random, sum) = secret.split_at_checked(SECRET_DIGITS)?;
        (sum == checksum(&name, random)).then(|| Self { id: name, secret: Secret::new(secret.to_owned()) })
    }

    /// The secret, which differs from every other key's.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.secret.expose()
    }

    /// The name that it says.
    #[must_use]
    pub fn id(&self) -> &ApiKeyId {
        &self.id
    }
}

/// Makes and verifies API keys.
#[derive(Debug, Clone)]
pub struct ApiKeySecrets(MacKey);

impl ApiKeySecrets {
    /// Under the operator's secret.
    #[must_use]
    pub fn new(master: &MasterSecret) -> Self {
        Self(master.mac_key("gatelodge api key v1"))
    }

    /// The text of a new key of this name, and what is kept of it.
    #[must_use]
    pub fn make(&self, id: &ApiKeyId) -> (Secret, KeyedHash) {
        let random = random_digits();
        let secret = format!("{random}{}", checksum(id, &random));
        let hash = KeyedHash::of(&self.0, &id.to_string(), &secret);
        (Secret::new(format!("{API_KEY_PREFIX}{id}_{secret}")), hash)
    }

    /// Is it this key? In constant time. If so, the hash as it is to be kept: another one than before, if
    /// a previous secret of the operator's made that.
    #[must_use]
    pub fn proves(&self, shown: &ShownApiKey, key: &ApiKey) -> Option<KeyedHash> {
        let (name, secret) = (key.id.to_string(), shown.secret.expose());
        let holds = key.hash.is_of(&self.0, &name, secret);
        holds.then(|| KeyedHash::of(&self.0, &name, secret))
    }
}

/// Digits of base62, each as likely as any other: of 256 bytes the last 8 are left out.
fn random_digits() -> String {
    let mut digits = String::with_capacity(SECRET_DIGITS);
    while digits.len() < SECRET_DIGITS {
        let fair = random::bytes::<64>().into_iter().filter(|byte| *byte < 248);
        let wanted = SECRET_DIGITS - digits.len();
        digits.extend(fair.take(wanted).map(|byte| base62(u128::from(byte % 62), 1)));
    }
    digits
}

fn checksum(id: &ApiKeyId, random: &str) -> String {
    let sum = crc32fast::hash(format!("{API_KEY_PREFIX}{id}_{random}").as_bytes());
    base62(u128::from(sum), CHECKSUM_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PersonId;

    fn id() -> ApiKeyId {
        ApiKeyId::generate(&PersonId::of("https://idp.example", "alice"))
    }

    #[test]
    fn sec_148_a_key_has_a_prefix_160_bits_and_a_checksum() {
        let secrets = ApiKeySecrets::new(&MasterSecret::generate());
        let id = id();
        let (text, _) = secrets.make(&id);
        let text = text.expose();
        assert_eq!(text.len(), 4 + 19 + 1 + 30 + 6);
        assert!(text.starts_with(&format!("glk_{id}_")) && 62_f64.powi(30) > 2_f64.powi(160));
        let rest = &text[4..];
        assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert_ne!(secrets.make(&id).0.expose(), text);
        let (_, secret) = rest.split_once('_').unwrap();
        assert!(ShownApiKey::of_pair(&id.to_string(), secret).is_some());
        // CRC-32, six digits of base62, as GitHub's tokens have it.
        let sum = crc32fast::hash(&text.as_bytes()[..54]);
        assert_eq!(text[54..], base62(u128::from(sum), 6));
    }

    #[test]
    fn sec_148_any_changed_character_is_refused_before_the_store_is_asked() {
        let secrets = ApiKeySecrets::new(&MasterSecret::generate());
        let (text, _) = secrets.make(&id());
        let text = text.expose();
        assert!(ShownApiKey::read(text).is_some());
        for at in 0..text.len() {
            let other = if &text[at..=at] == "a" { "b" } else { "a" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(ShownApiKey::read(&changed).is_none(), "{at}");
        }
        for bad in ["", "glk_", "glk__", &text[..59], &format!("{text}0"), &format!(" {text}")] {
            assert!(ShownApiKey::read(bad).is_none(), "{bad:?}");
        }
        let longer = "é".repeat(18);
        assert!(ShownApiKey::of_pair(&text[4..23], &longer).is_none());
    }
}
