//! A grant: person, client, resource and scopes. Its refresh tokens form one family.
//!
//! ```text
//! AwaitingCode ──redeem──▶ Active(1) ──rotate──▶ Active(2) ──▶ …
//!      │                      │  a replayed code, or a refresh token
//!      ▼ expires              ▼  that is used again too late
//!    (gone)                 (gone)
//! ```
//!
//! The transitions are pure functions here. The embedded store calls them inside its
//! transaction; the Redis store says the same in Lua; one conformance suite holds both.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::{ResourceUri, ScopeSet};
use crate::secret::random;

use super::{ClientId, Identity, PersonId, PersonTag};

/// Most grants of one person. One more ends the one that would end first: a client that never
/// keeps its tokens must not fill the store.
pub const MOST_GRANTS: usize = 100;

/// The last generation of a family. Redis's scripts count in doubles, which hold so much exactly;
/// no family lives to see it.
pub const LAST_GENERATION: u64 = (1 << 53) - 1;

/// Names a grant and its refresh family: the person's tag, so that all of a person's grants are
/// found together, and 64 random bits. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId {
    person: PersonTag,
    name: [u8; 8],
}

impl GrantId {
    /// A fresh identifier for a grant of this person.
    #[must_use]
    pub fn generate(person: &PersonId) -> Self {
        Self::in_person(person.tag(), random::bytes())
    }

    /// From its two halves.
    #[must_use]
    pub const fn in_person(person: PersonTag, name: [u8; 8]) -> Self {
        Self { person, name }
    }

    /// From its bytes, as a code or a refresh token carries them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let (mut person, mut name) = ([0; 8], [0; 8]);
        person.copy_from_slice(&bytes[..8]);
        name.copy_from_slice(&bytes[8..]);
        Self { person: PersonTag::from_bytes(person), name }
    }

    /// From its text, as a token's claim carries it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().map(Self::from_bytes).ok()
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(self.person.as_bytes());
        bytes[8..].copy_from_slice(&self.name);
        bytes
    }

    /// Whose grant it is.
    #[must_use]
    pub const fn person(&self) -> PersonTag {
        self.person
    }

    /// What tells it from the person's other grants.
    #[must_use]
    pub const fn within_person(&self) -> [u8; 8] {
        self.name
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({self})")
    }
}

impl Serialize for GrantId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GrantId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a grant id has 16 bytes"))
    }
}

/// Where a grant stands: the small part that transitions change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum GrantState {
    /// The client has a code and has not redeemed it.
    AwaitingCode,
    /// Redeemed. The refresh token of this generation is the current one.
    Active {
        /// The current generation; the first is 1.
        generation: u64,
        /// When it became current.
        rotated_at: Timestamp,
    },
}

/// Person × client × resource × scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name, and its family's.
    pub id: GrantId,
    /// Which client, and no other (SEC-073, SEC-083).
    pub client_id: ClientId,
    /// The only audience.
    pub resource: ResourceUri,
    /// What was asked and granted.
    pub scopes: ScopeSet,
    /// Who, as of sign-in.
    pub identity: Identity,
    /// When consent was given.
    pub created_at: Timestamp,
    /// When the grant ends whatever happens (SEC-089).
    pub ends_at: Timestamp,
    /// When it ends unless it is used before: the code's end, then the idle end.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: GrantState,
}

/// What became of an attempt to redeem a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redemption {
    /// This attempt, and no other, redeemed it.
    Redeemed,
    /// It had been redeemed before.
    AlreadyRedeemed,
    /// No such grant, or too late.
    Gone,
}

/// What became of an attempt to rotate a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The successor is this generation: a new one, or inside the grace window the same
    /// one again (PRIN-4).
    Successor {
        /// The generation to hand out.
        generation: u64,
        /// Was it made by this attempt?
        fresh: bool,
    },
    /// A token of an earlier generation after its grace window: the family has been ended
    /// (SEC-084).
    Reused,
    /// No such family, not yet redeemed, or too late.
    Gone,
}

/// The durations that rotation obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationRules {
    /// How long a superseded token still gets the same successor (SEC-085).
    pub grace: Duration,
    /// How long a grant lives unused (SEC-089).
    pub idle: Duration,
}

impl Grant {
    /// Is it over? The store's own expiry is garbage collection only (PRIN-7).
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at || now >= self.ends_at
    }

    /// When the grant ends if it is used at `now` and then left alone.
    #[must_use]
    pub fn idle_end(&self, now: Timestamp, idle: Duration) -> Timestamp {
        now.plus(idle).min(self.ends_at)
    }

    /// Redeems the grant's code, which has proved itself by its MAC.
    pub fn redeem(&mut self, now: Timestamp, idle: Duration) -> Redemption {
        if self.is_expired(now) {
            return Redemption::Gone;
        }
        match self.state {
            GrantState::Active { .. } => Redemption::AlreadyRedeemed,
            GrantState::AwaitingCode => {
                self.state = GrantState::Active { generation: 1, rotated_at: now };
                self.expires_at = self.idle_end(now, idle);
                Redemption::Redeemed
            }
        }
    }

    /// Rotates the refresh token of generation `presented`. After [`Rotation::Reused`] the
    /// caller removes the grant in the same transaction. A presented generation above the
    /// current one is genuine (its MAC was checked): the store lost the newer record, and
    /// advances (PRIN-6).
    pub fn rotate(&mut self, presented: u64, now: Timestamp, rules: RotationRules) -> Rotation {
        let GrantState::Active { generation, rotated_at } = self.state else {
            return Rotation::Gone;
        };
        if self.is_expired(now) || presented >= LAST_GENERATION {
            return Rotation::Gone;
        }
        if presented >= generation {
            let generation = presented.saturating_add(1);
            self.state = GrantState::Active { generation, rotated_at: now };
            self.expires_at = self.idle_end(now, rules.idle);
            return Rotation::Successor { generation, fresh: true };
        }
        let in_grace = presented.saturating_add(1) == generation && now.since(rotated_at) < rules.grace;
        if in_grace { Rotation::Successor { generation, fresh: false } } else { Rotation::Reused }
    }
}

/// Those of `grants` that are this person's and not over, the oldest first.
#[must_use]
pub fn alive_of(mut grants: Vec<Grant>, person: &PersonId, now: Timestamp) -> Vec<Grant> {
    grants.retain(|grant| !grant.is_expired(now) && grant.identity.person() == *person);
    grants.sort_by_key(|grant| (grant.created_at, grant.id));
    grants
}
