//! How many requests may come within a time, counted by all replicas together.

use crate::clock::Timestamp;
use crate::secret::Digest;

/// The time that limits count by, in seconds. Windows begin where the clock's minutes do.
const SECONDS: u64 = 60;

/// One counter, for one window of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateWindow {
    /// What is counted.
    pub name: Digest,
    /// How many may come within it.
    pub quota: u32,
    /// When it ends.
    pub ends: Timestamp,
}

impl RateWindow {
    /// The window of this moment.
    #[must_use]
    pub fn at(name: Digest, quota: u32, now: Timestamp) -> Self {
        let ends = Timestamp::from_unix((now.as_unix() / SECONDS + 1).saturating_mul(SECONDS));
        Self { name, quota, ends }
    }

    /// How long a window is, in seconds.
    #[must_use]
    pub const fn seconds() -> u64 {
        SECONDS
    }
}

/// What was taken out of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// So many requests: none if the window is used up.
    pub now: u32,
    /// So many in all, by every replica.
    pub in_all: u32,
}
