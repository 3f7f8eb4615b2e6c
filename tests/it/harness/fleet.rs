//! Real processes of the program on one real Redis, behind one public origin, in real time.

use std::sync::Arc;

use gatelodge::clock::SystemClock;

use super::broker::{Setup, yaml};
use super::client::Reached;
use super::fault_proxy::FaultProxy;
use super::program::Serving;
use super::provider::TestProvider;
use super::redis_server::RedisServer;
use super::temp_dir::TempDir;

/// What the processes have in common.
pub(crate) struct Fleet {
    pub(crate) redis: RedisServer,
    /// Between the processes and Redis.
    pub(crate) wire: FaultProxy,
    /// The public origin: connections, and no knowledge of HTTP.
    pub(crate) front: FaultProxy,
    _provider: TestProvider,
    config: String,
}

/// One process, with its folder.
pub(crate) struct Replica {
    pub(crate) serving: Serving,
    _folder: TempDir,
}

impl Fleet {
    /// A fleet without a process. To be called inside a runtime with threads to spare.
    pub(crate) fn start() -> Self {
        let redis = RedisServer::start();
        let wire = FaultProxy::start(&[redis.port]);
        let front = FaultProxy::start(&[]);
        let provider = TestProvider::start(Arc::new(SystemClock));
        let setup = Setup {
            store: format!("store: redis://127.0.0.1:{}/\n", wire.port),
            extra: "listen: 127.0.0.1:0\nlogs: { format: text }\n".into(),
            ..Setup::default()
        };
        let config = yaml(&setup, &format!("http://127.0.0.1:{}", front.port), &provider, None);
        Self { redis, wire, front, _provider: provider, config }
    }

    /// One more process; nobody is sent to it yet.
    pub(crate) fn launch(&self) -> Replica {
        let folder = TempDir::new();
        Replica { serving: Serving::with(folder.path(), &self.config), _folder: folder }
    }

    /// New connections go to these from now on.
    pub(crate) fn to(&self, replicas: &[&Replica]) {
        let ports: Vec<u16> = replicas.iter().map(|replica| replica.serving.port()).collect();
        self.front.to(&ports);
    }
}

impl Reached for Fleet {
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.front.port)
    }
}
