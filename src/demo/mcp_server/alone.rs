//! The MCP server by itself, beside a broker that runs elsewhere: in a container of its own.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::resource_server::{InvalidResourceServer, ResourceServer};

use super::McpServer;

/// Where it is, and whose tokens it takes.
#[derive(Debug, Clone)]
pub struct ServeAlone {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The MCP server's URL, as people type it.
    pub url: String,
    /// The broker's issuer.
    pub issuer: String,
}

/// Why it cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The URL or the issuer will not do, or there is no HTTP client.
    #[error("--url and --issuer: {0}")]
    Guarded(#[from] InvalidResourceServer),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What happened.
        source: io::Error,
    },
    /// The listener broke.
    #[error("serving failed: {0}")]
    Serve(#[from] io::Error),
}

impl ServeAlone {
    /// Listens, says where with `ready`, and serves until `end`.
    pub async fn serve(
        self,
        ready: impl FnOnce(SocketAddr),
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), AloneError> {
        let server = McpServer::new(ResourceServer::new(self.url, self.issuer))?;
        let bound = TcpListener::bind(self.listen).await;
        let listener = bound.map_err(|source| AloneError::Listen { address: self.listen, source })?;
        ready(listener.local_addr()?);
        Ok(axum::serve(listener, server.router()).with_graceful_shutdown(end).await?)
    }
}
