//! Revocations: each by its name, the moment up to which it holds, and until when it matters.

use std::collections::BTreeMap;

use redb::ReadableTable as _;

use crate::clock::Timestamp;
use crate::domain::{NotBefore, Revoked};
use crate::store::StoreError;

use super::EmbeddedStore;
use super::tables::{NOT_BEFORE, failed, opened};
use super::writer::Done;

impl EmbeddedStore {
    pub(super) async fn put_revocation(
        &self,
        what: &Revoked,
        moment: Timestamp,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = what.name();
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(NOT_BEFORE).map_err(failed)?;
                // Before the old ones are forgotten: a moment never moves back.
                let there = table.get(name.as_str()).map_err(failed)?.map(|found| found.value());
                table.retain(|_, (_, keep_until)| keep_until >= now.as_unix()).map_err(failed)?;
                let (old_moment, old_keep) = there.unwrap_or_default();
                let value = (moment.as_unix().max(old_moment), keep_until.as_unix().max(old_keep));
                table.insert(name.as_str(), value).map_err(failed)?;
                Ok(Done::Ended(()))
            })
            .await
    }

    pub(super) async fn read_revocations(&self, known: &str) -> Result<Option<NotBefore>, StoreError> {
        let moments: BTreeMap<String, u64> = self
            .look(|database| {
                let Some(table) = opened(database, NOT_BEFORE)? else { return Ok(BTreeMap::new()) };
                let mut moments = BTreeMap::new();
                for entry in table.iter().map_err(failed)? {
                    let (name, value) = entry.map_err(failed)?;
                    moments.insert(name.value().to_owned(), value.value().0);
                }
                Ok(moments)
            })
            .await?;
        // One process: the content is its own version.
        let version = if moments.is_empty() { String::new() } else { format!("{moments:?}") };
        if version == known {
            return Ok(None);
        }
        let moments = moments.into_iter().map(|(name, at)| (name, Timestamp::from_unix(at))).collect();
        Ok(Some(NotBefore::new(version, moments)))
    }
}
