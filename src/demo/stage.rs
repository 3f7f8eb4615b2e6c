//! Broker, provider and MCP server on three ports of the loopback address.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::app::{ServeError, serve_on};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Faults};
use crate::resource_server::{InvalidResourceServer, ResourceServer};
use crate::secret::{Secret, random};

use super::mcp_server::McpServer;
use super::provider::DemoProvider;

const CONFIG: &str = include_str!("demo.yaml");

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A port is taken.
    #[error("port {port} on 127.0.0.1 cannot be used ({source}); choose others with --port")]
    Port {
        /// Which one.
        port: u16,
        /// What happened.
        source: io::Error,
    },
    /// The demo's own configuration: a fault of ours.
    #[error("the demo's configuration is wrong: {0}")]
    Config(Faults),
    /// The MCP server cannot be guarded.
    #[error(transparent)]
    Guarded(#[from] InvalidResourceServer),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] ServeError),
    /// A listener.
    #[error("serving failed: {0}")]
    Serve(#[from] io::Error),
}

/// The three ports, bound and not yet served.
#[derive(Debug)]
pub struct Stage {
    broker: TcpListener,
    provider: TcpListener,
    mcp: TcpListener,
    addresses: Addresses,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The broker's issuer.
    pub broker: String,
    /// The identity provider's issuer.
    pub provider: String,
    /// The MCP server, as people type it.
    pub mcp: String,
}

impl Stage {
    /// Binds three ports in a row from `first`; 0 lets the kernel choose each.
    pub async fn bind(first: u16) -> Result<Self, DemoError> {
        let bind = async |offset: u16| {
            let port = if first == 0 { 0 } else { first.saturating_add(offset) };
            let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
            let listener = bound.map_err(|source| DemoError::Port { port, source })?;
            let origin = format!("http://{}", listener.local_addr()?);
            Ok::<_, DemoError>((listener, origin))
        };
        let (broker, broker_origin) = bind(0).await?;
        let (provider, provider_origin) = bind(1).await?;
        let (mcp, mcp_origin) = bind(2).await?;
        let addresses =
            Addresses { broker: broker_origin, provider: provider_origin, mcp: format!("{mcp_origin}/mcp") };
        Ok(Self { broker, provider, mcp, addresses })
    }

    /// Where everything is.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves all three until `end`.
    pub async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> Result<(), DemoError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let Addresses { broker, provider, mcp } = &self.addresses;
        let secret = Secret::new(random::token());
        let variable = |name: &str| match name {
            "BROKER" => Some(broker.clone()),
            "PROVIDER" => Some(provider.clone()),
            "MCP" => Some(mcp.clone()),
            "PROVIDER_SECRET" => Some(secret.expose().to_owned()),
            _ => None,
        };
        let config = config::parse(CONFIG, "demo.yaml", &variable).map_err(DemoError::Config)?;
        let callback = format!("{broker}/oauth/callback/demo");
        let identity = DemoProvider::new(
            provider.clone(),
            "gatelodge".into(),
            secret.clone(),
            vec![callback],
            Arc::clone(&clock),
        );
        let server = McpServer::new(ResourceServer::new(mcp, broker).clock(Arc::clone(&clock)))?;
        tokio::select! {
            served = serve_on(&config, self.broker, clock, end) => Ok(served?),
            served = axum::serve(self.provider, identity.router()) => Ok(served?),
            served = axum::serve(self.mcp, server.router()) => Ok(served?),
        }
    }
}
