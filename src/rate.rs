//! So many in a time for each key, on our clock, in this process; and what counts as one address.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
        self.0.elapsed().into()
    }
}

/// A limit of rate for each key.
pub struct RateLimit<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, OurClock, NoOpMiddleware<Nanos>>,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// So many at once, and as many more in each minute.
    #[must_use]
    pub fn per_minute(most: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self::of(Quota::per_minute(most), clock)
    }

    /// Never more than so many in any `period`: half of them at once, the others spread over it.
    #[must_use]
    pub fn within(period: Duration, most: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let half = NonZeroU32::new(most.get().div_ceil(2)).unwrap_or(most);
        // None only if a share of the period is nothing: then as many as there can be.
        let share = (period / half.get()).max(Duration::from_nanos(1));
        Self::of(Quota::with_period(share).unwrap_or(Quota::per_second(half)).allow_burst(half), clock)
    }

    fn of(quota: Quota, clock: Arc<dyn Clock>) -> Self {
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
    of_width(address, 64)
}

/// What one subscriber has at most: of IPv6 a /48.
#[must_use]
pub fn site(address: IpAddr) -> IpAddr {
    of_width(address, 48)
}

fn of_width(address: IpAddr, width: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => match behind_nat64(address) {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - width)))),
        },
        canonical @ IpAddr::V4(_) => canonical,
    }
}

/// The address of IPv4 that a translator writes as one of IPv6 (RFC 6052 section 2.1).
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => address.octets().last_chunk().copied().map(<[u8; 4]>::into),
        _ => None,
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
        assert_eq!(one("64:ff9b::192.0.2.7"), "192.0.2.7");
        assert_eq!(site("2001:db8:1:2::1".parse().unwrap()), site("2001:db8:1:3::".parse().unwrap()));
        assert_ne!(site("2001:db8:1::".parse().unwrap()), site("2001:db8:2::".parse().unwrap()));
    }
}
