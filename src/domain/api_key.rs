//! API keys: what a program shows in place of a person, for as long as that person may do the same.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::{ResourceUri, Scope, ScopeSet};
use crate::secret::{KeyedHash, random};

use super::{Identity, PersonId, PersonTag, Resource};

/// Most keys of one person that count at a time.
pub const MOST_API_KEYS: usize = 100;

/// Most keys of one person at all: beyond, the oldest that counts no longer is forgotten.
pub const MOST_API_KEYS_KEPT: usize = 500;

/// How fine it is told when a key was last used: a use costs a write at most so often.
pub const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

/// Longest name of a key, in characters.
const LONGEST_NAME: usize = 100;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits of base62 that an id of 14 bytes takes.
const ID_DIGITS: usize = 19;

/// Names a key: its owner's tag, so that all of a person's keys are found together, and 48 random bits.
/// Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId {
    owner: PersonTag,
    name: [u8; 6],
}

impl ApiKeyId {
    /// A fresh name for a key of this person.
    #[must_use]
    pub fn generate(owner: &PersonId) -> Self {
        Self { owner: owner.tag(), name: random::bytes() }
    }

    /// From its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_whole = text.len() == ID_DIGITS;
        let number = text.bytes().filter(|_| is_whole).try_fold(0_u128, |number, digit| {
            let value = DIGITS.iter().position(|known| *known == digit)?;
            number.checked_mul(62)?.checked_add(value as u128)
        })?;
        let bytes = number.to_be_bytes();
        let (beyond, rest) = bytes.split_first_chunk::<2>()?;
        let (owner, name) = rest.split_first_chunk::<8>()?;
        let id = Self { owner: PersonTag::from_bytes(*owner), name: name.try_into().ok()? };
        (is_whole && *beyond == [0; 2]).then_some(id)
    }

    /// Whose key it is.
    #[must_use]
    pub const fn owner(&self) -> PersonTag {
        self.owner
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[0; 2][..], self.owner.as_bytes(), &self.name].concat();
        let number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        f.write_str(&base62(number, ID_DIGITS))
    }
}

/// A number in base62, with as many digits.
#[must_use]
pub fn base62(mut number: u128, digits: usize) -> String {
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        *place = DIGITS.get(digit).copied().unwrap_or(b'0');
        number /= 62;
    }
    text.into_iter().map(char::from).collect()
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyId({self})")
    }
}

impl Serialize for ApiKeyId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiKeyId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("is no name of an API key"))
    }
}

/// What is kept of a key: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its name.
    pub id: ApiKeyId,
    /// Whom it stands for, as they were when it was made.
    pub owner: Identity,
    /// What its owner calls it.
    pub name: String,
    /// For which servers.
    pub resources: Vec<ResourceUri>,
    /// What it allows there at most.
    pub scopes: ScopeSet,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; none: for as long as its owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked: it stays so for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_at: Option<Timestamp>,
    /// What proves the secret, bound to the name.
    pub hash: KeyedHash,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyState {
    /// It counts, as far as its owner's own access does.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl ApiKeyState {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl ApiKey {
    /// Where it stands.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => ApiKeyState::Revoked,
            (None, Some(end)) if now >= end => ApiKeyState::Expired,
            (None, _) => ApiKeyState::Active,
        }
    }

    /// Does it count at all?
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        self.state(now) == ApiKeyState::Active
    }

    /// Is it to be written that it is used now?
    #[must_use]
    pub fn is_use_to_be_noted(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| now.since(last) >= USE_NOTED_EVERY)
    }
}

/// Those keys that are this person's, the oldest first.
#[must_use]
pub fn keys_of(mut keys: Vec<ApiKey>, owner: &PersonId) -> Vec<ApiKey> {
    keys.retain(|key| key.owner.person() == *owner);
    keys.sort_by_key(|key| (key.created_at, key.id));
    keys
}

/// How long a key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyLifetime {
    /// For as long as its owner has access.
    Never,
    /// So many days.
    Days(u16),
}

impl ApiKeyLifetime {
    /// The words for it.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("never", Self::Never),
        ("7d", Self::Days(7)),
        ("30d", Self::Days(30)),
        ("90d", Self::Days(90)),
        ("1y", Self::Days(365)),
    ];

    /// When a key that is made at `now` ends.
    #[must_use]
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::Days(days) => Some(now.plus(Duration::from_secs(u64::from(days) * 24 * 3600))),
        }
    }
}

impl FromStr for ApiKeyLifetime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::WORDS.iter().find(|(word, _)| *word == text);
        known.map(|(_, lifetime)| *lifetime).ok_or("write never, 7d, 30d, 90d or 1y")
    }
}

/// What a key's owner may call it.
#[must_use]
pub fn is_api_key_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=LONGEST_NAME).contains(&length) && text.trim() == text && !text.chars().any(char::is_control)
}

/// The scopes that a word means at a server: `read` is all that end in `:read`, and `read` itself; `write`
/// is these and what ends in `:write`, and `write` itself; any other word is the scope of that name.
#[must_use]
pub fn scopes_meant(word: &str, resource: &Resource) -> ScopeSet {
    let is = |scope: &Scope, kind: &str| {
        scope.as_str() == kind || scope.as_str().rsplit_once(':').is_some_and(|(_, last)| last == kind)
    };
    let all = resource.scopes.iter().map(|(scope, _)| scope);
    match word {
        "read" => all.filter(|scope| is(scope, "read")).cloned().collect(),
        "write" => all.filter(|scope| is(scope, "read") || is(scope, "write")).cloned().collect(),
        exact => all.filter(|scope| scope.as_str() == exact).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Accepted, RequestLimits};

    #[test]
    fn sec_148_an_id_is_short_and_has_one_spelling() {
        let owner = PersonId::of("https://idp.example", "alice");
        let id = ApiKeyId::generate(&owner);
        let text = id.to_string();
        assert_eq!((text.len(), ApiKeyId::parse(&text), id.owner()), (19, Some(id), owner.tag()));
        assert_ne!(id, ApiKeyId::generate(&owner));
        let last = ApiKeyId { owner: PersonTag::from_bytes([255; 8]), name: [255; 6] };
        assert_eq!(ApiKeyId::parse(&last.to_string()), Some(last));
        for bad in ["", &text[1..], &format!("0{text}"), &"z".repeat(19), &"-".repeat(19), &"é".repeat(9)] {
            assert_eq!(ApiKeyId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn lifetimes_are_five_words() {
        let now = Timestamp::from_unix(0);
        let end = |word: &str| word.parse::<ApiKeyLifetime>().map(|lifetime| lifetime.end(now));
        assert_eq!(end("never"), Ok(None));
        assert_eq!(end("7d"), Ok(Some(Timestamp::from_unix(604_800))));
        assert_eq!(end("1y"), Ok(Some(Timestamp::from_unix(31_536_000))));
        assert!(end("8d").is_err() && end("").is_err());
    }

    #[test]
    fn the_simple_words_are_the_scopes_that_end_so() {
        let scopes = ["notes:read", "notes:write", "read", "mcp:admin", "spread"];
        let resource = Resource {
            url: ResourceUri::parse("https://a.example").unwrap(),
            name: "A".into(),
            scopes: scopes.iter().map(|scope| (scope.parse().unwrap(), String::new())).collect(),
            required: ScopeSet::default(),
            everyday: ScopeSet::default(),
            accepts: vec![Accepted::ApiKey],
            limits: RequestLimits::default(),
            tenants: None,
        };
        let meant = |word: &str| scopes_meant(word, &resource).to_string();
        assert_eq!(meant("read"), "notes:read read");
        assert_eq!(meant("write"), "notes:read notes:write read");
        assert_eq!(meant("mcp:admin"), "mcp:admin");
        assert_eq!(meant("admin"), "");
    }

    #[test]
    fn names_are_one_line() {
        assert!(is_api_key_name("Nightly report — Zürich"));
        for bad in ["", " a", "a\nb", "a\u{1b}[31m", &"x".repeat(101)] {
            assert!(!is_api_key_name(bad), "{bad:?}");
        }
    }
}
