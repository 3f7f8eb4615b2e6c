//! The stores under test.

use std::sync::Arc;

use gatelodge::secret::MasterSecret;
use gatelodge::store::{EmbeddedStore, RedisStore, Store};

use crate::harness::redis_server;
use crate::harness::temp_dir::TempDir;

/// A fresh, empty store, and what must live as long as it does.
pub(super) struct Backend {
    store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

impl Backend {
    /// The embedded store in memory.
    pub(super) fn memory() -> Self {
        let store = EmbeddedStore::in_memory(MasterSecret::generate().sealer()).unwrap();
        Self { store: Arc::new(store), _folder: None }
    }

    /// The embedded store in a file.
    pub(super) fn file() -> Self {
        let folder = TempDir::new();
        let sealer = MasterSecret::generate().sealer();
        let store = EmbeddedStore::open(&folder.path().join("state.db"), sealer).unwrap();
        Self { store: Arc::new(store), _folder: Some(folder) }
    }

    /// Redis, under a prefix of its own; None where it is not installed.
    pub(super) async fn redis() -> Option<Self> {
        let server = redis_server::shared()?;
        let sealer = MasterSecret::generate().sealer();
        let store = RedisStore::connect(&server.url(), &redis_server::fresh_prefix(), sealer).await.unwrap();
        Some(Self { store: Arc::new(store), _folder: None })
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
