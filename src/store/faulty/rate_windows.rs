//! Counters of requests, until they fail.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{RateWindow, Taken};
use crate::store::{RateWindows, StoreError};

use super::{FaultyStore, Operation};

#[async_trait]
impl RateWindows for FaultyStore {
    async fn take_of_window(
        &self,
        window: &RateWindow,
        most: u32,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        self.reach(Operation::TakeOfWindow).await?.take_of_window(window, most, now).await
    }
}
