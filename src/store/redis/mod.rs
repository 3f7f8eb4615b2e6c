//! State for several replicas: Redis, where every transition is one script on one key.
//!
//! - `keys`: every key, in one place.
//! - `scripts` and the `.lua` files: the transitions, the same decisions as in [`crate::domain`].
//! - `connections`: a few multiplexed connections, shared, bounded in time, replaced when broken.
//! - `operations`: the store's sentences.
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
mod operations;
mod scripts;

use std::fmt;

use redis::{FromRedisValue, RedisError, ScriptInvocation};

use crate::secret::{Sealer, Secret};

use super::{Store, StoreError};
use connections::{Borrowed, Connections};
use keys::Keys;
use scripts::Scripts;

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
    /// Connects and asks for a sign of life, so that a wrong address or password is told at
    /// start. For `rediss://` the process-wide rustls provider must have been installed.
    pub async fn connect(url: &Secret, prefix: &str, sealer: Sealer) -> Result<Self, StoreError> {
        let store = Self {
            connections: Connections::new(url)?,
            keys: Keys::new(prefix)?,
            scripts: Scripts::new(),
            sealer,
        };
        store.ping().await?;
        Ok(store)
    }

    /// Runs a script.
    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut borrowed = self.connections.borrow().await?;
        let answer = script.invoke_async(&mut borrowed.connection).await;
        self.judged(&borrowed, answer)
    }

    fn judged<T>(&self, borrowed: &Borrowed, answer: Result<T, RedisError>) -> Result<T, StoreError> {
        answer.map_err(|error| self.connections.judge(borrowed, &error))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.connections.address())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
