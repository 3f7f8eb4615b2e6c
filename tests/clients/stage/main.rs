//! What the real clients meet beside `gatelodge serve`, and what no command of it is: the demo's
//! identity provider by itself, and a broker whose access tokens end within seconds.

use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use gatelodge::clock::SystemClock;
use gatelodge::demo::provider::DemoProvider;
use gatelodge::secret::Secret;
use gatelodge::telemetry::{self, LogStyle};
use gatelodge::{app, config};
use tokio::net::TcpListener;

#[derive(Debug, clap::Parser)]
enum Part {
    /// The identity provider, on loopback: it asks nobody for a password. Its client is
    /// `gatelodge`, whose secret is read from standard input.
    Provider {
        /// The port to listen on.
        #[arg(long)]
        port: u16,
        /// The broker's callback.
        #[arg(long)]
        redirect_uri: String,
    },
    /// `gatelodge serve`, but for the lifetime, which no configuration may make so short.
    Broker {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The life of access tokens, in seconds.
        #[arg(long)]
        access_seconds: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    app::install_crypto();
    let served = match Part::parse() {
        Part::Provider { port, redirect_uri } => provider(port, redirect_uri).await,
        Part::Broker { config, access_seconds } => broker(&config, Duration::from_secs(access_seconds)).await,
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("client-stage: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn provider(port: u16, redirect_uri: String) -> Result<(), Box<dyn Error>> {
    let mut secret = String::new();
    std::io::stdin().read_to_string(&mut secret)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let redirects = vec![redirect_uri];
    let provider =
        DemoProvider::new(issuer, "gatelodge".into(), Secret::new(secret), redirects, Arc::new(SystemClock));
    Ok(axum::serve(listener, provider.router()).with_graceful_shutdown(app::end_asked()).await?)
}

async fn broker(file: &std::path::Path, access_lifetime: Duration) -> Result<(), Box<dyn Error>> {
    let mut config =
        config::load(file, &|name| std::env::var(name).ok()).map_err(|faults| faults.to_string())?;
    config.tokens.access_lifetime = access_lifetime;
    telemetry::init(LogStyle::Text, &config.logs.level)?;
    Ok(app::serve(&config).await?)
}
