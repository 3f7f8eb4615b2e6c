//! The MCP server by itself, beside a broker that runs elsewhere: in a container of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::clock::SystemClock;
use crate::outbound::Outbound;
use crate::protocol::{InvalidIssuer, InvalidResource, Issuer, ResourceUri};

use super::{McpServer, keys_over_http};

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
    /// `url` will not do.
    #[error("--url: {0}")]
    Url(#[from] InvalidResource),
    /// `issuer` will not do.
    #[error("--issuer: {0}")]
    Issuer(#[from] InvalidIssuer),
    /// No HTTP client.
    #[error("outbound calls are not possible (are CA certificates installed?): {0}")]
    Outbound(#[from] reqwest::Error),
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
        let resource = ResourceUri::parse(&self.url)?;
        let issuer = Issuer::parse(&self.issuer)?;
        let keys = keys_over_http(Outbound::new()?, issuer.as_str());
        let server = McpServer::new(resource, issuer.as_str().to_owned(), keys, Arc::new(SystemClock));
        let bound = TcpListener::bind(self.listen).await;
        let listener = bound.map_err(|source| AloneError::Listen { address: self.listen, source })?;
        ready(listener.local_addr()?);
        Ok(axum::serve(listener, server.router()).with_graceful_shutdown(end).await?)
    }
}
