//! Client applications. Nothing in their records is personal or secret.

use redb::WriteTransaction;

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId};
use crate::store::StoreError;

use super::tables::{CLIENTS, Cover, client_name, failed, read, remove, rewrite, write};
use super::writer::Done;
use super::{EmbeddedStore, Personal, unused_clients};

impl EmbeddedStore {
    pub(super) async fn put_new_client(&self, client: &Client, most_unused: usize) -> Result<(), StoreError> {
        let (name, client) = (client_name(&client.id), client.clone());
        self.writer
            .write(move |transaction| {
                write(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                unused_clients::add(transaction, &name, most_unused)?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    pub(super) async fn put_client(&self, client: &Client) -> Result<(), StoreError> {
        let (name, client) = (client_name(&client.id), client.clone());
        self.writer
            .write(move |transaction| {
                write(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                unused_clients::take_out(transaction, &name)?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    #[expect(clippy::unused_async, reason = "every sentence of a store is awaited")]
    pub(super) async fn read_client(
        &self,
        id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Client>, StoreError> {
        let client: Option<Client> = self.read(CLIENTS, &client_name(id), Personal::No)?;
        Ok(client.filter(|client| client.expires_at.is_none_or(|end| now < end)))
    }

    pub(super) async fn prolong_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        let name = client_name(id);
        self.writer
            .write(move |transaction| {
                let Some(mut client) = stored(transaction, &name)? else { return Ok(Done::Looked(false)) };
                let is_longer = client.expires_at.is_some_and(|end| end < until);
                if is_longer {
                    client.expires_at = Some(until);
                    rewrite(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                }
                let was_unused = unused_clients::take_out(transaction, &name)?;
                Ok(match (is_longer, was_unused) {
                    (true, _) => Done::Wrote(true),
                    (false, true) => Done::Ended(true),
                    (false, false) => Done::Looked(true),
                })
            })
            .await
    }

    pub(super) async fn put_changed_client(&self, client: &Client) -> Result<bool, StoreError> {
        let (name, mut client) = (client_name(&client.id), client.clone());
        self.writer
            .write(move |transaction| {
                let Some(known) = stored(transaction, &name)? else { return Ok(Done::Looked(false)) };
                client.expires_at = known.expires_at;
                rewrite(transaction, CLIENTS, (&name, Cover::Clear), &client, client.expires_at)?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    pub(super) async fn take_out_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let name = client_name(id);
        self.writer
            .write(move |transaction| {
                if !unused_clients::take_out(transaction, &name)? {
                    return Ok(Done::Looked(false));
                }
                Ok(Done::Ended(remove(transaction, CLIENTS, &name)?))
            })
            .await
    }

    pub(super) async fn take_out_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let name = client_name(id);
        self.writer
            .write(move |transaction| {
                unused_clients::take_out(transaction, &name)?;
                let there = remove(transaction, CLIENTS, &name)?;
                Ok(if there { Done::Ended(true) } else { Done::Looked(false) })
            })
            .await
    }
}

fn stored(transaction: &WriteTransaction, name: &str) -> Result<Option<Client>, StoreError> {
    let table = transaction.open_table(CLIENTS).map_err(failed)?;
    read(&table, name, Cover::Clear)
}
