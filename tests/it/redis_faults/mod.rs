//! What a Redis may do to the broker, with real processes: what [`crate::store_conformance`] holds
//! in peace, held while servers die, stall, move and fill up.
//!
//! - [`restart`]: one server that restarts under three brokers.
//! - [`single`]: one server: stall, demotion, eviction.
//! - [`races`]: several replicas, one code or token, many callers.
//! - [`resurrection`]: a code that comes back after it was used.
//! - [`replication`], [`old_primary`]: what a revocation waits for, and what that is good for.
//! - [`sentinel`], [`cluster`]: failover and moving slots.
//! - [`full`]: no memory left.
//! - [`partition`], [`slow`]: the network between a broker and its Redis; [`wire`] has that broker.

mod cluster;
mod full;
mod old_primary;
mod partition;
mod races;
mod replication;
mod restart;
mod resurrection;
mod sentinel;
mod single;
mod slow;
mod wire;

use std::time::Duration;

use gatelodge::domain::{GrantId, Redemption, Rotation, RotationRules};
use gatelodge::secret::MasterSecret;
use gatelodge::store::redis::Servers;
use gatelodge::store::{RedisStore, Store, StoreError};

use crate::harness::eventually::Stopwatch;
use crate::harness::redis_server::fresh_prefix;
use crate::harness::sample::{NOW, grant};

/// An hour of idleness, and two minutes of grace.
const RULES: RotationRules =
    RotationRules { grace: Duration::from_secs(120), idle: Duration::from_secs(3600) };

/// No call takes longer, whatever Redis does.
const LONGEST: Duration = Duration::from_secs(3);

/// A store under a prefix of its own.
async fn store(servers: &Servers) -> RedisStore {
    RedisStore::connect(servers, &fresh_prefix(), MasterSecret::generate().sealer()).await.unwrap()
}

/// A family whose code has been redeemed.
async fn family(store: &dyn Store) -> GrantId {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    redeem(store, opened.id).await;
    opened.id
}

/// Redeems the code of a grant.
async fn redeem(store: &dyn Store, id: GrantId) -> Redemption {
    store.redeem_code(&id, NOW, RULES.idle).await.unwrap()
}

/// Presents a token of that generation.
async fn rotate(store: &dyn Store, id: GrantId, presented: u64) -> Result<Rotation, StoreError> {
    store.rotate_refresh(&id, presented, NOW, RULES).await
}

/// A person who goes on refreshing, and presents the same token again after a 503.
struct Person {
    id: GrantId,
    generation: u64,
    faults: usize,
}

impl Person {
    async fn new(store: &dyn Store) -> Self {
        Self { id: family(store).await, generation: 1, faults: 0 }
    }

    /// One refresh. False: it has to be tried again. Anything but a successor or 503 fails the test.
    async fn refresh(&mut self, store: &dyn Store) -> bool {
        let begin = Stopwatch::start();
        let answer = rotate(store, self.id, self.generation).await;
        assert!(begin.elapsed() <= LONGEST, "a call took {:?}", begin.elapsed());
        match answer {
            Ok(Rotation::Successor { generation, .. }) => {
                assert_eq!(generation, self.generation + 1, "one successor, and never a fork");
                self.generation = generation;
                true
            }
            Err(StoreError::Unavailable(_)) => {
                self.faults += 1;
                false
            }
            other => panic!("neither a successor nor 503: {other:?}"),
        }
    }
}
