//! How many sign-ins may be begun: each is a record in the store until it is over, and anybody can begin
//! one. Who is signed in here and is not asked anything again begins none.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::rate::{RateLimit, network};

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
    all: RateLimit<()>,
    told: RateLimit<()>,
}

impl SignInCounter {
    /// Counts by these limits; `kept` is how long a sign-in is remembered that nobody ends.
    #[must_use]
    pub fn new(limits: SignInLimits, kept: Duration, clock: &Arc<dyn Clock>) -> Self {
        Self {
            addresses: RateLimit::per_minute(limits.per_address, Arc::clone(clock)),
            all: RateLimit::within(kept, limits.most_pending, Arc::clone(clock)),
            told: RateLimit::per_minute(NonZeroU32::MIN, Arc::clone(clock)),
        }
    }

    /// Counts one more from this address, or says what there are too many of. One address that has too
    /// many takes nothing from the others.
    pub(super) fn count(&self, address: IpAddr) -> Result<(), TooMany> {
        if !self.addresses.allows(&network(address)) {
            return Err(TooMany::FromOneAddress);
        }
        if !self.all.allows(&()) {
            return Err(TooMany::InAll);
        }
        Ok(())
    }

    /// Is it time to tell the operator again?
    pub(super) fn is_news(&self) -> bool {
        self.told.allows(&())
    }

    /// Forgets the addresses that were quiet lately.
    pub fn collect_garbage(&self) {
        self.addresses.collect_garbage();
    }
}

/// What there are too many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMany {
    FromOneAddress,
    InAll,
}
