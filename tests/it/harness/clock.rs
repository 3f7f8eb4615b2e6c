//! Time that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatelodge::clock::{Clock, SystemClock, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct TestClock {
    now: AtomicU64,
    elapsed: AtomicU64,
}

impl TestClock {
    /// A clock at a round date in 2027.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicU64::new(1_800_000_000), elapsed: AtomicU64::new(0) })
    }

    /// A clock that stands at the machine's present: for a broker beside programs that have their own clock.
    pub(crate) fn at_present() -> Arc<Self> {
        let now = SystemClock.now().as_unix();
        Arc::new(Self { now: AtomicU64::new(now), elapsed: AtomicU64::new(0) })
    }

    /// Moves the present forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.now.fetch_add(by.as_secs(), Ordering::SeqCst);
        self.elapsed.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    /// Sets the clock back, as an administrator does; time has not passed.
    pub(crate) fn set_back(&self, by: Duration) {
        self.now.fetch_sub(by.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.elapsed.load(Ordering::SeqCst))
    }
}
