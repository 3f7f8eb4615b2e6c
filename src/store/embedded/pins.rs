//! To whom the addresses of admins are pinned. A pin stays until the operator takes it out.

use redb::ReadableTable as _;

use crate::domain::{EmailAddress, PersonId};
use crate::secret::Digest;
use crate::store::StoreError;

use super::EmbeddedStore;
use super::tables::{ADMIN_PINS, failed, opened};
use super::writer::Done;

impl EmbeddedStore {
    pub(super) async fn keep_pin(
        &self,
        email: &EmailAddress,
        person: &PersonId,
    ) -> Result<PersonId, StoreError> {
        let (name, person) = (name(email), person.clone());
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(ADMIN_PINS).map_err(failed)?;
                if let Some(pinned) = table.get(name.as_str()).map_err(failed)? {
                    return read(pinned.value()).map(Done::Looked);
                }
                table.insert(name.as_str(), person.as_str()).map_err(failed)?;
                Ok(Done::Wrote(person))
            })
            .await
    }

    pub(super) async fn pin(&self, email: &EmailAddress) -> Result<Option<PersonId>, StoreError> {
        let name = name(email);
        self.look(move |database| {
            let Some(table) = opened(database, ADMIN_PINS)? else { return Ok(None) };
            let pinned = table.get(name.as_str()).map_err(failed)?;
            pinned.map(|pinned| read(pinned.value())).transpose()
        })
        .await
    }

    pub(super) async fn forget_pin(&self, email: &EmailAddress) -> Result<bool, StoreError> {
        let name = name(email);
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(ADMIN_PINS).map_err(failed)?;
                let there = table.remove(name.as_str()).map_err(failed)?.is_some();
                Ok(if there { Done::Ended(true) } else { Done::Looked(false) })
            })
            .await
    }
}

fn name(email: &EmailAddress) -> String {
    Digest::of(&email.to_string()).as_str().to_owned()
}

fn read(pinned: &str) -> Result<PersonId, StoreError> {
    PersonId::parse(pinned).ok_or_else(|| StoreError::Unreadable("the pin of an admin's address".into()))
}
