//! Folders that vanish.

use std::path::{Path, PathBuf};

use gatelodge::secret::random;

/// A fresh folder, removed on drop.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    /// Makes the folder.
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("gatelodge-test-{}", random::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
