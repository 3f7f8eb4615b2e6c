//! Counters of requests, one key for each window.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{RateWindow, Taken};
use crate::store::{RateWindows, StoreError};

use super::RedisStore;
use super::operations::decimal;

#[async_trait]
impl RateWindows for RedisStore {
    async fn take_of_window(
        &self,
        window: &RateWindow,
        most: u32,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let mut script = self.scripts.take_of_window.call(self.keys.rate_window(window));
        script.arg(most).arg(window.quota).arg(decimal(window.ends)).arg(decimal(now));
        let (now, in_all) = self.run(&script).await?;
        Ok(Taken { now, in_all })
    }
}
