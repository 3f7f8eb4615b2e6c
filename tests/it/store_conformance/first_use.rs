//! What comes in between while a client is used for the first time, in Redis: held there by a proxy.

use std::sync::Arc;

use gatelodge::domain::{Client, ClientId};
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::store::redis::Servers;
use gatelodge::store::{RedisStore, Store as _};
use tokio::task::JoinHandle;

use crate::harness::fault_proxy::{FaultProxy, Held};
use crate::harness::redis_server::{self, RedisServer};
use crate::harness::sample::{NOW, later};

use super::clients::newcomer;

/// Two replicas: between the one and Redis commands can be held.
struct Replicas {
    proxy: FaultProxy,
    held_up: Arc<RedisStore>,
    other: RedisStore,
}

impl Replicas {
    async fn beside(server: &RedisServer) -> Self {
        let proxy = FaultProxy::start(&[server.port]);
        let (prefix, secret) = (redis_server::fresh_prefix(), MasterSecret::generate());
        let connect =
            async |servers: Servers| RedisStore::connect(&servers, &prefix, secret.sealer()).await.unwrap();
        let url = Secret::new(format!("redis://127.0.0.1:{}/", proxy.port));
        let held_up = Arc::new(connect(Servers::single(url)).await);
        let other = connect(server.servers()).await;
        // From now on every script is known, so each is one command.
        let used = newcomer(&*held_up, 1).await;
        assert!(held_up.keep_client(&used.id, later(60)).await.unwrap());
        Self { proxy, held_up, other }
    }

    /// A client, and a first use of it that has read its place and goes on when it is let.
    async fn first_use(&self) -> (Client, JoinHandle<bool>, Held) {
        let known = newcomer(&self.other, 1).await;
        // The name stands in the record.
        let mut held = self.proxy.hold_request(1, |command| {
            command.windows(8).any(|word| word == b"EVALSHA\r")
                && command.windows(8).any(|word| word == b"newcomer")
        });
        let (store, id) = (Arc::clone(&self.held_up), known.id.clone());
        let using = tokio::spawn(async move { store.keep_client(&id, later(7200)).await.unwrap() });
        held.reached().await;
        (known, using, held)
    }

    async fn found(&self, id: &ClientId) -> Option<Client> {
        self.other.client(id, NOW).await.unwrap()
    }
}

/// SEC-115: what was changed meanwhile is not lost.
#[tokio::test]
async fn a_change_during_the_first_use_stays() {
    let Some(server) = redis_server::shared() else { return };
    let replicas = Replicas::beside(server).await;
    let (known, using, held) = replicas.first_use().await;
    let changed = Client { name: Some("changed".into()), ..known.clone() };
    assert!(replicas.other.update_client(&changed).await.unwrap());
    assert_eq!(replicas.found(&known.id).await, Some(changed.clone()));
    held.release();
    assert!(using.await.unwrap());
    assert_eq!(replicas.found(&known.id).await, Some(Client { expires_at: Some(later(7200)), ..changed }));
}

/// SEC-115: what was forgotten meanwhile is gone, also where somebody else has come to its place.
#[tokio::test]
async fn a_client_that_is_forgotten_during_its_first_use_is_gone() {
    let Some(server) = redis_server::shared() else { return };
    let replicas = Replicas::beside(server).await;
    for (only_unused, comes_next) in [(true, false), (true, true), (false, false), (false, true)] {
        let (known, using, held) = replicas.first_use().await;
        let forgotten = if only_unused {
            replicas.other.forget_unused_client(&known.id).await
        } else {
            replicas.other.forget_client(&known.id).await
        };
        assert!(forgotten.unwrap());
        if comes_next {
            newcomer(&replicas.other, 1).await;
        }
        held.release();
        assert!(!using.await.unwrap(), "{only_unused} {comes_next}");
        assert_eq!(replicas.found(&known.id).await, None, "{only_unused} {comes_next}");
    }
}

/// INT-36: one that is displaced meanwhile has been used in time, and so has one that somebody else uses first.
#[tokio::test]
async fn a_client_that_is_displaced_during_its_first_use_stays() {
    let Some(server) = redis_server::shared() else { return };
    let replicas = Replicas::beside(server).await;
    for also_used in [false, true] {
        let (known, using, held) = replicas.first_use().await;
        if also_used {
            assert!(replicas.other.keep_client(&known.id, later(9000)).await.unwrap());
        }
        let next = newcomer(&replicas.other, 1).await;
        held.release();
        assert!(using.await.unwrap());
        let until = later(if also_used { 9000 } else { 7200 });
        let kept = replicas.found(&known.id).await;
        assert_eq!(kept, Some(Client { expires_at: Some(until), ..known }));
        assert!(replicas.found(&next.id).await.is_some());
    }
}

/// A caller who hangs up half way leaves a client that nobody has used.
#[tokio::test]
async fn a_first_use_that_breaks_off_leaves_the_client_as_it_was() {
    let Some(server) = redis_server::shared() else { return };
    let replicas = Replicas::beside(server).await;
    let (known, using, held) = replicas.first_use().await;
    using.abort();
    assert!(using.await.unwrap_err().is_cancelled());
    // The command breaks off with its connection.
    drop(held);
    assert_eq!(replicas.found(&known.id).await, Some(known.clone()));
    assert!(replicas.other.keep_client(&known.id, later(60)).await.unwrap());
    newcomer(&replicas.other, 1).await;
    assert_eq!(replicas.found(&known.id).await, Some(known));
}
