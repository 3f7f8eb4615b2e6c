//! Sign-ins under way: each is moved on from the step that was read, and taken out once.

use redb::WriteTransaction;

use crate::clock::Timestamp;
use crate::domain::{LoginId, PendingLogin};
use crate::secret::Sealer;
use crate::store::StoreError;

use super::tables::{Cover, LOGINS, failed, login_name, read, remove, rewrite};
use super::writer::Done;
use super::{EmbeddedStore, Personal};

impl EmbeddedStore {
    pub(super) async fn put_login(&self, login: &PendingLogin) -> Result<(), StoreError> {
        let (sealer, login) = (self.sealer.clone(), login.clone());
        self.writer
            .write(move |transaction| {
                put(transaction, &sealer, &login)?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    pub(super) fn read_login(
        &self,
        id: &LoginId,
        now: Timestamp,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let login: Option<PendingLogin> = self.read(LOGINS, &login_name(id), Personal::Yes)?;
        Ok(login.filter(|login| !login.is_expired(now)))
    }

    pub(super) async fn move_login(
        &self,
        login: &PendingLogin,
        from: u8,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (sealer, login) = (self.sealer.clone(), login.clone());
        self.writer
            .write(move |transaction| {
                let stored = get(transaction, &sealer, &login_name(&login.id))?;
                let at_from =
                    stored.is_some_and(|stored| !stored.is_expired(now) && stored.step.ordinal() == from);
                if !at_from {
                    return Ok(Done::Looked(false));
                }
                put(transaction, &sealer, &login)?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    pub(super) async fn remove_login(
        &self,
        id: &LoginId,
        now: Timestamp,
    ) -> Result<Option<PendingLogin>, StoreError> {
        let (sealer, name) = (self.sealer.clone(), login_name(id));
        self.writer
            .write(move |transaction| {
                let Some(login) = get(transaction, &sealer, &name)? else {
                    return Ok(Done::Looked(None));
                };
                remove(transaction, LOGINS, &name)?;
                Ok(Done::Ended(Some(login).filter(|login| !login.is_expired(now))))
            })
            .await
    }
}

fn get(
    transaction: &WriteTransaction,
    sealer: &Sealer,
    name: &str,
) -> Result<Option<PendingLogin>, StoreError> {
    let table = transaction.open_table(LOGINS).map_err(failed)?;
    read(&table, name, Cover::Sealed(sealer))
}

fn put(transaction: &WriteTransaction, sealer: &Sealer, login: &PendingLogin) -> Result<(), StoreError> {
    let name = login_name(&login.id);
    rewrite(transaction, LOGINS, (&name, Cover::Sealed(sealer)), login, Some(login.expires_at))
}
