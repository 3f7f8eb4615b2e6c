//! Clients that nobody has used: each at one of so many places, which the next one to stand there writes over.

use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, ReadTransaction, WriteTransaction};

use crate::domain::{Client, ClientId, Place};
use crate::store::StoreError;

use super::tables::{
    self, CLIENTS, Cover, NEW_CLIENTS, NEWEST_PLACE, client_name, failed, opened, opened_in, place_name,
};

/// Whose turn it is. There is one process, so it stands in its memory.
pub(super) struct Places(AtomicU64);

impl Places {
    /// Goes on behind the newest client that was written.
    pub(super) fn behind_the_newest(database: &Database) -> Result<Self, StoreError> {
        let newest = match opened(database, NEWEST_PLACE)? {
            Some(table) => table.get(()).map_err(failed)?.map(|place| u64::from(place.value())),
            None => None,
        };
        Ok(Self(AtomicU64::new(newest.map_or(0, |place| place + 1))))
    }

    /// The next of so many places.
    pub(super) fn next(&self, places: usize) -> Place {
        Place::in_turn(self.0.fetch_add(1, Ordering::Relaxed), places)
    }
}

/// Puts a client at its place, whoever stands there.
pub(super) fn put(transaction: &WriteTransaction, client: &Client, place: Place) -> Result<(), StoreError> {
    let name = place_name(place);
    tables::write(transaction, NEW_CLIENTS, (&name, Cover::Clear), client, client.expires_at)?;
    let mut newest = transaction.open_table(NEWEST_PLACE).map_err(failed)?;
    newest.insert((), place.number()).map_err(failed)?;
    Ok(())
}

/// The client, if it stands at its place.
pub(super) fn look(transaction: &ReadTransaction, id: &ClientId) -> Result<Option<Client>, StoreError> {
    let Some(place) = id.place() else { return Ok(None) };
    let Some(table) = opened_in(transaction, NEW_CLIENTS)? else { return Ok(None) };
    let client: Option<Client> = tables::read(&table, &place_name(place), Cover::Clear)?;
    Ok(client.filter(|client| client.id == *id))
}

/// The same for a change, and the name of its place.
pub(super) fn standing(
    transaction: &WriteTransaction,
    id: &ClientId,
) -> Result<Option<(String, Client)>, StoreError> {
    let Some(name) = id.place().map(place_name) else { return Ok(None) };
    let table = transaction.open_table(NEW_CLIENTS).map_err(failed)?;
    let client: Option<Client> = tables::read(&table, &name, Cover::Clear)?;
    Ok(client.filter(|client| client.id == *id).map(|client| (name, client)))
}

/// Changes what stands at a place.
pub(super) fn rewrite(transaction: &WriteTransaction, name: &str, client: &Client) -> Result<(), StoreError> {
    tables::rewrite(transaction, NEW_CLIENTS, (name, Cover::Clear), client, client.expires_at)
}

/// Moves a client from its place to those that are used.
pub(super) fn adopt(transaction: &WriteTransaction, name: &str, client: &Client) -> Result<(), StoreError> {
    let to = (CLIENTS, client_name(&client.id));
    tables::move_over(transaction, (NEW_CLIENTS, name), (to.0, &to.1), client, client.expires_at)
}

/// Takes a client from its place. True if it stood there.
pub(super) fn take_out(transaction: &WriteTransaction, id: &ClientId) -> Result<bool, StoreError> {
    match standing(transaction, id)? {
        Some((name, _)) => tables::remove(transaction, NEW_CLIENTS, &name),
        None => Ok(false),
    }
}
