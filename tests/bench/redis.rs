//! A real `redis-server` on loopback, nothing written to disk.

use std::path::Path;
use std::process::{Command, Stdio};

use tokio::net::TcpStream;

use crate::Fault;
use crate::process::{Process, free_port};

/// A running server.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Redis {
    /// Starts a server and returns once it accepts connections.
    pub(crate) async fn start(folder: &Path) -> Result<Self, Fault> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(folder);
        let mut process = Process::start(command.stdout(Stdio::null()))?;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if process.is_over() {
                return Err(format!("redis-server ended by itself; was port {port} taken?").into());
            }
            tokio::task::yield_now().await;
        }
        Ok(Self { process, url: format!("redis://127.0.0.1:{port}/") })
    }
}

/// Is `redis-server` there? With `CI=true` it has to be.
pub(crate) fn is_installed() -> Result<bool, Fault> {
    let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    let installed = version.is_ok_and(|status| status.success());
    if !installed && std::env::var("CI").as_deref() == Ok("true") {
        return Err("redis-server is not installed".into());
    }
    if !installed {
        eprintln!("bench: redis-server is not installed: nothing is measured on Redis");
    }
    Ok(installed)
}
