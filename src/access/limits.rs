//! How many requests may come, from one address and with one credential, counted by all replicas together.
//!
//! A process takes requests out of the store's counter by the handful, an eighth of what is left there: so
//! never more than the quota pass in all, and most requests ask nobody. What it has not used by the end of a
//! window is lost.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::clock::{Clock, Timestamp};
use crate::domain::{AuditEvent, AuditKind, RateWindow, Resource};
use crate::rate::RateLimit;
use crate::secret::Digest;
use crate::store::audit::Journal;
use crate::store::{Store, StoreError};

/// Counters that are remembered; the least used make room, and take a new handful when they come again.
const MOST_COUNTED: usize = 20_000;

/// The part of what is left that a process takes at a time.
const HANDFUL: u32 = 8;

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The address that requests come from.
    Address,
    /// The credential that they carry.
    Credential,
}

impl Limit {
    /// Its name in `RateLimit` headers and in the journal.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Credential => "credential",
        }
    }
}

/// How a limit stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState {
    limit: Limit,
    quota: u32,
    /// None: the request was one too many.
    remaining: Option<u32>,
    reset: Duration,
}

/// How the limits stand that a request was counted by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitStates(Vec<LimitState>);

impl LimitStates {
    /// Adds one; false if the request was one too many.
    pub(super) fn add(&mut self, state: LimitState) -> bool {
        self.0.push(state);
        state.remaining.is_some()
    }

    /// The headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), if
    /// anything was counted.
    #[must_use]
    pub fn headers(&self) -> Option<[(&'static str, String); 2]> {
        if self.0.is_empty() {
            return None;
        }
        let list = |item: &dyn Fn(&LimitState) -> String| -> String {
            self.0.iter().map(item).collect::<Vec<_>>().join(", ")
        };
        let window = RateWindow::seconds();
        let policy = list(&|state| format!("\"{}\";q={};w={window}", state.limit.as_str(), state.quota));
        let now = list(&|state| {
            let (remaining, reset) = (state.remaining.unwrap_or(0), state.reset.as_secs());
            format!("\"{}\";r={remaining};t={reset}", state.limit.as_str())
        });
        Some([("ratelimit-policy", policy), ("ratelimit", now)])
    }

    /// When it is worth to come again, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> u64 {
        self.0.iter().map(|state| state.reset.as_secs()).max().unwrap_or(0).max(1)
    }
}

/// Counts requests.
pub struct Limits {
    store: Arc<dyn Store>,
    journal: Journal,
    handfuls: Cache<(String, Timestamp), Arc<Mutex<Handful>>>,
    told: RateLimit<()>,
}

/// What this process has taken out of a window.
#[derive(Default)]
struct Handful {
    left: u32,
    /// What all have taken, as far as we know.
    in_all: u32,
}

impl Limits {
    /// Has counted nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, journal: Journal, clock: Arc<dyn Clock>) -> Self {
        let told = RateLimit::per_minute(NonZeroU32::MIN, clock);
        Self { store, journal, handfuls: Cache::new(MOST_COUNTED), told }
    }

    /// Counts one request to a server.
    pub(super) async fn count(
        &self,
        limit: Limit,
        who: &str,
        (resource, quota): (&Resource, NonZeroU32),
        now: Timestamp,
    ) -> Result<LimitState, StoreError> {
        let name = Digest::of(&format!("{}\n{}\n{who}", limit.as_str(), resource.url.canonical()));
        let window = RateWindow::at(name, quota.get(), now);
        let remaining = self.take_one(&window, now).await?;
        if remaining.is_none() && self.told.allows(&()) {
            let why = format!(
                "more than {quota} in a minute to {} from one {}; others may be, too",
                resource.url,
                limit.as_str()
            );
            self.journal.record(AuditEvent::new(AuditKind::RequestsLimited, now).because(why));
        }
        Ok(LimitState { limit, quota: quota.get(), remaining, reset: window.ends.since(now) })
    }

    /// What is left after one more; none if there was nothing.
    async fn take_one(&self, window: &RateWindow, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let key = (window.name.as_str().to_owned(), window.ends);
        let made: Result<_, StoreError> = self.handfuls.get_or_insert_with(&key, || Ok(Arc::default()));
        let handful = made?;
        let most = {
            let mut own = lock(&handful);
            let unclaimed = window.quota.saturating_sub(own.in_all);
            if own.left > 0 {
                own.left -= 1;
                return Ok(Some(unclaimed + own.left));
            }
            if unclaimed == 0 {
                return Ok(None);
            }
            (unclaimed / HANDFUL).max(1)
        };
        let taken = self.store.take_of_window(window, most, now).await?;
        let mut own = lock(&handful);
        own.in_all = own.in_all.max(taken.in_all);
        own.left += taken.now.saturating_sub(1);
        let left = window.quota.saturating_sub(own.in_all) + own.left;
        Ok((taken.now > 0).then_some(left))
    }
}

/// Nothing can fail while it is held.
fn lock(handful: &Mutex<Handful>) -> std::sync::MutexGuard<'_, Handful> {
    handful.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("counted", &self.handfuls.len()).finish_non_exhaustive()
    }
}
