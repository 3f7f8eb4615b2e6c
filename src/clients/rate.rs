//! So many a minute for each key, on our clock, in this process.

use std::fmt;
use std::hash::Hash;
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
pub(super) struct PerMinute<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, OurClock, NoOpMiddleware<Nanos>>,
}

impl<K: Hash + Eq + Clone> PerMinute<K> {
    pub(super) fn new(most: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_minute(most);
        Self { limiter: RateLimiter::new(quota, DashMapStateStore::default(), OurClock(clock)) }
    }

    /// Counts one, unless there were too many.
    pub(super) fn allows(&self, key: &K) -> bool {
        self.limiter.check_key(key).is_ok()
    }

    /// Forgets the keys that had none lately.
    pub(super) fn collect_garbage(&self) {
        self.limiter.retain_recent();
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for PerMinute<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerMinute")
    }
}
