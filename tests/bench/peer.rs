//! node-oidc-provider, from `tests/bench/peer`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Fault;
use crate::process::Process;
use crate::work::RESOURCE;

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peer")
}

/// Has it been installed?
pub(crate) fn check() -> Result<(), Fault> {
    if home().join("node_modules/oidc-provider").exists() {
        return Ok(());
    }
    Err("the peer is not installed: run it as ./dev bench --peer oidc-provider".into())
}

/// Starts it; without Redis it keeps everything in memory.
pub(crate) fn start(port: u16, folder: &Path, redis: Option<&str>) -> Result<Process, Fault> {
    let mut command = Command::new("node");
    command.env("NODE_ENV", "production").arg(home().join("server.mjs"));
    command.arg(port.to_string()).arg(RESOURCE).args(redis);
    let log = File::create(folder.join("peer.log"))?;
    Process::start(command.stdout(log.try_clone()?).stderr(log))
}
