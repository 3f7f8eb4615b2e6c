//! Tokens that only somebody else can read: they are sent there, and the answer is believed for a short while.
//!
//! Anybody can invent a token, so this is bounded: so many that are not known to be good in a minute, so many
//! calls at once, one call for all who show the same token, and none for what was refused a moment ago.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::clock::{Clock, Timestamp};
use crate::outbound::Outbound;
use crate::rate::RateLimit;
use crate::secret::Digest;
use crate::single_flight::SingleFlight;

use super::introspection::{Endpoint, IntrospectionRules};
use super::remote::RemoteRules;
use super::vouched::{Refused, Vouched};

/// Calls at once, of one credential.
const MOST_AT_ONCE: usize = 64;

/// How long a refusal is remembered: what is issued now counts now.
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(1);

/// Refusals that are remembered; the oldest make room.
const MOST_REFUSED: usize = 10_000;

/// Longest token that is sent anywhere.
const LONGEST: usize = 16 * 1024;

/// Whom to ask, and how.
#[derive(Debug, Clone)]
pub enum Whom {
    /// An introspection endpoint (RFC 7662).
    Introspection(IntrospectionRules),
    /// An endpoint of the operator's own.
    Remote(RemoteRules),
}

/// How much may be asked.
#[derive(Debug, Clone, Copy)]
pub struct AskRules {
    /// How long an answer is believed.
    pub cache: Duration,
    /// Tokens that are not known to be good, in a minute.
    pub most_calls: NonZeroU32,
}

type Answer = Result<Result<Vouched, Refused>, String>;

/// Somebody who is asked about tokens. Cheap to clone.
#[derive(Clone)]
pub(super) struct Elsewhere {
    issuer: Arc<str>,
    subject_claim: Arc<str>,
    whom: Arc<Whom>,
    pub(super) cache: Duration,
    outbound: Outbound,
    endpoint: Arc<Endpoint>,
    most: Arc<RateLimit<()>>,
    places: Arc<Semaphore>,
    refused: Arc<Cache<String, Timestamp>>,
    flights: SingleFlight<Answer>,
}

impl Elsewhere {
    pub(super) fn new(
        (issuer, subject_claim): (&str, &str),
        whom: Whom,
        rules: AskRules,
        outbound: Outbound,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            subject_claim: subject_claim.into(),
            whom: Arc::new(whom),
            cache: rules.cache,
            outbound,
            endpoint: Arc::default(),
            most: Arc::new(RateLimit::per_minute(rules.most_calls, clock)),
            places: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            refused: Arc::new(Cache::new(MOST_REFUSED)),
            flights: SingleFlight::default(),
        }
    }

    /// What is said of a token. One that was good a moment ago is not counted with those of strangers. A fault
    /// says nothing of the token.
    pub(super) async fn ask(&self, token: &str, was_good: bool, now: Timestamp) -> Answer {
        if !is_plausible(token) {
            return Ok(Err(Refused::NotActive));
        }
        let digest = Digest::of(token).as_str().to_owned();
        if self.refused.get(&digest).is_some_and(|until| now < until) {
            return Ok(Err(Refused::NotActive));
        }
        let flight = self.flights.join(&digest, || {
            if !was_good && !self.most.allows(&()) {
                return Err(Err("too many unknown tokens came in the last minute".to_owned()));
            }
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                return Err(Err("it answers too slowly: too many calls are under way".to_owned()));
            };
            let (this, token, digest) = (self.clone(), token.to_owned(), digest.clone());
            Ok(async move {
                let _place = place;
                let answer = this.asked(&token, now).await;
                if matches!(answer, Ok(Err(_))) {
                    this.refused.insert(digest, now.plus(REFUSED_FOR));
                }
                answer
            })
        });
        flight.await.unwrap_or_else(|| Err("asking about the token broke off".to_owned()))
    }

    /// May it see a token of this issuer? An authorization server sees its own alone; what is not ours, an
    /// endpoint of the operator's may.
    pub(super) fn may_see(&self, issuer: &str, own_issuer: &str) -> bool {
        match self.whom.as_ref() {
            Whom::Introspection(_) => issuer == self.issuer.as_ref(),
            Whom::Remote(_) => issuer != own_issuer,
        }
    }

    async fn asked(&self, token: &str, now: Timestamp) -> Answer {
        match self.whom.as_ref() {
            Whom::Introspection(rules) => {
                let names = (self.issuer.as_ref(), self.subject_claim.as_ref());
                rules.ask((&self.outbound, &self.endpoint), names, token, now).await
            }
            Whom::Remote(rules) => rules.ask(&self.outbound, token, now).await,
        }
    }
}

/// Could it be a token at all (RFC 6750 section 2.1)? Nothing else is sent anywhere.
fn is_plausible(token: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    !token.is_empty() && token.len() <= LONGEST && token.bytes().all(plain)
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("issuer", &self.issuer)
            .field("whom", &self.whom)
            .finish_non_exhaustive()
    }
}
