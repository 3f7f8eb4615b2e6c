//! The database file: opened for its owner alone, never filled to the brim, opened again after a
//! fault of the disk.
//!
//! redb refuses everything after an I/O error until its file is opened anew, reads included. So
//! writes stop before the disk is full, which costs nothing; and should the room go all the same,
//! or the disk fail in another way, the writer opens the file again. What was acknowledged is on
//! the disk, and what was not is rolled back by that.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, DatabaseError};

use crate::store::StoreError;

use super::tables::failed;

/// Cache of pages in memory. The default of redb is a gigabyte.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Room that a write leaves on the disk: for the copies that a transaction makes of the pages that
/// it changes.
const RESERVE_BYTES: u64 = 8 * 1024 * 1024;

/// A database, but for the moments in which it is opened anew.
pub(super) struct Held {
    /// None: opening it again has not succeeded yet.
    current: RwLock<Option<Database>>,
    path: Option<PathBuf>,
}

impl Held {
    /// Opens the file, or makes it (mode 0600). One process at a time can have it open.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = open(path, Expect::Anything)?;
        Ok(Self { current: RwLock::new(Some(database)), path: Some(path.to_owned()) })
    }

    /// A database without a file.
    pub(super) fn in_memory() -> Result<Self, StoreError> {
        let database = builder().create_with_backend(InMemoryBackend::new()).map_err(failed)?;
        Ok(Self { current: RwLock::new(Some(database)), path: None })
    }

    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Works with the database. Waits only for one that is being opened.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(database) => work(database),
            None => Err(StoreError::Unavailable("embedded store: the file could not be opened again".into())),
        }
    }

    /// Is there room for writing?
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let disk = rustix::fs::statvfs(path).map_err(|error| {
            StoreError::Unavailable(format!("embedded store: {}: {error}", path.display()))
        })?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < RESERVE_BYTES {
            let (path, free, wanted) = (path.display(), free >> 20, RESERVE_BYTES >> 20);
            return Err(StoreError::Unavailable(format!(
                "embedded store: the disk of {path} is full: {free} MiB are free, {wanted} MiB are needed"
            )));
        }
        Ok(())
    }

    /// Gives free pages of the file back to the disk. Everybody waits for it.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = current.as_mut() {
            database.compact().map_err(failed)?;
        }
        Ok(())
    }

    /// Opens the file anew after a fault. In memory there is nothing to open.
    pub(super) fn reopen(&self) {
        let Some(path) = &self.path else { return };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Closed first: the file has one lock.
        *current = None;
        match open(path, Expect::WhatWasThere) {
            Ok(database) => {
                *current = Some(database);
                tracing::warn!(path = %path.display(), "the store file was opened again after a fault");
            }
            Err(error) => tracing::error!(%error, "the store file cannot be opened again"),
        }
    }

    /// Does it wait to be opened again?
    pub(super) fn is_closed(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// What is expected at the path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A store, or nothing yet.
    Anything,
    /// The store that was open before. A volume that has gone away leaves an empty folder, and a
    /// new store there would sign everybody out.
    WhatWasThere,
}

fn open(path: &Path, expect: Expect) -> Result<Database, StoreError> {
    let shown = path.display();
    let file = open_file(path, expect)
        .map_err(|error| StoreError::Unavailable(format!("cannot open the store file {shown}: {error}")))?;
    builder().create_file(file).map_err(|error| {
        if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
            return StoreError::Unavailable(format!(
                "the store file {shown} is in use by another gatelodge process; \
                 stop that one, give this one a file of its own, or use Redis for several replicas"
            ));
        }
        StoreError::Unavailable(format!("the store file {shown} cannot be used: {error}"))
    })
}

/// Opens or makes the file, for its owner only, and makes its name as durable as its content.
fn open_file(path: &Path, expect: Expect) -> std::io::Result<File> {
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(expect == Expect::Anything).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if expect == Expect::WhatWasThere && file.metadata()?.len() == 0 {
        return Err(std::io::Error::other("it is empty, and was not before"));
    }
    // The mode above is for new files; an older one may have been copied here with another.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    if is_new && let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}
