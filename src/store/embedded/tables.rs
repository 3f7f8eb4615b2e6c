//! The tables, and how a record that expires is put and read.
//!
//! Beside each record stands its expiry in the clear: garbage collection needs no key and opens
//! nothing. What decides is the expiry inside the record.

use redb::{
    Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition,
    TableError, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::domain::{ClientId, GrantId, LoginId, Place};
use crate::secret::{Digest, Sealer};
use crate::store::{StoreError, codec};

/// Records with an expiry, by name.
pub(super) type Expiring = TableDefinition<'static, &'static str, (u64, &'static [u8])>;

/// Records that stay, by name.
pub(super) type Plain = TableDefinition<'static, &'static str, &'static [u8]>;

pub(super) const CLIENTS: Expiring = TableDefinition::new("clients");
/// Clients that registered themselves and were never used, by place,
pub(super) const NEW_CLIENTS: Expiring = TableDefinition::new("new_clients");
/// and the place of the newest.
pub(super) const NEWEST_PLACE: TableDefinition<'static, (), u32> = TableDefinition::new("newest_place");
/// Clients' assertions that have been used, by digest.
pub(super) const ASSERTIONS: Expiring = TableDefinition::new("assertions");
pub(super) const LOGINS: Expiring = TableDefinition::new("logins");
pub(super) const GRANTS: Expiring = TableDefinition::new("grants");
pub(super) const UPSTREAM_SESSIONS: Expiring = TableDefinition::new("upstream_sessions");
/// A person's browser sessions stand side by side.
pub(super) const BROWSER_SESSIONS: Expiring = TableDefinition::new("browser_sessions");
pub(super) const CONSENTS: Expiring = TableDefinition::new("consents");
/// What upstreams have said of people.
pub(super) const UPSTREAM_GRANTS: Expiring = TableDefinition::new("upstream_grants");
pub(super) const SIGNING_KEYS: Plain = TableDefinition::new("signing_keys");
/// API keys, also those that count no longer.
pub(super) const API_KEYS: Plain = TableDefinition::new("api_keys");
/// Clients that were added by command.
pub(super) const OPERATOR_CLIENTS: Plain = TableDefinition::new("operator_clients");
/// Clients that wait for approval, and what was decided about them.
pub(super) const APPLICATIONS: Expiring = TableDefinition::new("applications");
pub(super) const DECISIONS: Plain = TableDefinition::new("decisions");
/// Revocations by name: the moment, and until when it matters.
pub(super) const NOT_BEFORE: TableDefinition<'static, &'static str, (u64, u64)> =
    TableDefinition::new("not_before");
/// The addresses of admins, hashed, and the persons to whom they are pinned.
pub(super) const ADMIN_PINS: TableDefinition<'static, &'static str, &'static str> =
    TableDefinition::new("admin_pins");
/// Events in the order in which they came.
pub(super) const AUDIT: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("audit");

/// Every table that garbage collection looks at.
pub(super) const COLLECTED: [Expiring; 10] = [
    CLIENTS,
    NEW_CLIENTS,
    ASSERTIONS,
    LOGINS,
    GRANTS,
    UPSTREAM_SESSIONS,
    UPSTREAM_GRANTS,
    BROWSER_SESSIONS,
    CONSENTS,
    APPLICATIONS,
];

/// The expiry of what never expires.
const NEVER: u64 = u64::MAX;

/// Client ids come from outside, so a hash of them is the name (SEC-167).
pub(super) fn client_name(id: &ClientId) -> String {
    format!("client:{}", Digest::of(id.as_str()).as_str())
}

pub(super) fn place_name(place: Place) -> String {
    format!("new:{place}")
}

pub(super) fn login_name(id: &LoginId) -> String {
    format!("login:{id}")
}

pub(super) fn grant_name(id: &GrantId) -> String {
    format!("grant:{id}")
}

/// The name of the ring.
pub(super) const KEY_RING: &str = "keys";

/// What the only key of older brokers is called.
pub(super) fn adopted_key_name(algorithm: &str) -> String {
    format!("key:{algorithm}")
}

/// redb failed: the disk, or the file.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Unavailable(format!("embedded store: {}", error.into()))
}

/// A table for reading; `None` if nobody has written to it yet.
pub(super) fn opened<K: Key + 'static, V: redb::Value + 'static>(
    database: &Database,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, StoreError> {
    opened_in(&database.begin_read().map_err(failed)?, table)
}

/// The same, as it was when that look began.
pub(super) fn opened_in<K: Key + 'static, V: redb::Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, StoreError> {
    match transaction.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// How records of one kind are written.
#[derive(Clone, Copy)]
pub(super) enum Cover<'a> {
    /// Nothing personal in it.
    Clear,
    /// Sealed under the record's name.
    Sealed(&'a Sealer),
}

/// Reads a record.
pub(super) fn read<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    name: &str,
    cover: Cover<'_>,
) -> Result<Option<T>, StoreError> {
    let Some(found) = table.get(name).map_err(failed)? else { return Ok(None) };
    let (_, bytes) = found.value();
    let record = match cover {
        Cover::Clear => codec::decode(name, bytes),
        Cover::Sealed(sealer) => codec::unseal(sealer, name, bytes),
    };
    record.map(Some)
}

/// Writes a new record.
pub(super) fn write<T: Serialize>(
    transaction: &WriteTransaction,
    table: Expiring,
    (name, cover): (&str, Cover<'_>),
    record: &T,
    expires_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let bytes = match cover {
        Cover::Clear => codec::encode(name, record)?,
        Cover::Sealed(sealer) => codec::seal(sealer, name, record)?,
    };
    let mut table = transaction.open_table(table).map_err(failed)?;
    table.insert(name, (expiry(expires_at), bytes.as_slice())).map_err(failed)?;
    Ok(())
}

/// Writes a record that has changed. What a later release has written into it stays (REL-19).
pub(super) fn rewrite<T: Serialize + DeserializeOwned>(
    transaction: &WriteTransaction,
    table: Expiring,
    (name, cover): (&str, Cover<'_>),
    record: &T,
    expires_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(table).map_err(failed)?;
    let bytes = match (table.get(name).map_err(failed)?, cover) {
        (Some(stored), Cover::Clear) => codec::encode_over(name, record, stored.value().1)?,
        (Some(stored), Cover::Sealed(sealer)) => codec::seal_over(sealer, name, record, stored.value().1)?,
        (None, Cover::Clear) => codec::encode(name, record)?,
        (None, Cover::Sealed(sealer)) => codec::seal(sealer, name, record)?,
    };
    table.insert(name, (expiry(expires_at), bytes.as_slice())).map_err(failed)?;
    Ok(())
}

/// Moves a record that has changed to another table. What a later release has written into it stays (REL-19).
pub(super) fn move_over<T: Serialize + DeserializeOwned>(
    transaction: &WriteTransaction,
    (from, old_name): (Expiring, &str),
    (to, name): (Expiring, &str),
    record: &T,
    expires_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let mut from = transaction.open_table(from).map_err(failed)?;
    let bytes = match from.get(old_name).map_err(failed)? {
        Some(stored) => codec::encode_over(name, record, stored.value().1)?,
        None => codec::encode(name, record)?,
    };
    from.remove(old_name).map_err(failed)?;
    let mut to = transaction.open_table(to).map_err(failed)?;
    to.insert(name, (expiry(expires_at), bytes.as_slice())).map_err(failed)?;
    Ok(())
}

fn expiry(at: Option<Timestamp>) -> u64 {
    at.map_or(NEVER, Timestamp::as_unix)
}

/// Removes a record. True if it was there.
pub(super) fn remove(
    transaction: &WriteTransaction,
    table: Expiring,
    name: &str,
) -> Result<bool, StoreError> {
    let mut table = transaction.open_table(table).map_err(failed)?;
    let there = table.remove(name).map_err(failed)?.is_some();
    Ok(there)
}
