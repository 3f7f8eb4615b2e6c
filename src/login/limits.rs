//! How many sign-ins may be begun: each is a record in the store until it is over, and anybody can begin
//! one. Who is signed in here counts for themselves, so that no stranger can use up their turn.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::PersonId;
use crate::rate::{RateLimit, network, site};

/// How many pages somebody who is signed in may have in a minute.
const OF_ONE_PERSON: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// How many applications that wait for approval may be shown from one address in a minute.
const WAITING: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// The share of all sign-ins that one address may have over time: a twentieth.
const SHARE: u32 = 20;

/// What the operator decides about sign-ins that are begun.
#[derive(Debug, Clone, Copy)]
pub struct SignInLimits {
    /// How many from one address in a minute.
    pub per_address: NonZeroU32,
    /// How many in the time that one is kept, in this process.
    pub most_pending: NonZeroU32,
}

/// Counts sign-ins that are begun (REL-22).
#[derive(Debug)]
pub struct SignInCounter {
    addresses: RateLimit<IpAddr>,
    sites: RateLimit<IpAddr>,
    all: RateLimit<()>,
    people: RateLimit<PersonId>,
    waiting: RateLimit<IpAddr>,
    told: RateLimit<()>,
}

impl SignInCounter {
    /// Counts by these limits; `kept` is how long a sign-in is remembered that nobody ends.
    #[must_use]
    pub fn new(limits: SignInLimits, kept: Duration, clock: &Arc<dyn Clock>) -> Self {
        let SignInLimits { per_address, most_pending } = limits;
        let share = per_address.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        let share = share.max(NonZeroU32::new(most_pending.get() / SHARE).unwrap_or(share));
        let clock = || Arc::clone(clock);
        Self {
            addresses: RateLimit::per_minute(per_address, clock()),
            sites: RateLimit::within(kept, share, clock()),
            all: RateLimit::within(kept, most_pending, clock()),
            people: RateLimit::per_minute(OF_ONE_PERSON, clock()),
            waiting: RateLimit::per_minute(WAITING, clock()),
            told: RateLimit::per_minute(NonZeroU32::MIN, clock()),
        }
    }

    /// Counts one more, by somebody who is signed in or from this address, or says what there are too
    /// many of. One address that has too many takes nothing from the others.
    pub(super) fn count(&self, address: IpAddr, signed_in: Option<&PersonId>) -> Result<(), TooMany> {
        if let Some(person) = signed_in {
            return if self.people.allows(person) { Ok(()) } else { Err(TooMany::OfOnePerson) };
        }
        if !self.addresses.allows(&network(address)) || !self.sites.allows(&site(address)) {
            return Err(TooMany::FromOneAddress);
        }
        if !self.all.allows(&()) {
            return Err(TooMany::InAll);
        }
        Ok(())
    }

    /// The same for an application that waits for the operator's word: each new one is remembered.
    pub(super) fn count_waiting(&self, address: IpAddr) -> Result<(), TooMany> {
        if self.waiting.allows(&network(address)) { Ok(()) } else { Err(TooMany::FromOneAddress) }
    }

    /// Is it time to tell the operator again?
    pub(super) fn is_news(&self) -> bool {
        self.told.allows(&())
    }

    /// Forgets whoever was quiet lately.
    pub fn collect_garbage(&self) {
        for addresses in [&self.addresses, &self.sites, &self.waiting] {
            addresses.collect_garbage();
        }
        self.people.collect_garbage();
    }
}

/// What there are too many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMany {
    FromOneAddress,
    OfOnePerson,
    InAll,
}
