//! The stores under test.

use std::sync::Arc;

use gatelodge::secret::MasterSecret;
use gatelodge::store::redis::Servers;
use gatelodge::store::{EmbeddedStore, RedisStore, Store};

use crate::harness::temp_dir::TempDir;
use crate::harness::{redis_cluster, redis_sentinel, redis_server, redis_tls};

/// A fresh, empty store, and what must live as long as it does.
pub(super) struct Backend {
    store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

impl Backend {
    /// The embedded store in memory.
    #[expect(clippy::unused_async, reason = "every backend is asked for in one way")]
    pub(super) async fn memory() -> Option<Self> {
        let store = EmbeddedStore::in_memory(MasterSecret::generate().sealer()).unwrap();
        Some(Self { store: Arc::new(store), _folder: None })
    }

    /// The embedded store in a file.
    #[expect(clippy::unused_async, reason = "every backend is asked for in one way")]
    pub(super) async fn file() -> Option<Self> {
        let folder = TempDir::new();
        let sealer = MasterSecret::generate().sealer();
        let store = EmbeddedStore::open(&folder.path().join("state.db"), sealer).unwrap();
        Some(Self { store: Arc::new(store), _folder: Some(folder) })
    }

    /// One Redis; None, here and below, where it is not installed.
    pub(super) async fn redis() -> Option<Self> {
        Some(Self::over(redis_server::shared()?.servers()).await)
    }

    /// One Redis that speaks TLS, as a user of few rights.
    pub(super) async fn redis_tls() -> Option<Self> {
        Some(Self::over(redis_tls::shared()?.servers()).await)
    }

    /// The primary that sentinels name.
    pub(super) async fn redis_sentinel() -> Option<Self> {
        Some(Self::over(redis_sentinel::shared()?.as_servers()).await)
    }

    /// A cluster of six nodes.
    pub(super) async fn redis_cluster() -> Option<Self> {
        Some(Self::over(redis_cluster::shared()?.as_servers()).await)
    }

    /// Under a prefix of its own.
    async fn over(servers: Servers) -> Self {
        let sealer = MasterSecret::generate().sealer();
        let store = RedisStore::connect(&servers, &redis_server::fresh_prefix(), sealer).await.unwrap();
        Self { store: Arc::new(store), _folder: None }
    }

    /// The store.
    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }
}

/// Starts `count` tasks that all begin at once, and gathers what they return.
pub(super) async fn race<T, F, W>(count: usize, work: W) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    W: Fn(usize) -> F,
{
    let gate = Arc::new(tokio::sync::Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (gate, work) = (Arc::clone(&gate), work(number));
            tokio::spawn(async move {
                gate.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
