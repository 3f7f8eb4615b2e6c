//! State for one process: redb, in one file or in memory, the same code for both.
//!
//! - `api_keys`: API keys.
//! - `audit`: the audit stream.
//! - `browser_sessions`: who is signed in in which browser, and what was approved there.
//! - `clients`: client applications; `newcomers`: those that nobody has used, and where they stand.
//! - `client_book`: what the operator says about clients.
//! - `grants`: how a grant stands in its table, and a person's grants together.
//! - `held`: the database file: its mode, its room, its life after a fault.
//! - `tables`: the tables, and how a record is put and read.
//! - `writer`: the one writing thread; every change is on disk before it is acknowledged.
//! - `operations`: the store's sentences, each one transaction around the pure transitions of
//!   [`crate::domain`].
//! - `logins`: sign-ins under way.
//! - `pins`: to whom the addresses of admins are pinned.
//! - `revocations`: moments before which nothing counts any more.
//! - `upstream_grants`: what upstreams have said of people.
//! - `purge`: garbage collection, which the app calls now and then.

mod api_keys;
mod audit;
mod browser_sessions;
mod client_book;
mod clients;
mod grants;
mod held;
mod logins;
mod newcomers;
mod operations;
mod pins;
mod purge;
mod rate_windows;
mod revocations;
mod tables;
mod upstream_grants;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadOnlyTable};
use serde::de::DeserializeOwned;

use crate::secret::Sealer;

use super::{StoreError, codec};
use held::Held;
use newcomers::Places;
use rate_windows::Counters;
use tables::{Cover, Expiring, SIGNING_KEYS, failed, opened};
use writer::Writer;

/// Does a record say something about a person, or hold a secret?
#[derive(Debug, Clone, Copy)]
enum Personal {
    Yes,
    No,
}

/// The embedded store: one process, one file (or none), nothing lost at a restart.
pub struct EmbeddedStore {
    // The writer is dropped first: it holds the database too, and its drop waits for its thread.
    writer: Writer,
    held: Arc<Held>,
    sealer: Sealer,
    counters: Counters,
    places: Places,
}

impl EmbeddedStore {
    /// Opens the file, or makes it (mode 0600). One process at a time can have it open.
    pub fn open(path: &Path, sealer: Sealer) -> Result<Self, StoreError> {
        Self::start(Held::open(path)?, sealer)
    }

    /// The same store in memory: forgotten with the process.
    pub fn in_memory(sealer: Sealer) -> Result<Self, StoreError> {
        Self::start(Held::in_memory()?, sealer)
    }

    fn start(held: Held, sealer: Sealer) -> Result<Self, StoreError> {
        let held = Arc::new(held);
        let writer = Writer::start(Arc::clone(&held))?;
        let (places, counters) = (held.with(Places::behind_the_newest)?, Counters::default());
        Ok(Self { writer, held, sealer, counters, places })
    }

    /// Runs a long look, such as one through a whole table, where it may wait for the disk.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let held = Arc::clone(&self.held);
        tokio::task::spawn_blocking(move || held.with(work))
            .await
            .map_err(|_| StoreError::Unavailable("embedded store: a read did not finish".into()))?
    }

    /// Reads one record; a personal one is opened under its name. On the caller's thread: readers
    /// do not wait for the writer, nor for its flush, and the few pages of one record come from a
    /// cache. Handing that to another thread costs more than doing it.
    fn read<T: DeserializeOwned>(
        &self,
        table: Expiring,
        name: &str,
        personal: Personal,
    ) -> Result<Option<T>, StoreError> {
        let cover = match personal {
            Personal::Yes => Cover::Sealed(&self.sealer),
            Personal::No => Cover::Clear,
        };
        self.look_at(table, |table| tables::read(table, name, cover)).map(Option::flatten)
    }

    /// A short look into one table; None if nobody has written to it yet.
    fn look_at<T>(
        &self,
        table: Expiring,
        work: impl FnOnce(&ReadOnlyTable<&'static str, (u64, &'static [u8])>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.held.with(|database| opened(database, table)?.map(|table| work(&table)).transpose())
    }

    /// Reads one sealed record of the signing keys; true beside it if a previous secret sealed it.
    async fn signing_record<T: DeserializeOwned + Send + 'static>(
        &self,
        name: String,
    ) -> Result<Option<(T, bool)>, StoreError> {
        let sealer = self.sealer.clone();
        self.look(move |database| {
            let Some(table) = opened(database, SIGNING_KEYS)? else { return Ok(None) };
            let found = table.get(name.as_str()).map_err(failed)?;
            found.map(|found| codec::unseal_telling(&sealer, &name, found.value())).transpose()
        })
        .await
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.held.path()).finish_non_exhaustive()
    }
}
