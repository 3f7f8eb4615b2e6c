//! Client applications. Nothing in their records is personal or secret. One that registers stands at its place
//! until somebody uses it.

use redb::{ReadableDatabase as _, WriteTransaction};

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId, StoredClient};
use crate::store::StoreError;

use super::tables::{CLIENTS, Cover, client_name, failed, opened_in, read, remove, rewrite, write};
use super::writer::Done;
use super::{EmbeddedStore, newcomers};

impl EmbeddedStore {
    pub(super) async fn put_new_client(&self, client: &Client) -> Result<(), StoreError> {
        let Some(place) = client.id.place() else { return self.put_client(client).await };
        let client = client.clone();
        self.writer
            .write(move |transaction| {
                newcomers::put(transaction, &client, place)?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    pub(super) async fn put_client(&self, client: &Client) -> Result<(), StoreError> {
        let (name, client) = (client_name(&client.id), client.clone());
        self.writer
            .write(move |transaction| {
                newcomers::take_out(transaction, &client.id)?;
                write(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    /// In one look: in between it may be used for the first time.
    #[expect(clippy::unused_async, reason = "every sentence of a store is awaited")]
    pub(super) async fn read_client(
        &self,
        id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<StoredClient>, StoreError> {
        let known = self.held.with(|database| {
            let transaction = database.begin_read().map_err(failed)?;
            let used = match opened_in(&transaction, CLIENTS)? {
                Some(table) => read::<Client>(&table, &client_name(id), Cover::Clear)?,
                None => None,
            };
            Ok(match used {
                Some(client) => Some(StoredClient { client, is_used: true }),
                None => {
                    let newcomer = newcomers::look(&transaction, id)?;
                    newcomer.map(|client| StoredClient { client, is_used: false })
                }
            })
        })?;
        Ok(known.filter(|known| known.client.expires_at.is_none_or(|end| now < end)))
    }

    pub(super) async fn prolong_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        let (name, id) = (client_name(id), id.clone());
        self.writer
            .write(move |transaction| {
                if let Some(mut client) = stored(transaction, &name)? {
                    if client.expires_at.is_none_or(|end| until <= end) {
                        return Ok(Done::Looked(true));
                    }
                    client.expires_at = Some(until);
                    rewrite(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                    return Ok(Done::Wrote(true));
                }
                let Some((place, mut client)) = newcomers::standing(transaction, &id)? else {
                    return Ok(Done::Looked(false));
                };
                client.expires_at = client.expires_at.map(|end| end.max(until));
                newcomers::adopt(transaction, &place, &client)?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    pub(super) async fn put_changed_client(&self, client: &Client) -> Result<bool, StoreError> {
        let (name, mut client) = (client_name(&client.id), client.clone());
        self.writer
            .write(move |transaction| {
                if let Some(known) = stored(transaction, &name)? {
                    client.expires_at = known.expires_at;
                    rewrite(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                } else if let Some((place, known)) = newcomers::standing(transaction, &client.id)? {
                    client.expires_at = known.expires_at;
                    newcomers::rewrite(transaction, &place, &client)?;
                } else {
                    return Ok(Done::Looked(false));
                }
                Ok(Done::Wrote(true))
            })
            .await
    }

    pub(super) async fn take_out_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.writer.write(move |transaction| Ok(ended(newcomers::take_out(transaction, &id)?))).await
    }

    pub(super) async fn take_out_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let (name, id) = (client_name(id), id.clone());
        self.writer
            .write(move |transaction| {
                let was_new = newcomers::take_out(transaction, &id)?;
                Ok(ended(remove(transaction, CLIENTS, &name)? || was_new))
            })
            .await
    }
}

fn ended(there: bool) -> Done<bool> {
    if there { Done::Ended(true) } else { Done::Looked(false) }
}

fn stored(transaction: &WriteTransaction, name: &str) -> Result<Option<Client>, StoreError> {
    let table = transaction.open_table(CLIENTS).map_err(failed)?;
    read(&table, name, Cover::Clear)
}
