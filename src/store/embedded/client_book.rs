//! What the operator says about clients: those that were added, and applications.

use async_trait::async_trait;
use redb::{ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::domain::{
    APPLICATION_LIFETIME, Application, ClientId, Decision, MOST_APPLICATIONS, OperatorClient,
};
use crate::secret::Digest;
use crate::store::client_book::ClientBook;
use crate::store::{StoreError, codec};

use super::EmbeddedStore;
use super::tables::{
    APPLICATIONS, Cover, DECISIONS, OPERATOR_CLIENTS, Plain, client_name, failed, opened, read, remove, write,
};
use super::writer::Done;

#[async_trait]
impl ClientBook for EmbeddedStore {
    async fn operator_clients(&self) -> Result<Vec<OperatorClient>, StoreError> {
        self.whole_table(OPERATOR_CLIENTS).await
    }

    async fn operator_client(&self, id: &ClientId) -> Result<Option<OperatorClient>, StoreError> {
        self.plain(OPERATOR_CLIENTS, &client_name(id))
    }

    async fn replace_operator_client(&self, client: &OperatorClient, from: u64) -> Result<bool, StoreError> {
        let (name, client) = (client_name(&client.client.id), client.clone());
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(OPERATOR_CLIENTS).map_err(failed)?;
                let stored = table.get(name.as_str()).map_err(failed)?.map(|found| found.value().to_vec());
                let version = match &stored {
                    Some(stored) => codec::decode::<OperatorClient>(&name, stored)?.version,
                    None => 0,
                };
                if version != from {
                    return Ok(Done::Looked(false));
                }
                let bytes = match &stored {
                    Some(stored) => codec::encode_over(&name, &client, stored)?,
                    None => codec::encode(&name, &client)?,
                };
                table.insert(name.as_str(), bytes.as_slice()).map_err(failed)?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    async fn remove_operator_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let name = client_name(id);
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(OPERATOR_CLIENTS).map_err(failed)?;
                let there = table.remove(name.as_str()).map_err(failed)?.is_some();
                Ok(if there { Done::Ended(true) } else { Done::Looked(false) })
            })
            .await
    }

    async fn await_approval(&self, application: &Application, now: Timestamp) -> Result<bool, StoreError> {
        let application = application.clone();
        self.writer
            .write(move |transaction| {
                let name = application.key.as_str();
                let table = transaction.open_table(APPLICATIONS).map_err(failed)?;
                let waiting: Option<Application> = read(&table, name, Cover::Clear)?;
                drop(table);
                if waiting.is_some_and(|waiting| !waiting.is_over(now)) {
                    return Ok(Done::Looked(false));
                }
                make_room(transaction)?;
                let until = application.asked_at.plus(APPLICATION_LIFETIME);
                write(transaction, APPLICATIONS, (name, Cover::Clear), &application, Some(until))?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    async fn applications(&self, now: Timestamp) -> Result<Vec<Application>, StoreError> {
        let mut all: Vec<Application> = self
            .look(|database| {
                let Some(table) = opened(database, APPLICATIONS)? else { return Ok(Vec::new()) };
                let entries = table.iter().map_err(failed)?;
                entries
                    .map(|entry| {
                        let (name, record) = entry.map_err(failed)?;
                        codec::decode(name.value(), record.value().1)
                    })
                    .collect()
            })
            .await?;
        all.retain(|application| !application.is_over(now));
        all.sort_by(|a, b| (a.asked_at, a.key.as_str()).cmp(&(b.asked_at, b.key.as_str())));
        Ok(all)
    }

    async fn decide(&self, decision: &Decision) -> Result<(), StoreError> {
        let decision = decision.clone();
        self.writer
            .write(move |transaction| {
                let name = decision.application.key.as_str();
                let bytes = codec::encode(name, &decision)?;
                let mut table = transaction.open_table(DECISIONS).map_err(failed)?;
                table.insert(name, bytes.as_slice()).map_err(failed)?;
                remove(transaction, APPLICATIONS, name)?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    async fn decision(&self, key: &Digest) -> Result<Option<Decision>, StoreError> {
        self.plain(DECISIONS, key.as_str())
    }

    async fn decisions(&self) -> Result<Vec<Decision>, StoreError> {
        let mut all: Vec<Decision> = self.whole_table(DECISIONS).await?;
        all.sort_by_key(|decision| decision.decided_at);
        Ok(all)
    }
}

impl EmbeddedStore {
    fn plain<T: DeserializeOwned>(&self, table: Plain, name: &str) -> Result<Option<T>, StoreError> {
        self.held.with(|database| {
            let Some(table) = opened(database, table)? else { return Ok(None) };
            let found = table.get(name).map_err(failed)?;
            found.map(|found| codec::decode(name, found.value())).transpose()
        })
    }

    async fn whole_table<T: DeserializeOwned + Send + 'static>(
        &self,
        table: Plain,
    ) -> Result<Vec<T>, StoreError> {
        self.look(move |database| {
            let Some(table) = opened(database, table)? else { return Ok(Vec::new()) };
            let entries = table.iter().map_err(failed)?;
            entries
                .map(|entry| {
                    let (name, record) = entry.map_err(failed)?;
                    codec::decode(name.value(), record.value())
                })
                .collect()
        })
        .await
    }
}

/// Takes out those that would be over first, until there is room for one more.
fn make_room(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut table = transaction.open_table(APPLICATIONS).map_err(failed)?;
    while table.len().map_err(failed)? >= MOST_APPLICATIONS as u64 {
        let mut first: Option<(u64, String)> = None;
        for entry in table.iter().map_err(failed)? {
            let (name, record) = entry.map_err(failed)?;
            let end = record.value().0;
            if first.as_ref().is_none_or(|(earliest, _)| end < *earliest) {
                first = Some((end, name.value().to_owned()));
            }
        }
        let Some((_, name)) = first else { break };
        table.remove(name.as_str()).map_err(failed)?;
    }
    Ok(())
}
