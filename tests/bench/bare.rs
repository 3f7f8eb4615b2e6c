//! A server that does nothing: axum, one route, a few bytes. What any answer over HTTP costs on this machine,
//! and so a measure to compare two machines by.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::routing::get;

use crate::Fault;
use crate::process::Process;

/// Starts this very program as such a server.
pub(crate) fn start(port: u16, folder: &Path) -> Result<Process, Fault> {
    let mut command = Command::new(std::env::current_exe()?);
    let log = File::create(folder.join("bare.log"))?;
    Process::start(command.arg("--bare").arg(port.to_string()).stdout(log.try_clone()?).stderr(log))
}

/// Is such a server.
pub(crate) async fn serve(port: u16) -> Result<String, Fault> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let router = Router::new().route("/", get("ok")).route("/healthz", get("ok"));
    axum::serve(listener, router).await?;
    Ok(String::new())
}
