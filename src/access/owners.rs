//! What the person behind an API key may do now: never more than what a sign-in of theirs would give.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{ApiKey, Identity, PersonId, Resource, UpstreamGrant};
use crate::people::{NotCurrent, People};
use crate::policy::{Asked, Policy, Verdict};
use crate::protocol::ScopeSet;
use crate::store::revocations::Revocations;
use crate::store::{Store, StoreError};

use super::CannotDecide;

/// What an upstream has said of a key's owner is kept at least so long ahead, and so long when it is kept.
const FACTS_AHEAD: (Duration, Duration) =
    (Duration::from_secs(365 * 24 * 3600), Duration::from_secs(3650 * 24 * 3600));

/// Knows what the owners of keys may do.
#[derive(Clone)]
pub struct Owners {
    /// Whose an admin's address is.
    pub store: Arc<dyn Store>,
    /// What upstreams say of them.
    pub people: People,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// What has been revoked.
    pub revocations: Arc<Revocations>,
}

impl Owners {
    /// Has everything that this person began at `at` been revoked?
    pub(super) async fn is_revoked(
        &self,
        person: &PersonId,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.revocations.current(now).await?.revokes_person(person, at))
    }

    /// The person as their upstream knows them now; nobody, if it refuses them.
    pub(super) async fn current<'i>(
        &self,
        identity: &'i Identity,
        known: Vec<UpstreamGrant>,
        now: Timestamp,
    ) -> Result<Option<Cow<'i, Identity>>, CannotDecide> {
        match self.people.current(identity, known, now).await {
            Ok(identity) => Ok(Some(identity)),
            Err(gone @ NotCurrent::Gone(_)) => {
                tracing::debug!(%gone, "an API key whose owner is gone is refused");
                Ok(None)
            }
            Err(fault @ (NotCurrent::Unavailable(_) | NotCurrent::Store(_))) => Err(fault.into()),
        }
    }

    /// What policy says of a person at a server. An address that makes an admin counts for the account that
    /// it is pinned to, and for nobody while it is pinned to none: only a sign-in pins.
    pub(super) async fn verdict(
        &self,
        identity: &Identity,
        resource: &Resource,
    ) -> Result<Verdict<'_>, StoreError> {
        let asked = Asked { identity, client: None, resource, is_address_taken: false };
        let verdict = self.policy.decide(asked);
        let Some(address) = &verdict.pin else { return Ok(verdict) };
        if self.store.admin_pin(address).await? == Some(identity.person()) {
            return Ok(verdict);
        }
        Ok(self.policy.decide(Asked { is_address_taken: true, ..asked }))
    }

    /// What a key allows at a server now. The longest session that a rule allows bounds keys, too, counted
    /// from when they were made.
    pub(super) async fn scopes(
        &self,
        key: &ApiKey,
        owner: &Identity,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<ScopeSet, StoreError> {
        let verdict = self.verdict(owner, resource).await?;
        let is_over = |session| now >= key.created_at.plus(session);
        if verdict.session.is_some_and(is_over) {
            return Ok(ScopeSet::default());
        }
        Ok(verdict.narrow(&key.scopes))
    }

    /// Sees to it that the owner's upstream can be asked for as long as the key may live: what is known of
    /// a person is else forgotten with the last grant.
    pub(super) async fn keep_facts(&self, key: &ApiKey, now: Timestamp) -> Result<(), StoreError> {
        let (_, wanted) = until(key, now);
        self.people.keep(&key.owner, wanted, now).await
    }

    /// Would they be forgotten soon?
    pub(super) fn are_short(key: &ApiKey, known: &[UpstreamGrant], now: Timestamp) -> bool {
        let (least, _) = until(key, now);
        let person = key.owner.person();
        known.iter().any(|kept| kept.is_of(&key.owner.upstream, &person) && kept.ends_at < least)
    }
}

/// Until when facts about a key's owner are kept at least, and when they are kept.
fn until(key: &ApiKey, now: Timestamp) -> (Timestamp, Timestamp) {
    let (least, wanted) = FACTS_AHEAD;
    let within = |ahead: Duration| {
        let end = now.plus(ahead);
        key.expires_at.map_or(end, |expires| expires.min(end))
    };
    (within(least), within(wanted))
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owners")
    }
}
