//! The part of a store that counts requests. Counters may be forgotten at a restart: they are about this
//! minute.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{RateWindow, Taken};

use super::StoreError;

/// Counts for all replicas together.
#[async_trait]
pub trait RateWindows: Send + Sync {
    /// Takes up to `most` requests out of what the window still has.
    async fn take_of_window(
        &self,
        window: &RateWindow,
        most: u32,
        now: Timestamp,
    ) -> Result<Taken, StoreError>;
}
