//! Garbage collection. Nothing depends on it: an expired record is over whether or not it is gone.

use std::sync::Arc;

use redb::ReadableTable;

use crate::clock::Timestamp;
use crate::store::StoreError;

use super::EmbeddedStore;
use super::tables::{COLLECTED, Expiring, failed, opened};
use super::writer::Done;

/// Most records removed in one transaction, so that sign-ins do not wait for the collector.
const MOST_AT_ONCE: usize = 256;

impl EmbeddedStore {
    /// Removes what has expired by `now`; gives back how many records that were.
    pub async fn purge_expired(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.counters.forget_past(now);
        let mut removed = 0;
        for table in COLLECTED {
            let expired = self.expired(table, now).await?;
            for names in expired.chunks(MOST_AT_ONCE) {
                removed += self.remove_expired(table, names.to_vec(), now).await?;
            }
        }
        // Pages that became free in the file are no room on the disk: give them back.
        if removed > 0 && self.held.check_room().is_err() {
            let held = Arc::clone(&self.held);
            let compacted = tokio::task::spawn_blocking(move || held.compact());
            compacted
                .await
                .map_err(|_| StoreError::Unavailable("embedded store: not compacted".into()))??;
        }
        Ok(removed)
    }

    /// Finding them is a read, so that only the removals hold up the writers.
    async fn expired(&self, table: Expiring, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.look(move |database| {
            let Some(table) = opened(database, table)? else { return Ok(Vec::new()) };
            let mut names = Vec::new();
            for entry in table.iter().map_err(failed)? {
                let (name, record) = entry.map_err(failed)?;
                if record.value().0 <= now.as_unix() {
                    names.push(name.value().to_owned());
                }
            }
            Ok(names)
        })
        .await
    }

    async fn remove_expired(
        &self,
        table: Expiring,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(table).map_err(failed)?;
                let mut removed = 0;
                for name in &names {
                    // It may have been kept alive since it was found.
                    let still_expired = table
                        .get(name.as_str())
                        .map_err(failed)?
                        .is_some_and(|record| record.value().0 <= now.as_unix());
                    if still_expired {
                        table.remove(name.as_str()).map_err(failed)?;
                        removed += 1;
                    }
                }
                Ok(Done::Ended(removed))
            })
            .await
    }
}
