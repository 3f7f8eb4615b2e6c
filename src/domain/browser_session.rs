//! A browser in which somebody is signed in: the same person is not asked twice in a while, also by
//! another client.
//!
//! The browser has a secret, the store a digest of it. A session ends when it is not used for a while,
//! and in the end whatever happens; each sign-in at an upstream makes a new one.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::{Digest, Secret, random};

use super::{Identity, PersonId, PersonTag};

/// Most browser sessions of one person. One more ends the one that would end first.
pub const MOST_BROWSER_SESSIONS: usize = 20;

/// Names a browser session: the person's tag, so that all of a person's are found together, and a
/// digest of what the browser's cookie holds. Not a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSessionId {
    person: PersonTag,
    digest: Digest,
}

impl BrowserSessionId {
    /// A new session of this person, and what the browser gets for it.
    #[must_use]
    pub fn generate(person: &PersonId) -> (Self, Secret) {
        let mut bytes = [0; 32];
        let (tag, rest) = bytes.split_at_mut(8);
        tag.copy_from_slice(person.tag().as_bytes());
        rest.copy_from_slice(&random::bytes::<24>());
        let cookie = URL_SAFE_NO_PAD.encode(bytes);
        (Self { person: person.tag(), digest: Digest::of(&cookie) }, Secret::new(cookie))
    }

    /// The session whose cookie a browser sent: only what we could have made.
    #[must_use]
    pub fn of_cookie(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let person = PersonTag::from_bytes(*bytes.first_chunk()?);
        Some(Self { person, digest: Digest::of(text) })
    }

    /// From its two halves.
    #[must_use]
    pub const fn in_person(person: PersonTag, digest: Digest) -> Self {
        Self { person, digest }
    }

    /// Whose session it is.
    #[must_use]
    pub const fn person(&self) -> PersonTag {
        self.person
    }

    /// What tells it from the person's other sessions.
    #[must_use]
    pub const fn within_person(&self) -> &Digest {
        &self.digest
    }
}

impl fmt::Debug for BrowserSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrowserSessionId({})", self.person)
    }
}

/// Somebody is signed in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserSession {
    /// Who, as of sign-in.
    pub identity: Identity,
    /// Since when.
    pub signed_in_at: Timestamp,
    /// When it ends unless it is used before.
    pub idle_ends_at: Timestamp,
    /// When it ends whatever happens.
    pub ends_at: Timestamp,
    /// The ID token of the sign-in, for the upstream's sign-out page.
    #[serde(with = "optional_secret", skip_serializing_if = "Option::is_none", default)]
    pub id_token: Option<Secret>,
}

impl BrowserSession {
    /// Is it over? The store's own expiry is garbage collection only (PRIN-7).
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.idle_ends_at || now >= self.ends_at
    }

    /// The idle end to write when it is used at `now`; none while too little of the time has passed
    /// for a write.
    #[must_use]
    pub fn idle_end_to_write(&self, now: Timestamp, idle: Duration) -> Option<Timestamp> {
        let end = now.plus(idle).min(self.ends_at);
        let gained = end.since(self.idle_ends_at);
        (!gained.is_zero() && gained >= idle / 20).then_some(end)
    }
}

/// Those of a person's browser sessions that are not over, the oldest first.
#[must_use]
pub fn living_of(
    mut sessions: Vec<(BrowserSessionId, BrowserSession)>,
    person: &PersonId,
    now: Timestamp,
) -> Vec<(BrowserSessionId, BrowserSession)> {
    sessions.retain(|(_, session)| !session.is_over(now) && session.identity.person() == *person);
    sessions.sort_by(|(one_id, one), (other_id, other)| {
        let names = one_id.digest.as_str().cmp(other_id.digest.as_str());
        one.signed_in_at.cmp(&other.signed_in_at).then(names)
    });
    sessions
}

/// A secret in a record that is sealed as a whole.
mod optional_secret {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::secret::Secret;

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_could_have_made_is_a_session_s_cookie() {
        let person = PersonId::of("https://idp.example", "alice");
        let (id, cookie) = BrowserSessionId::generate(&person);
        assert_eq!(BrowserSessionId::of_cookie(cookie.expose()), Some(id.clone()));
        assert_eq!(id.person(), person.tag());
        assert!(!format!("{id:?}").contains(cookie.expose()));
        let cookie = cookie.expose();
        for bad in
            ["", "x", &cookie[1..], &format!("{cookie}A"), &format!("{}=", &cookie[..42]), &"*".repeat(43)]
        {
            assert_eq!(BrowserSessionId::of_cookie(bad), None, "{bad}");
        }
    }
}
