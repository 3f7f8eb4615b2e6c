//! Counters of requests. There is one process, so they stand in its memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{RateWindow, Taken};
use crate::store::{RateWindows, StoreError};

use super::EmbeddedStore;

/// What has been taken out of each window.
#[derive(Default)]
pub(super) struct Counters(Mutex<HashMap<(String, Timestamp), u32>>);

impl Counters {
    fn take(&self, window: &RateWindow, most: u32) -> Taken {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = counters.entry((window.name.as_str().to_owned(), window.ends)).or_default();
        let now = most.min(window.quota.saturating_sub(*taken));
        *taken += now;
        Taken { now, in_all: *taken }
    }

    /// Forgets the windows that are over.
    pub(super) fn forget_past(&self, now: Timestamp) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.retain(|(_, ends), _| *ends > now);
        counters.shrink_to_fit();
    }
}

#[async_trait]
impl RateWindows for EmbeddedStore {
    async fn take_of_window(
        &self,
        window: &RateWindow,
        most: u32,
        _now: Timestamp,
    ) -> Result<Taken, StoreError> {
        Ok(self.counters.take(window, most))
    }
}
