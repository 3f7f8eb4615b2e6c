//! People who have signed in, and whether what an upstream said of them still holds.
//!
//! [`People::arrived`] keeps what a sign-in brought. [`People::current`] has the upstream asked again
//! where facts are no longer young: by one caller in all replicas, who claims the record first, since
//! the upstream's token may serve only once. Everybody else who comes meanwhile waits for that answer.
//!
//! | the upstream | the facts | the record |
//! |---|---|---|
//! | answers | the new ones | young |
//! | refuses the person, also by the sign-in before | none: [`NotCurrent::Gone`] | refused, until the next sign-in |
//! | gives no answer in 4 s, or none that can be believed | the last ones, up to a bound; then [`NotCurrent::Unavailable`] | rests for 30 s |

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::clock::Timestamp;
use crate::domain::{Identity, PersonTag, Standing, UpstreamCredential, UpstreamGrant};
use crate::store::{Store, StoreError};
use crate::upstream::{REST, Recheck, Renewal, SignedIn, Upstream, Upstreams};

/// How long a refresh waits for an upstream before it goes on with the last facts.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long nobody else asks: as long as all hops of a renewal and the store may take, and as far as
/// the clocks of replicas may differ.
const CLAIM: Duration = Duration::from_secs(9 + 10 + 60);

/// How often whoever waits for another's answer looks for it.
const LOOK: Duration = Duration::from_millis(50);

/// How often a change is tried anew when somebody else was first.
const TRIES: usize = 20;

/// Why there are no facts to decide by.
#[derive(Debug, thiserror::Error)]
pub enum NotCurrent {
    /// The upstream refuses the person.
    #[error("the identity provider no longer vouches for the person: {0}")]
    Gone(String),
    /// The upstream has not answered for longer than is tolerated.
    #[error("identity provider {0} has not answered for longer than outage_tolerance")]
    Unavailable(String),
    /// The store cannot say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks upstreams again, and keeps what they say.
#[derive(Debug, Clone)]
pub struct People {
    /// Who is asked.
    pub upstreams: Upstreams,
    /// Where it is kept.
    pub store: Arc<dyn Store>,
}

impl People {
    /// Keeps what a sign-in brought, for as long as its grant may live.
    pub async fn arrived(
        &self,
        signed_in: &SignedIn,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let SignedIn { identity, credential, .. } = signed_in;
        if self.rechecked(identity).is_none() {
            return Ok(());
        }
        if credential.is_none() {
            tracing::info!(upstream = %identity.upstream, "the provider gave no refresh token: facts stay as they were at sign-in");
        }
        for _ in 0..TRIES {
            let (older, is_readable) = match self.find(identity, now).await {
                Ok(found) => (found, true),
                Err(StoreError::Unreadable(_)) => (None, false),
                Err(fault) => return Err(fault),
            };
            if older.is_none() && credential.is_none() && is_readable {
                return Ok(());
            }
            // What brings its own token depends on nothing that is there.
            let seen = match (&older, credential) {
                (Some(older), None) => Some(older.version),
                _ => None,
            };
            let kept = UpstreamGrant::arrived(identity.clone(), credential.clone(), older, (until, now));
            if self.store.keep_upstream_grant(&kept, seen, now).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("what an upstream says of a person changes without end".into()))
    }

    /// What is known of the people with this tag: asked for beside the grant, in one round trip. Where
    /// no upstream is asked again, there is nothing to know.
    pub async fn known(&self, person: PersonTag, now: Timestamp) -> Result<Vec<UpstreamGrant>, StoreError> {
        if self.upstreams.iter().all(|upstream| upstream.settings().recheck.is_none()) {
            return Ok(Vec::new());
        }
        self.store.upstream_grants(person, now).await
    }

    /// The facts by which policy decides now, given what is [known](Self::known). Session and date of
    /// the sign-in stay those of `identity`.
    pub async fn current<'i>(
        &self,
        identity: &'i Identity,
        known: Vec<UpstreamGrant>,
        now: Timestamp,
    ) -> Result<Cow<'i, Identity>, NotCurrent> {
        let Some((_, recheck)) = self.rechecked(identity) else { return Ok(Cow::Borrowed(identity)) };
        // The upstream gave nothing to ask again with.
        let Some(kept) = of(identity, known) else { return Ok(Cow::Borrowed(identity)) };
        if let Standing::Good = kept.standing(recheck.after, now) {
            return Ok(Cow::Owned(kept.identity.in_the_session_of(identity)));
        }
        // Apart, because it is rare and large.
        Box::pin(self.asked_again(identity, kept, now)).await
    }

    /// The facts that the upstream has told now, or last.
    async fn asked_again<'i>(
        &self,
        identity: &'i Identity,
        kept: UpstreamGrant,
        now: Timestamp,
    ) -> Result<Cow<'i, Identity>, NotCurrent> {
        let Some((upstream, recheck)) = self.rechecked(identity) else { return Ok(Cow::Borrowed(identity)) };
        let deadline = Instant::now() + PATIENCE;
        let mut look = tokio::time::interval(LOOK);
        let mut found = Some(kept);
        loop {
            let Some(kept) = found else { return Ok(Cow::Borrowed(identity)) };
            let is_over = Instant::now() >= deadline;
            match kept.standing(recheck.after, now) {
                Standing::Good => return Ok(Cow::Owned(kept.identity.in_the_session_of(identity))),
                Standing::Refused(why) => return Err(NotCurrent::Gone(why.to_owned())),
                Standing::Due(used) if !is_over && !upstream.is_resting(now) => {
                    let used = used.clone();
                    let claim = kept.clone().claimed(now.plus(CLAIM));
                    if self.store.keep_upstream_grant(&claim, Some(kept.version), now).await? {
                        let claim = UpstreamGrant { version: kept.version + 1, ..claim };
                        let asked = Arc::clone(upstream);
                        // Not this request's: a client that hangs up must not cost the person's token.
                        let renewal = tokio::spawn(self.clone().renew(asked, claim, used, now));
                        match timeout_at(deadline, renewal).await {
                            Ok(Ok(renewed)) => found = Some(renewed?),
                            Ok(Err(_)) | Err(_) => {
                                upstream.let_rest(now);
                                return last(kept, identity, recheck, now).map(Cow::Owned);
                            }
                        }
                    } else {
                        found = self.find(identity, now).await?;
                    }
                }
                Standing::Claimed if !is_over => {
                    look.tick().await;
                    found = self.find(identity, now).await?;
                }
                Standing::Due(_) | Standing::Claimed | Standing::Resting => {
                    return last(kept, identity, recheck, now).map(Cow::Owned);
                }
            }
        }
    }

    /// The facts as they were last told. Nobody is asked, so they decide nothing.
    pub async fn last_known(&self, identity: &Identity, now: Timestamp) -> Result<Identity, StoreError> {
        let found = self.find(identity, now).await?;
        Ok(found.map_or_else(|| identity.clone(), |kept| kept.identity.in_the_session_of(identity)))
    }

    /// Keeps what is known of a person at least until then: something lives on that outlives their grants.
    pub async fn keep(
        &self,
        identity: &Identity,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let Some(kept) = self.find(identity, now).await?.filter(|kept| kept.ends_at < until) else {
                return Ok(());
            };
            let longer = UpstreamGrant { ends_at: until, ..kept.clone() };
            if self.store.keep_upstream_grant(&longer, Some(kept.version), now).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("what an upstream says of a person changes without end".into()))
    }

    /// Asks the upstream, and keeps its answer. Whoever calls this has claimed the record.
    async fn renew(
        self,
        upstream: Arc<Upstream>,
        claim: UpstreamGrant,
        used: UpstreamCredential,
        now: Timestamp,
    ) -> Result<UpstreamGrant, StoreError> {
        let renewal = upstream.renew(&used, &claim.identity, now).await;
        if let Renewal::NoAnswer(fault, _) = &renewal {
            tracing::warn!(%fault, "a person's facts could not be renewed; the last ones serve");
        }
        let mut look = tokio::time::interval(LOOK);
        let mut kept = claim;
        let mut fault = None;
        for _ in 0..TRIES {
            let next = outcome(kept.clone(), &renewal, now);
            match self.store.keep_upstream_grant(&next, Some(kept.version), now).await {
                Ok(true) => return Ok(UpstreamGrant { version: kept.version + 1, ..next }),
                Ok(false) => {}
                Err(error) => fault = Some(error),
            }
            look.tick().await;
            match self.find(&next.identity, now).await {
                Ok(None) => return Ok(next),
                // A sign-in brought another; or this is what we wrote, and only the answer was lost.
                Ok(Some(other)) if other.credential.as_ref() != Some(&used) => return Ok(other),
                Ok(Some(same)) => kept = same,
                Err(error) => fault = Some(error),
            }
        }
        let unsettled = || StoreError::Unavailable("what an upstream said could not be kept".into());
        let fault = fault.unwrap_or_else(unsettled);
        tracing::error!(%fault, upstream = %upstream.id(), "a provider's answer could not be kept: the person may have to sign in again");
        Err(fault)
    }

    /// What is kept of this person at this upstream.
    async fn find(&self, identity: &Identity, now: Timestamp) -> Result<Option<UpstreamGrant>, StoreError> {
        let tag = identity.person().tag();
        Ok(of(identity, self.store.upstream_grants(tag, now).await?))
    }

    /// The upstream of a person, if it is asked again, and still is the one that it was.
    fn rechecked(&self, identity: &Identity) -> Option<(&Arc<Upstream>, Recheck)> {
        let upstream = self.upstreams.find(identity.upstream.as_str())?;
        let recheck = upstream.settings().recheck?;
        upstream.vouches_for(identity).then_some((upstream, recheck))
    }
}

fn of(identity: &Identity, all: Vec<UpstreamGrant>) -> Option<UpstreamGrant> {
    let person = identity.person();
    all.into_iter().find(|kept| kept.is_of(&identity.upstream, &person))
}

fn outcome(kept: UpstreamGrant, renewal: &Renewal, now: Timestamp) -> UpstreamGrant {
    match renewal {
        Renewal::Facts(facts, credential) => kept.renewed((**facts).clone(), credential.clone(), now),
        Renewal::NoAnswer(_, credential) => kept.rested(credential.clone(), now.plus(REST)),
        Renewal::Refused(why) => kept.refused_because(why.clone()),
    }
}

/// The last facts, as long as they are not too old.
fn last(
    kept: UpstreamGrant,
    identity: &Identity,
    recheck: Recheck,
    now: Timestamp,
) -> Result<Identity, NotCurrent> {
    if now.since(kept.asked_at) < recheck.outage_tolerance {
        return Ok(kept.identity.in_the_session_of(identity));
    }
    Err(NotCurrent::Unavailable(identity.upstream.to_string()))
}
