//! State for one process: redb, in one file or in memory, the same code for both.
//!
//! - `tables`: the tables, and how a record is put and read.
//! - `writer`: the one writing thread; every change is on disk before it is acknowledged.
//! - `operations`: the store's sentences, each one transaction around the pure transitions of
//!   [`crate::domain`].
//! - `purge`: garbage collection, which the app calls now and then.

mod operations;
mod purge;
mod tables;
mod writer;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, TableError};
use serde::de::DeserializeOwned;

use crate::secret::Sealer;

use super::{StoreError, codec};
use tables::{Cover, Expiring, SIGNING_KEYS, failed};
use writer::Writer;

/// Does a record say something about a person, or hold a secret?
#[derive(Debug, Clone, Copy)]
enum Personal {
    Yes,
    No,
}

/// Cache of pages in memory. The default of redb is a gigabyte.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The embedded store: one process, one file (or none), nothing lost at a restart.
pub struct EmbeddedStore {
    // The writer is dropped first: it holds the database too, and its drop waits for its thread.
    writer: Writer,
    database: Arc<Database>,
    sealer: Sealer,
    path: Option<PathBuf>,
}

impl EmbeddedStore {
    /// Opens the file, or makes it (mode 0600). One process at a time can have it open.
    pub fn open(path: &Path, sealer: Sealer) -> Result<Self, StoreError> {
        let shown = path.display();
        let file = open_file(path).map_err(|error| {
            StoreError::Unavailable(format!("cannot open the store file {shown}: {error}"))
        })?;
        let database = builder().create_file(file).map_err(|error| {
            if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                return StoreError::Unavailable(format!(
                    "the store file {shown} is in use by another gatelodge process; \
                     stop that one, give this one a file of its own, or use Redis for several replicas"
                ));
            }
            StoreError::Unavailable(format!("the store file {shown} cannot be used: {error}"))
        })?;
        Self::start(database, sealer, Some(path.to_owned()))
    }

    /// The same store in memory: forgotten with the process.
    pub fn in_memory(sealer: Sealer) -> Result<Self, StoreError> {
        let database = builder().create_with_backend(InMemoryBackend::new()).map_err(failed)?;
        Self::start(database, sealer, None)
    }

    fn start(database: Database, sealer: Sealer, path: Option<PathBuf>) -> Result<Self, StoreError> {
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database))?;
        Ok(Self { writer, database, sealer, path })
    }

    /// Runs `work` where it may wait for the disk.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        tokio::task::spawn_blocking(move || work(&database))
            .await
            .map_err(|_| StoreError::Unavailable("embedded store: a read did not finish".into()))?
    }

    /// Reads one record; a personal one is opened under its name.
    async fn read<T: DeserializeOwned + Send + 'static>(
        &self,
        table: Expiring,
        name: String,
        personal: Personal,
    ) -> Result<Option<T>, StoreError> {
        let sealer = self.sealer.clone();
        self.look(move |database| {
            let transaction = database.begin_read().map_err(failed)?;
            let table = match transaction.open_table(table) {
                Ok(table) => table,
                // Nobody has written to it yet.
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            let cover = match personal {
                Personal::Yes => Cover::Sealed(&sealer),
                Personal::No => Cover::Clear,
            };
            tables::read(&table, &name, cover)
        })
        .await
    }

    /// Reads one sealed record of the signing keys; true beside it if a previous secret sealed it.
    async fn signing_record<T: DeserializeOwned + Send + 'static>(
        &self,
        name: String,
    ) -> Result<Option<(T, bool)>, StoreError> {
        let sealer = self.sealer.clone();
        self.look(move |database| {
            let transaction = database.begin_read().map_err(failed)?;
            let table = match transaction.open_table(SIGNING_KEYS) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            let found = table.get(name.as_str()).map_err(failed)?;
            found.map(|found| codec::unseal_telling(&sealer, &name, found.value())).transpose()
        })
        .await
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.path).finish_non_exhaustive()
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Opens or makes the file, for its owner only, and makes its name as durable as its content.
fn open_file(path: &Path) -> std::io::Result<File> {
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // The mode above is for new files; an older one may have been copied here with another.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    if is_new && let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}
