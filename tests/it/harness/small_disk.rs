//! A disk of a few megabytes, to be filled: a tmpfs. The one place that decides what happens where
//! none can be mounted.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::temp_dir::TempDir;

/// A mounted disk; unmounted on drop.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// None where this user may not mount; with `CI=true` that is a failure.
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let folder = TempDir::new();
        let size = format!("size={megabytes}m");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        let mounted = command.output().is_ok_and(|output| output.status.success());
        if mounted {
            return Some(Self { folder });
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "a tmpfs must be mountable with CI=true");
        eprintln!("skipped: a tmpfs cannot be mounted here");
        None
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all room but `megabytes`.
    pub(crate) fn fill_all_but(&self, megabytes: usize) {
        self.free();
        let mut ballast = fs::File::create(self.ballast()).expect("a file");
        let chunk = vec![1_u8; 64 * 1024];
        while ballast.write_all(&chunk).is_ok() {}
        let size = ballast.metadata().expect("a size").len();
        let less = size.saturating_sub((megabytes * 1024 * 1024) as u64);
        ballast.set_len(less).expect("a shorter file");
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        drop(fs::remove_file(self.ballast()));
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.folder.path()).status());
    }
}
