//! State for several replicas: Redis, where every transition is one script on one key.
//!
//! - `keys`: every key, in one place.
//! - `scripts` and the `.lua` files: the transitions, the same decisions as in [`crate::domain`].
//! - [`Servers`]: one server, a primary behind sentinels, or a cluster.
//! - `connections`: how a command gets to the server that serves its key; bounded in time.
//! - `memory`: whether Redis keeps what it was given.
//! - `operations`: the store's sentences; they know no shape.
//!
//! | record | type | fields |
//! |---|---|---|
//! | client | hash | `exp`; `body` (JSON) |
//! | login | hash | `exp`, `step`; `body` (sealed) |
//! | grant | hash | `exp`, `ends`, `code`, `gen` (0: awaits its code), `rot`; `body` (sealed) |
//! | signing keys | hash | `version`; `ring` (sealed); of older brokers one sealed key for each algorithm |
//! | revocations | hash | `version`; one moment and its keeping time for each name |
//! | audit | stream | `e` (JSON) |
//!
//! The fields in the clear are what the scripts decide by. The sealed body has the rest, under
//! the record's key as associated data.

mod connections;
mod keys;
mod memory;
mod operations;
mod scripts;
mod servers;

use std::fmt;

use redis::FromRedisValue;

use crate::secret::Sealer;

use super::{Store, StoreError};
use connections::{Connections, Request};
use keys::Keys;
use memory::Moment;
use scripts::Scripts;
pub use servers::{Account, Servers, Shape, Tls};

/// The prefix of every key unless the operator chooses another.
pub const DEFAULT_PREFIX: &str = "gl:";

/// State in Redis.
pub struct RedisStore {
    connections: Connections,
    keys: Keys,
    scripts: Scripts,
    sealer: Sealer,
}

impl RedisStore {
    /// Connects, and refuses what cannot be used: a wrong address or password, or a Redis that
    /// evicts. For `rediss://` the process-wide rustls provider must have been installed.
    pub async fn connect(servers: &Servers, prefix: &str, sealer: Sealer) -> Result<Self, StoreError> {
        let store = Self {
            connections: Connections::new(servers)?,
            keys: Keys::new(prefix)?,
            scripts: Scripts::new(),
            sealer,
        };
        store.ping().await?;
        store.look_at_memory(Moment::Start).await?;
        Ok(store)
    }

    async fn run<T: FromRedisValue>(&self, request: &Request) -> Result<T, StoreError> {
        self.connections.send(request).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("servers", &self.connections.describe())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
