//! Who is measured: a product on a store, and one running server of it.

use std::path::PathBuf;
use std::time::Duration;

use gatelodge::outbound::Outbound;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::process::{Memory, Process, free_port};
use crate::provider::Provider;
use crate::redis::Redis;
use crate::work::Endpoints;
use crate::{Fault, bare, broker, mint, peer};

/// Where the server behind the gateway is.
pub(crate) const GATE: &str = "/gate";

/// How long a server may take to answer for the first time.
const LONGEST_START: Duration = Duration::from_secs(20);

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) enum Product {
    /// A build of the broker.
    Gatelodge { binary: PathBuf, label: &'static str },
    /// The peer.
    OidcProvider,
    /// A server that does nothing.
    Axum,
}

/// Where it keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// In itself: the broker in a file that is flushed before each answer, the peer in memory.
    Local,
    /// In Redis.
    Redis,
}

/// A product on a store.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) product: Product,
    pub(crate) store: Store,
}

impl Contestant {
    pub(crate) fn new(product: &Product, store: Store) -> Self {
        Self { product: product.clone(), store }
    }

    /// Its name in the table.
    pub(crate) fn name(&self) -> String {
        let (product, local) = match &self.product {
            Product::Gatelodge { label, .. } => (*label, "file"),
            Product::OidcProvider => ("oidc-provider", "memory"),
            Product::Axum => ("axum", "nothing"),
        };
        let store = if self.store == Store::Redis { "Redis" } else { local };
        format!("{product}, {store}")
    }

    /// Starts a server and waits for its first answer.
    pub(crate) async fn start(&self) -> Result<Running, Fault> {
        self.start_with(None).await
    }

    /// The same with its gateway before a server, at [`GATE`].
    pub(crate) async fn start_before(&self, behind: &str) -> Result<Running, Fault> {
        self.start_with(Some(behind)).await
    }

    /// Its files are on the disk that the build is on: a temporary folder may be in memory, where flushing
    /// costs nothing.
    async fn start_with(&self, behind: Option<&str>) -> Result<Running, Fault> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let redis = match self.store {
            Store::Local => None,
            Store::Redis => Some(Redis::start(folder.path()).await?),
        };
        let url = redis.as_ref().map(|redis| redis.url.as_str());
        let port = free_port()?;
        let origin = format!("http://127.0.0.1:{port}");
        let provider = Provider::start(broker::callback(&origin)).await?;
        let (endpoints, begun, mut server);
        match &self.product {
            Product::Gatelodge { binary, .. } => {
                let signing_key = mint::new_key()?;
                endpoints = Endpoints::of_the_broker(&origin, &signing_key);
                begun = Instant::now();
                server =
                    broker::start(binary, &origin, folder.path(), (&provider, url), (&signing_key, behind))?;
            }
            Product::OidcProvider => {
                endpoints = Endpoints::of_the_peer(&origin);
                begun = Instant::now();
                server = peer::start(port, folder.path(), url)?;
            }
            Product::Axum => {
                endpoints = Endpoints::of_nothing(&origin);
                begun = Instant::now();
                server = bare::start(port, folder.path())?;
            }
        }
        let answered = first_answer(&origin, &mut server).await;
        answered.map_err(|fault| format!("{}: {fault}", self.name()))?;
        let started_in = begun.elapsed();
        Ok(Running { origin, endpoints, started_in, server, redis, _provider: provider, _folder: folder })
    }
}

async fn first_answer(origin: &str, server: &mut Process) -> Result<(), Fault> {
    let outbound = Outbound::new()?;
    let probe = format!("{origin}/healthz");
    let mut again = tokio::time::interval(Duration::from_millis(1));
    let begun = Instant::now();
    while outbound.get(&probe).await.is_err() {
        if server.is_over() || begun.elapsed() > LONGEST_START {
            return Err("it does not start".into());
        }
        again.tick().await;
    }
    Ok(())
}

/// A running server with what it stands on.
pub(crate) struct Running {
    pub(crate) origin: String,
    pub(crate) endpoints: Endpoints,
    /// Until the first 200 of `/healthz`.
    pub(crate) started_in: Duration,
    server: Process,
    redis: Option<Redis>,
    _provider: Provider,
    _folder: TempDir,
}

/// CPU time of a server, and of its Redis.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) server: Duration,
    pub(crate) redis: Duration,
}

impl Running {
    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Cpu, Fault> {
        let redis = self.redis.as_ref().map_or(Ok(Duration::ZERO), |redis| redis.process.cpu())?;
        Ok(Cpu { server: self.server.cpu()?, redis })
    }

    /// The server's memory; Redis's is not counted.
    pub(crate) fn memory(&self) -> Result<Memory, Fault> {
        self.server.memory()
    }
}
