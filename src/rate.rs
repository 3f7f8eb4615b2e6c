//! So many in a time for each key, on our clock, in this process; and what counts as one address.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

/// Lets governor run on our clock.
#[derive(Clone)]
struct OurClock(Arc<dyn Clock>);

impl GovernorClock for OurClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Duration::from_secs(self.0.now().as_unix()).into()
    }
}

/// A limit of rate for each key.
pub struct RateLimit<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, OurClock, NoOpMiddleware<Nanos>>,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// So many in a minute.
    #[must_use]
    pub fn per_minute(most: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self::within(Duration::from_secs(60), most, clock)
    }

    /// So many in any `period`, and as many more in the next.
    #[must_use]
    pub fn within(period: Duration, most: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        // None only if a share of the period is nothing: then as many as there can be.
        let share = (period / most.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(share).unwrap_or(Quota::per_second(most)).allow_burst(most);
        Self { limiter: RateLimiter::new(quota, DashMapStateStore::default(), OurClock(clock)) }
    }

    /// Counts one, unless there were too many.
    #[must_use]
    pub fn allows(&self, key: &K) -> bool {
        self.limiter.check_key(key).is_ok()
    }

    /// How many keys are counted.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.limiter.len()
    }

    /// Forgets the keys that had none lately.
    pub fn collect_garbage(&self) {
        self.limiter.retain_recent();
        // After a flood from many.
        self.limiter.shrink_to_fit();
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimit")
    }
}

/// What counts as one address: who has one of IPv6 has its whole /64.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        canonical @ IpAddr::V4(_) => canonical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_113_what_counts_as_one_address() {
        let one = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(one("192.0.2.7"), "192.0.2.7");
        assert_eq!(one("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(one("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(one("2001:db8:1:2::"), one("2001:db8:1:2:ffff::1"));
        assert_ne!(one("2001:db8:1:2::"), one("2001:db8:1:3::"));
    }
}
