//! State for several replicas: Redis, where every transition is one script on one key.
//!
//! - `keys`: every key, in one place.
//! - `scripts` and the `.lua` files: the transitions, the same decisions as in [`crate::domain`].
//! - [`Servers`]: one server, a primary behind sentinels, or a cluster.
//! - `connections`: how a command gets to the server that serves its key; bounded in time.
//! - `memory`: whether Redis keeps what it was given.
//! - `client_book`: what the operator says about clients.
//! - `grants`: a person's grants, as the scripts keep them.
//! - `api_keys`: API keys.
//! - `audit`: the audit stream.
//! - `browser_sessions`: who is signed in in which browser, and what was approved there.
//! - `clients`: client applications; `newcomers`: those that nobody has used, `places`: where they stand.
//! - `logins`: sign-ins under way.
//! - `pins`: to whom the addresses of admins are pinned.
//! - `revocations`: moments before which nothing counts any more.
//! - `upstream_grants`: what upstreams have said of people.
//! - `operations`: the store's sentences; they know no shape.
//!
//! | record | type | fields |
//! |---|---|---|
//! | client | hash | `exp`, `body` (JSON); before them `begun`, while somebody uses it for the first time |
//! | newcomer | string | the client that stands at that place (JSON) |
//! | places | string | how many were given out |
//! | clients by command | hash | of each client its version and JSON |
//! | applications, decisions | hash | of each its date and JSON |
//! | login | hash | `exp`, `step`; `body` (sealed) |
//! | session at an upstream | hash | `exp`, `person` |
//! | a person's grants | string | `MessagePack` that the scripts read: of each grant what they decide by; its body (sealed) |
//! | a person's browser sessions | hash | `MessagePack` by name: `over`, `ends`; `body` (sealed) |
//! | a person's API keys | hash | `MessagePack` by name: `created`, `ends`, `revoked`, `used`, `hash`; `body` (sealed) |
//! | remembered consent | hash | `exp`; `body` (sealed) |
//! | what upstreams said of a person | hash | for each `name`, upstream and person: `name` (sealed), `name:at` (version and end) |
//! | signing keys | hash | `version`; `ring` (sealed); of older brokers one sealed key for each algorithm |
//! | revocations | hash | `version`; one moment and its keeping time for each name |
//! | pin of an admin's address | string | the person |
//! | audit | stream | `e` (JSON) |
//!
//! What is in the clear is what the scripts decide by. The sealed body has the rest, under the
//! record's name as associated data. All the grants of a person are one small record: at a hundred
//! thousand people it takes half of what a key for each grant and an index take, and is listed with
//! one read. Its price: a person's grants are counted, and one too many ends another.

mod api_keys;
mod audit;
mod browser_sessions;
mod client_book;
mod clients;
mod connections;
mod grants;
mod keys;
mod logins;
mod memory;
mod newcomers;
mod operations;
mod pins;
mod places;
mod rate_windows;
mod revocations;
mod scripts;
mod servers;
mod upstream_grants;

use std::fmt;
use std::sync::Arc;

use redis::FromRedisValue;

use crate::domain::ClientId;
use crate::secret::Sealer;

use super::{Store, StoreError};
use connections::{Connections, Request};
use keys::Keys;
use memory::Moment;
use places::Places;
use scripts::Scripts;
pub use servers::{Account, Servers, Shape, Tls};

/// The prefix of every key unless the operator chooses another.
pub const DEFAULT_PREFIX: &str = "gl:";

/// State in Redis.
pub struct RedisStore {
    connections: Arc<Connections>,
    keys: Keys,
    scripts: Scripts,
    places: Places,
    sealer: Sealer,
}

impl RedisStore {
    /// Connects, and refuses what cannot be used: a wrong address or password, or a Redis that
    /// evicts. For `rediss://` the process-wide rustls provider must have been installed.
    pub async fn connect(servers: &Servers, prefix: &str, sealer: Sealer) -> Result<Self, StoreError> {
        let connections = Arc::new(Connections::new(servers)?);
        let keys = Keys::new(prefix)?;
        let scripts = Scripts::new();
        let places = Places::new(Arc::clone(&connections), keys.places());
        let store = Self { connections, keys, scripts, places, sealer };
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

/// Most attempts at a client that others change at the same moment.
const ATTEMPTS: usize = 16;

fn contended(id: &ClientId) -> StoreError {
    StoreError::Unavailable(format!("{id} is being changed by others, again and again"))
}

fn unreadable(key: &str) -> StoreError {
    StoreError::Unreadable(format!("{key}: does not hold what its version says"))
}
