//! The broker's signing keys over time: which one signs, and which are published.
//!
//! ```text
//! published_at       active_from            retired_at          removed_at
//!      │  known, unused   │  signs                │  verifies old tokens │
//!      ▼                  ▼                       ▼                      ▼
//!      ●──────────────────●───────────────────────●──────────────────────●
//!                         (of the next key: active_from)
//! ```
//!
//! A resource server may keep our keys for as long as it likes to; so a key is published long
//! before it signs, and stays published until the last token that it signed is over (SEC-138).
//! Everything is decided by [`KeyRing::at`] from the ring and the time: replicas that hold the
//! same ring agree on every moment without talking to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::protocol::SigningAlgorithm;
use crate::secret::Secret;

/// How long a key is published before it signs. The key set is sent with a `max-age` of minutes,
/// but gateways of cloud providers keep keys for hours, and some servers for a day.
pub const PUBLISHED_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// The same for a rotation that cannot wait: long enough for every replica to have noticed.
pub const NOTICED: Duration = Duration::from_secs(30);

/// How long a key stays published after its last signature: the longest lifetime that an access
/// token can be configured to have, and five minutes for clocks that differ. Not the configured
/// lifetime: that may be raised between the day a rotation is planned and its hour.
pub const PUBLISHED_AFTER: Duration = Duration::from_secs(24 * 3600 + 300);

/// What a later release has written here and this one does not know; it is written back.
type Unknown = Map<String, Value>;

/// One key and its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingKey {
    /// Its name, the RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// The private key, PKCS #8 PEM.
    #[serde(with = "private_key")]
    pub pem: Secret,
    /// Since when it is published.
    pub published_at: Timestamp,
    /// From when it signs.
    pub active_from: Timestamp,
    /// From when it signs no more; open for the newest key.
    pub retired_at: Option<Timestamp>,
    /// From when it is published no more.
    pub removed_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// A fresh key that stands in no ring yet.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// The private key, PKCS #8 PEM.
    pub pem: Secret,
}

impl NewKey {
    fn in_ring(self, published_at: Timestamp, active_from: Timestamp) -> RingKey {
        let Self { kid, algorithm, pem } = self;
        let (retired_at, removed_at, unknown) = (None, None, Unknown::new());
        RingKey { kid, algorithm, pem, published_at, active_from, retired_at, removed_at, unknown }
    }
}

impl RingKey {
    fn is_published(&self, now: Timestamp) -> bool {
        self.removed_at.is_none_or(|end| now < end)
    }

    fn may_sign(&self, now: Timestamp) -> bool {
        self.active_from <= now && self.retired_at.is_none_or(|end| now < end)
    }

    /// Signs no later than `at`. A key that would have retired earlier still does.
    fn retire(&mut self, at: Timestamp) {
        if self.retired_at.is_none_or(|end| end > at) {
            self.retired_at = Some(at);
            self.removed_at = Some(at.plus(PUBLISHED_AFTER));
        }
    }

    /// What the key does at a moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        match (self.is_published(now), self.retired_at) {
            (false, _) => KeyState::Removed,
            (true, Some(end)) if end <= now => KeyState::Retired,
            (true, _) if self.active_from > now => KeyState::Next,
            (true, _) => KeyState::Signing,
        }
    }
}

/// What a key does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and will sign.
    Next,
    /// Signs.
    Signing,
    /// Published, until the tokens that it signed are over.
    Retired,
    /// No longer published.
    Removed,
}

/// What a rotation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// Nothing: the new key signs after [`PUBLISHED_AHEAD`].
    Usual,
    /// The new key signs after [`NOTICED`]: a server that keeps our keys and does not ask again
    /// for a name that it does not know refuses tokens until it does.
    Now,
    /// The old keys are in somebody's hands. As `Now`, and they are published no longer: what
    /// they signed ends, and clients refresh.
    Leaked,
}

/// The keys of a broker, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// Grows with every change: what two replicas compare, and what a write depends on.
    pub version: u64,
    /// Every key that is not forgotten.
    pub keys: Vec<RingKey>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// What holds at one moment.
#[derive(Debug)]
pub struct KeysNow<'a> {
    /// The key that signs.
    pub signing: &'a RingKey,
    /// What is published: the signing key first, for servers that look at no other.
    pub published: Vec<&'a RingKey>,
    /// When this changes next.
    pub until: Option<Timestamp>,
}

impl KeyRing {
    /// The ring of a broker that had none: nobody has kept its keys yet, so the first one signs
    /// at once.
    #[must_use]
    pub fn first(key: NewKey, now: Timestamp) -> Self {
        Self { version: 1, keys: vec![key.in_ring(now, now)], unknown: Unknown::new() }
    }

    /// A ring that never changes: the first key signs, the others are only published.
    #[must_use]
    pub fn fixed(keys: Vec<NewKey>, now: Timestamp) -> Self {
        let mut keys: Vec<_> = keys.into_iter().map(|key| key.in_ring(now, now)).collect();
        for other in keys.iter_mut().skip(1) {
            other.retired_at = Some(now);
        }
        Self { version: 0, keys, unknown: Unknown::new() }
    }

    /// Who signs and who is published; nothing for a ring without keys.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<KeysNow<'_>> {
        let candidates = self.keys.iter().filter(|key| key.may_sign(now));
        let newest = candidates.max_by_key(|key| (key.active_from, &key.kid));
        // Before the first key's time: this clock is behind the one that made the ring.
        let earliest = || self.keys.iter().min_by_key(|key| (key.active_from, &key.kid));
        let signing = newest.or_else(earliest)?;
        let others = self.keys.iter().filter(|key| key.kid != signing.kid && key.is_published(now));
        let mut others: Vec<_> = others.collect();
        others.sort_by_key(|key| std::cmp::Reverse(key.active_from));
        let published = std::iter::once(signing).chain(others).collect();
        let dates = self.keys.iter().flat_map(|key| [Some(key.active_from), key.retired_at, key.removed_at]);
        let until = dates.flatten().filter(|date| *date > now).min();
        Some(KeysNow { signing, published, until })
    }

    /// The key that waits for its time to sign.
    #[must_use]
    pub fn next_key(&self, now: Timestamp) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.state(now) == KeyState::Next && key.retired_at.is_none())
    }

    /// Should the next key be published? So that it can sign when the newest one has signed for
    /// `every`; or because another algorithm is wanted. Not while one waits: replicas that are
    /// being reconfigured one after the other would outbid each other.
    #[must_use]
    pub fn is_due(&self, now: Timestamp, algorithm: SigningAlgorithm, every: Option<Duration>) -> bool {
        let Some(newest) = self.at(now).map(|keys| keys.signing) else { return true };
        let old = every.is_some_and(|every| newest.active_from.plus(every) <= now.plus(PUBLISHED_AHEAD));
        self.next_key(now).is_none() && (old || newest.algorithm != algorithm)
    }

    /// The ring after a rotation; nothing if the rotation that is asked for is under way.
    #[must_use]
    pub fn rotated(&self, key: NewKey, now: Timestamp, haste: Haste) -> Option<Self> {
        let mut ring = self.without_removed(now).unwrap_or_else(|| self.clone());
        ring.version = self.version.saturating_add(1);
        let waiting = self.next_key(now).map(|next| (next.kid.clone(), next.active_from));
        let soon = now.plus(NOTICED);
        let (successor, from) = match (haste, waiting) {
            (Haste::Usual, Some(_)) => return None,
            (Haste::Now, Some((_, from))) if from <= soon => return None,
            (Haste::Now, Some((kid, _))) => (kid, soon),
            (Haste::Usual, None) => (key.kid.clone(), now.plus(PUBLISHED_AHEAD)),
            (Haste::Now, None) | (Haste::Leaked, _) => (key.kid.clone(), soon),
        };
        if successor == key.kid {
            ring.keys.push(key.in_ring(now, from));
        }
        for other in &mut ring.keys {
            if other.kid == successor {
                other.active_from = from;
            } else if haste == Haste::Leaked {
                other.retired_at = Some(other.retired_at.map_or(from, |end| end.min(from)));
                other.removed_at = Some(other.removed_at.map_or(from, |end| end.min(from)));
            } else {
                other.retire(from);
            }
        }
        Some(ring)
    }

    /// The ring without the keys that are published no longer; nothing if there are none.
    #[must_use]
    pub fn without_removed(&self, now: Timestamp) -> Option<Self> {
        let mut ring = self.clone();
        ring.keys.retain(|key| key.is_published(now));
        ring.version = self.version.saturating_add(1);
        (ring.keys.len() < self.keys.len() && !ring.keys.is_empty()).then_some(ring)
    }
}

/// A private key as text: the record around it is sealed.
mod private_key {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(pem: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(pem.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;
    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const EVERY: Option<Duration> = Some(Duration::from_secs(90 * DAY));

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn key(kid: &str) -> NewKey {
        NewKey { kid: kid.into(), algorithm: SigningAlgorithm::Es256, pem: Secret::new(kid.into()) }
    }

    fn first() -> KeyRing {
        KeyRing::first(key("a"), NOW)
    }

    /// Who signs, and everybody who is published, in this order.
    fn at(ring: &KeyRing, now: Timestamp) -> Vec<&str> {
        let keys = ring.at(now).unwrap();
        assert_eq!(keys.published[0].kid, keys.signing.kid);
        keys.published.iter().map(|key| key.kid.as_str()).collect()
    }

    #[test]
    fn sec_138_a_key_is_published_before_it_signs_and_after() {
        let ring = first().rotated(key("b"), later(100), Haste::Usual).unwrap();
        let signs = 100 + DAY;
        let gone = signs + DAY + 300;
        for (second, expected) in [
            (0, ["a", "b"].as_slice()),
            (signs - 1, &["a", "b"]),
            (signs, &["b", "a"]),
            (gone - 1, &["b", "a"]),
            (gone, &["b"]),
        ] {
            assert_eq!(at(&ring, later(second)), expected, "{second}");
        }
        assert_eq!(ring.at(later(100)).unwrap().until, Some(later(signs)));
        assert_eq!(ring.at(later(signs)).unwrap().until, Some(later(gone)));
        assert_eq!(ring.at(later(gone)).unwrap().until, None);
        let states = |second| ring.keys.iter().map(|key| key.state(later(second))).collect::<Vec<_>>();
        assert_eq!(states(200), [KeyState::Signing, KeyState::Next]);
        assert_eq!(states(signs), [KeyState::Retired, KeyState::Signing]);
        assert_eq!(states(gone), [KeyState::Removed, KeyState::Signing]);
        assert_eq!(ring.without_removed(later(gone - 1)), None);
        let less = ring.without_removed(later(gone)).unwrap();
        assert_eq!((less.version, less.keys.len()), (3, 1));
    }

    /// A clock that is behind the one that made the ring still finds a key.
    #[test]
    fn there_is_always_a_key_that_signs() {
        let ring = first().rotated(key("b"), NOW, Haste::Usual).unwrap();
        assert_eq!(at(&ring, Timestamp::from_unix(0)), ["a", "b"]);
        assert_eq!(at(&ring, Timestamp::from_unix(u64::MAX)), ["b"]);
        let empty = KeyRing { keys: Vec::new(), ..ring };
        assert!(empty.at(NOW).is_none());
    }

    #[test]
    fn the_next_key_is_due_a_day_before_its_time_and_once() {
        let ring = first();
        let es256 = SigningAlgorithm::Es256;
        assert!(!ring.is_due(later(89 * DAY - 1), es256, EVERY));
        assert!(ring.is_due(later(89 * DAY), es256, EVERY));
        assert!(!ring.is_due(later(5000 * DAY), es256, None));
        let next = ring.rotated(key("b"), later(89 * DAY), Haste::Usual).unwrap();
        assert_eq!(next.next_key(later(89 * DAY)).unwrap().active_from, later(90 * DAY));
        assert!(!next.is_due(later(89 * DAY), es256, EVERY));
        assert_eq!(next.rotated(key("c"), later(89 * DAY), Haste::Usual), None);
        assert!(!next.is_due(later(90 * DAY), es256, EVERY));
        assert!(next.is_due(later(179 * DAY), es256, EVERY));
    }

    /// Replicas that are reconfigured one after the other do not outbid each other.
    #[test]
    fn another_algorithm_is_due_at_once_unless_a_key_waits() {
        let ring = first();
        assert!(ring.is_due(NOW, SigningAlgorithm::Rs256, None));
        let rsa = NewKey { algorithm: SigningAlgorithm::Rs256, ..key("b") };
        let next = ring.rotated(rsa, NOW, Haste::Usual).unwrap();
        assert!(!next.is_due(NOW, SigningAlgorithm::Rs256, EVERY));
        assert!(!next.is_due(NOW, SigningAlgorithm::Es256, EVERY));
        assert!(!next.is_due(later(DAY), SigningAlgorithm::Rs256, EVERY));
    }

    #[test]
    fn a_waiting_key_is_brought_forward() {
        let usual = first().rotated(key("b"), NOW, Haste::Usual).unwrap();
        let soon = usual.rotated(key("c"), later(10), Haste::Now).unwrap();
        assert_eq!(at(&soon, later(39)), ["a", "b"]);
        assert_eq!(at(&soon, later(40)), ["b", "a"]);
        assert_eq!(at(&soon, later(40 + DAY + 300)), ["b"]);
        assert_eq!(soon.rotated(key("d"), later(11), Haste::Now), None, "no sooner than it is");
        let alone = first().rotated(key("b"), NOW, Haste::Now).unwrap();
        assert_eq!(at(&alone, later(30)), ["b", "a"]);
    }

    #[test]
    fn leaked_keys_are_published_no_longer_and_never_sign_again() {
        let usual = first().rotated(key("b"), NOW, Haste::Usual).unwrap();
        let ring = usual.rotated(key("c"), later(10), Haste::Leaked).unwrap();
        assert_eq!(at(&ring, later(39)), ["a", "b", "c"]);
        for second in [40, DAY, 100 * DAY] {
            assert_eq!(at(&ring, later(second)), ["c"]);
        }
    }

    #[test]
    fn the_operators_keys_never_change() {
        let ring = KeyRing::fixed(vec![key("a"), key("b")], NOW);
        for second in [0, 1, 5000 * DAY] {
            assert_eq!(at(&ring, later(second)), ["a", "b"]);
        }
    }

    /// REL-19: what a later release wrote stays, in the ring and in its keys; and nothing shows a
    /// private key but the record itself.
    #[test]
    fn rel_19_unknown_members_stay_through_a_rotation() {
        let mut json = serde_json::to_value(first()).unwrap();
        json["later"] = "ring".into();
        json["keys"][0]["later"] = "key".into();
        let ring: KeyRing = serde_json::from_value(json).unwrap();
        let rotated = ring.rotated(key("b"), NOW, Haste::Usual).unwrap();
        let json = serde_json::to_value(&rotated).unwrap();
        assert_eq!((&json["later"], &json["keys"][0]["later"]), (&"ring".into(), &"key".into()));
        assert_eq!(json["keys"][1]["pem"], "b");
        assert!(format!("{rotated:?}").contains("pem: [secret]"));
    }
}
