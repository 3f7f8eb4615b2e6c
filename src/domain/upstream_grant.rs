//! What an upstream has granted us of a person: the latest facts, and what newer ones can be asked with.
//!
//! ```text
//!            ┌── sign-in ──────────────────────────────┐
//!            ▼                                         │
//!  young ──time──▶ due ──claim──▶ asked ──facts──▶ young
//!                   ▲               ├──no answer──▶ resting ──time──▶ due
//!                   └──claim ends───┤
//!                                   └──the upstream refuses──▶ refused ──sign-in──▶ young
//! ```
//!
//! One record for each person and upstream, whatever the number of the person's grants: the upstream's
//! refresh token may serve only once, so whoever uses it has claimed the record first.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::{Digest, Secret};

use super::{Identity, PersonId, UpstreamId};

/// What an upstream gave us to ask again with. Stands nowhere but in the sealed record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamCredential {
    /// The token.
    pub token: UpstreamToken,
    /// The nonce of the sign-in that it comes from: an ID token that carries one later carries this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Digest>,
}

/// A token of an upstream's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamToken {
    /// Gets new tokens; it may serve once and be replaced.
    Refresh(#[serde(with = "token")] Secret),
    /// Opens the upstream's API for as long as the account lives.
    Access(#[serde(with = "token")] Secret),
}

/// What an upstream has said of a person, and how it may be asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamGrant {
    /// The latest facts.
    pub identity: Identity,
    /// What newer ones are asked with; none where the upstream gives nothing, or has refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<UpstreamCredential>,
    /// That of the sign-in before. It serves when the newer one no longer does: a session that ends there
    /// is not the person's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spare: Option<UpstreamCredential>,
    /// When the upstream said so.
    pub asked_at: Timestamp,
    /// Until then somebody is asking, and nobody else does.
    pub claimed_until: Timestamp,
    /// Until then nobody asks: the last attempt brought no answer.
    pub resting_until: Timestamp,
    /// Why the upstream refuses the person, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// When no grant that stands on it is left.
    pub ends_at: Timestamp,
    /// Counts the changes. The store's.
    pub version: u64,
}

/// What is to be done before the facts are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Nothing: they are young, or nothing newer is to be had.
    Good,
    /// The upstream refuses the person.
    Refused(&'a str),
    /// The upstream is to be asked.
    Due(&'a UpstreamCredential),
    /// Somebody is asking.
    Claimed,
    /// It did not answer a moment ago.
    Resting,
}

impl UpstreamGrant {
    /// After a sign-in. One that brought no credential goes on with an older one.
    #[must_use]
    pub fn arrived(
        identity: Identity,
        credential: Option<UpstreamCredential>,
        older: Option<Self>,
        (ends_at, now): (Timestamp, Timestamp),
    ) -> Self {
        let never = Timestamp::from_unix(0);
        let first = Self {
            identity,
            credential: None,
            spare: None,
            asked_at: now,
            claimed_until: never,
            resting_until: never,
            refused: None,
            ends_at,
            version: 0,
        };
        let Some(older) = older else { return Self { credential, ..first } };
        let (credential, spare, claimed_until) = match credential {
            // One that is being asked with right now may be used up in a moment.
            Some(newer) => (Some(newer), older.credential.filter(|_| older.claimed_until <= now), never),
            None => (older.credential, older.spare, older.claimed_until),
        };
        let ends_at = ends_at.max(older.ends_at);
        Self { credential, spare, claimed_until, ends_at, version: older.version, ..first }
    }

    /// Whose it is.
    #[must_use]
    pub fn person(&self) -> PersonId {
        self.identity.person()
    }

    /// Is this what this upstream has said of this person?
    #[must_use]
    pub fn is_of(&self, upstream: &UpstreamId, person: &PersonId) -> bool {
        self.identity.upstream == *upstream && self.identity.person() == *person
    }

    /// Is it over?
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.ends_at
    }

    /// What is to be done where facts may be so old.
    #[must_use]
    pub fn standing(&self, recheck_after: Duration, now: Timestamp) -> Standing<'_> {
        if let Some(why) = &self.refused {
            return Standing::Refused(why);
        }
        match &self.credential {
            Some(credential) if self.asked_at < now && now.since(self.asked_at) >= recheck_after => {
                if now < self.claimed_until {
                    Standing::Claimed
                } else if now < self.resting_until {
                    Standing::Resting
                } else {
                    Standing::Due(credential)
                }
            }
            _ => Standing::Good,
        }
    }

    /// Claimed by whoever gets this kept.
    #[must_use]
    pub fn claimed(mut self, until: Timestamp) -> Self {
        self.claimed_until = until;
        self
    }

    /// The upstream has answered. The session and the date of the sign-in stay the sign-in's.
    #[must_use]
    pub fn renewed(self, facts: Identity, credential: UpstreamCredential, now: Timestamp) -> Self {
        let never = Timestamp::from_unix(0);
        Self {
            identity: facts.in_the_session_of(&self.identity),
            credential: Some(credential),
            asked_at: now,
            claimed_until: never,
            resting_until: never,
            ..self
        }
    }

    /// The upstream gave no answer that can be believed; but perhaps another credential.
    #[must_use]
    pub fn rested(self, credential: UpstreamCredential, until: Timestamp) -> Self {
        let never = Timestamp::from_unix(0);
        Self { credential: Some(credential), claimed_until: never, resting_until: until, ..self }
    }

    /// The upstream refuses what we asked with, which is of no more use: so it refuses the person, unless
    /// the sign-in before left something to ask with.
    #[must_use]
    pub fn refused_because(mut self, why: String) -> Self {
        let never = Timestamp::from_unix(0);
        if let Some(spare) = self.spare.take() {
            return Self { credential: Some(spare), claimed_until: never, ..self };
        }
        Self { credential: None, refused: Some(why), claimed_until: never, ..self }
    }
}

/// For the sealed record, the only place where a token of an upstream's is written.
mod token {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(token: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(token.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    const AFTER: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1000 + seconds)
    }

    fn identity(groups: &[&str]) -> Identity {
        Identity {
            upstream: UpstreamId::parse("idp").unwrap(),
            issuer: "https://idp.example".into(),
            subject: "1".into(),
            email: None,
            domain: None,
            groups: groups.iter().map(ToString::to_string).collect(),
            roles: BTreeSet::new(),
            claims: BTreeMap::new(),
            name: None,
            session: None,
            authenticated_at: at(0),
        }
    }

    fn credential(text: &str) -> UpstreamCredential {
        UpstreamCredential { token: UpstreamToken::Refresh(Secret::new(text.into())), nonce: None }
    }

    fn arrived(credential: Option<UpstreamCredential>, older: Option<UpstreamGrant>) -> UpstreamGrant {
        UpstreamGrant::arrived(identity(&["a"]), credential, older, (at(500), at(0)))
    }

    #[test]
    fn facts_are_due_claimed_rested_and_young_again() {
        let first = arrived(Some(credential("1")), None);
        assert_eq!(first.standing(AFTER, at(59)), Standing::Good);
        assert_eq!(first.standing(AFTER, at(60)), Standing::Due(&credential("1")));
        assert_eq!(first.standing(Duration::ZERO, at(0)), Standing::Good, "asked in this very second");
        assert_eq!(first.standing(Duration::ZERO, at(1)), Standing::Due(&credential("1")));
        let claimed = first.clone().claimed(at(70));
        assert_eq!(claimed.standing(AFTER, at(69)), Standing::Claimed);
        assert_eq!(
            claimed.standing(AFTER, at(70)),
            Standing::Due(&credential("1")),
            "whoever claimed is gone"
        );
        let rested = claimed.clone().rested(credential("2"), at(99));
        assert_eq!(rested.standing(AFTER, at(98)), Standing::Resting);
        assert_eq!(rested.standing(AFTER, at(99)), Standing::Due(&credential("2")));
        let renewed = claimed.renewed(identity(&["b"]), credential("3"), at(61));
        assert_eq!(renewed.standing(AFTER, at(120)), Standing::Good);
        assert_eq!((renewed.identity, renewed.asked_at), (identity(&["b"]), at(61)));
        assert_eq!(
            arrived(None, None).standing(AFTER, at(400)),
            Standing::Good,
            "nothing newer is to be had"
        );
    }

    #[test]
    fn a_refusal_holds_until_the_next_sign_in() {
        let refused =
            arrived(Some(credential("1")), None).claimed(at(70)).refused_because("invalid_grant".into());
        assert_eq!(refused.credential, None);
        for second in [0, 60, 499] {
            assert_eq!(refused.standing(AFTER, at(second)), Standing::Refused("invalid_grant"));
        }
        let again = arrived(Some(credential("2")), Some(refused.clone()));
        assert_eq!(again.spare, None);
        assert_eq!(again.standing(AFTER, at(60)), Standing::Due(&credential("2")));
        assert_eq!(arrived(None, Some(refused)).standing(AFTER, at(60)), Standing::Good);
    }

    #[test]
    fn a_sign_in_without_a_credential_keeps_the_one_that_is_there_and_its_claim() {
        let older =
            UpstreamGrant { ends_at: at(900), ..arrived(Some(credential("1")), None) }.claimed(at(70));
        let kept = arrived(None, Some(older.clone()));
        assert_eq!(
            (kept.credential, kept.claimed_until, kept.ends_at),
            (Some(credential("1")), at(70), at(900))
        );
        let other = arrived(Some(credential("2")), Some(older));
        assert_eq!((other.credential, other.claimed_until), (Some(credential("2")), Timestamp::from_unix(0)));
    }

    #[test]
    fn the_sign_in_before_still_speaks_for_the_person() {
        let first = arrived(Some(credential("1")), None);
        let second = arrived(Some(credential("2")), Some(first)).claimed(at(70));
        let other = second.refused_because("this session".into());
        assert_eq!(other.standing(AFTER, at(60)), Standing::Due(&credential("1")));
        let over = other.refused_because("invalid_grant".into());
        assert_eq!(over.standing(AFTER, at(60)), Standing::Refused("invalid_grant"));
    }

    #[test]
    fn sec_162_a_token_is_written_to_the_record_and_to_nothing_else() {
        let grant = arrived(Some(credential("canary-token")), None);
        assert!(!format!("{grant:?}").contains("canary"), "{grant:?}");
        let record = serde_json::to_string(&grant).unwrap();
        assert!(record.contains("canary-token"));
        assert_eq!(serde_json::from_str::<UpstreamGrant>(&record).unwrap(), grant);
    }
}
