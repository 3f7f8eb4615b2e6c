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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Apart, so that addresses, of which anybody has many, drive out no credentials.
    of_addresses: Handfuls,
    of_credentials: Handfuls,
    told: RateLimit<(String, Limit)>,
}

type Handfuls = Cache<(String, Timestamp), Arc<Handful>>;

/// What this process has taken out of a window.
#[derive(Default)]
struct Handful {
    held: Mutex<Held>,
    /// One request takes more; the others wait for it.
    taking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    left: u32,
    /// What all have taken, as far as we know.
    in_all: u32,
}

impl Limits {
    /// Has counted nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, journal: Journal, clock: Arc<dyn Clock>) -> Self {
        let told = RateLimit::per_minute(NonZeroU32::MIN, clock);
        let (of_addresses, of_credentials) = (Cache::new(MOST_COUNTED), Cache::new(MOST_COUNTED));
        Self { store, journal, of_addresses, of_credentials, told }
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
        let remaining = self.take_one(limit, &window, now).await?;
        if remaining.is_none() && self.told.allows(&(resource.url.canonical().to_owned(), limit)) {
            let kind = limit.as_str();
            let why = format!(
                "more than {quota} in a minute to {} from the {kind} {who}; others may be, too",
                resource.url
            );
            self.journal.record(AuditEvent::new(AuditKind::RequestsLimited, now).because(why));
        }
        Ok(LimitState { limit, quota: quota.get(), remaining, reset: window.ends.since(now) })
    }

    /// What is left after one more; none if there was nothing.
    async fn take_one(
        &self,
        limit: Limit,
        window: &RateWindow,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let handfuls = match limit {
            Limit::Address => &self.of_addresses,
            Limit::Credential => &self.of_credentials,
        };
        let key = (window.name.as_str().to_owned(), window.ends);
        let made: Result<_, StoreError> = handfuls.get_or_insert_with(&key, || Ok(Arc::default()));
        let handful = made?;
        if let Some(told) = handful.held().take_one(window) {
            return Ok(told);
        }
        let _turn = handful.taking.lock().await;
        if let Some(told) = handful.held().take_one(window) {
            return Ok(told);
        }
        let most = handful.held().unclaimed(window).div_ceil(HANDFUL);
        let taken = self.store.take_of_window(window, most, now).await?;
        let mut held = handful.held();
        held.in_all = held.in_all.max(taken.in_all);
        held.left += taken.now;
        Ok(held.take_one(window).flatten())
    }
}

impl Handful {
    /// Nothing can fail while it is held.
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn unclaimed(&self, window: &RateWindow) -> u32 {
        window.quota.saturating_sub(self.in_all)
    }

    /// What is left after one more; `Some(None)` if there is no more, none if it is not here.
    #[expect(clippy::option_option, reason = "known to be nothing, and not known")]
    fn take_one(&mut self, window: &RateWindow) -> Option<Option<u32>> {
        if self.left > 0 {
            self.left -= 1;
            return Some(Some(self.unclaimed(window) + self.left));
        }
        (self.unclaimed(window) == 0).then_some(None)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("counted", &self.of_credentials.len()).finish_non_exhaustive()
    }
}
