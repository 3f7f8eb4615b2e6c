//! `gatelodge health`: a probe for places without a shell, such as the container's health check.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use crate::outbound::Outbound;

use super::ConfigFile;

#[derive(Debug, clap::Args)]
pub(super) struct Health {
    #[command(flatten)]
    file: ConfigFile,
    /// Does its store answer, too?
    #[arg(long)]
    ready: bool,
}

pub(super) fn run(probe: &Health) -> ExitCode {
    let config = match probe.file.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let address = within_reach(config.listen);
    let path = if probe.ready { "/readyz" } else { "/healthz" };
    match ask(address, path) {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => unhealthy(&format!("http://{address}{path} answered {status}")),
        Err(fault) => unhealthy(&fault.to_string()),
    }
}

fn unhealthy(reason: &str) -> ExitCode {
    eprintln!("gatelodge is not healthy: {reason}");
    ExitCode::FAILURE
}

/// Who listens everywhere is asked on loopback.
fn within_reach(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        let v4 = listen.is_ipv4();
        listen.set_ip(if v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    listen
}

fn ask(address: SocketAddr, path: &str) -> Result<u16, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(Outbound::new()?.probe(address, path))?)
}
