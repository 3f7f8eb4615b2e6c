//! The audit stream: events in the order in which they came, the newest kept.

use redb::{ReadableTable as _, ReadableTableMetadata as _};

use crate::domain::AuditEvent;
use crate::store::{StoreError, audit, codec};

use super::EmbeddedStore;
use super::tables::{AUDIT, failed, opened};
use super::writer::Done;

impl EmbeddedStore {
    pub(super) async fn put_events(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let events =
            events.iter().map(|event| codec::encode("audit", event)).collect::<Result<Vec<_>, _>>()?;
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(AUDIT).map_err(failed)?;
                let last = table.last().map_err(failed)?.map_or(0, |(number, _)| number.value());
                for (number, bytes) in (last.saturating_add(1)..).zip(&events) {
                    table.insert(number, bytes.as_slice()).map_err(failed)?;
                }
                while table.len().map_err(failed)? > audit::KEPT as u64 {
                    table.pop_first().map_err(failed)?;
                }
                Ok(Done::Wrote(()))
            })
            .await
    }

    pub(super) async fn newest_events(&self, at_most: usize) -> Result<Vec<AuditEvent>, StoreError> {
        self.look(move |database| {
            let Some(table) = opened(database, AUDIT)? else { return Ok(Vec::new()) };
            let mut events = Vec::new();
            for entry in table.iter().map_err(failed)?.rev().take(at_most) {
                events.push(codec::decode("audit", entry.map_err(failed)?.1.value())?);
            }
            Ok(events)
        })
        .await
    }
}
