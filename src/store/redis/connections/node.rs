//! One server, and the connections to it.
//!
//! A checkout for every command costs twelve times the CPU of a shared connection, so a node keeps
//! one that it got from the pool, with an outbox in front: what is asked at the same moment goes out in
//! one write, and comes back in one read. The pools make connections, count them and bound
//! the waiting. A connection that failed is given up, and the next call makes another.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use deadpool_redis::{Hook, HookError, Manager, Pool, PoolError, Runtime};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Role};

use super::address::{Address, COMMAND, CONNECT, Dialer, limits};
use super::outbox::Outbox;
use super::trouble::Trouble;

/// How many are lent to one caller alone.
const EXCLUSIVE: usize = 4;
/// Longest wait for a turn to connect.
pub(super) const QUEUE: Duration = Duration::from_secs(1);

/// What a server has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Whatever it is: its answers tell.
    Any,
    /// A primary: each new connection asks for its role.
    Primary,
}

/// One server.
pub(super) struct Node {
    address: Address,
    shared: Pool,
    exclusive: Pool,
    held: RwLock<Option<Held>>,
    /// One task connects; the others wait for it, and not for the pool. The guarded number is the
    /// last connection's.
    connecting: tokio::sync::Mutex<usize>,
}

struct Held {
    lease: deadpool_redis::Connection,
    outbox: Arc<Outbox>,
    /// Tells this connection from its predecessors.
    number: usize,
}

/// A connection that others use at the same time, and what [`Node::give_up`] needs to know of it.
pub(super) struct Shared {
    pub(super) outbox: Arc<Outbox>,
    number: usize,
}

impl Node {
    /// Connects to nothing yet.
    pub(super) fn new(dialer: &Dialer, address: &Address, duty: Duty) -> Result<Self, RedisError> {
        let pool = |most| pool(dialer, address, duty, most);
        Ok(Self {
            address: address.clone(),
            shared: pool(1)?,
            exclusive: pool(EXCLUSIVE)?,
            held: RwLock::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection that others use, too; connecting if there is none.
    pub(super) async fn shared(&self) -> Result<Shared, Trouble> {
        match self.borrow() {
            Some(shared) => Ok(shared),
            // Apart, because it is rare and large: every command would carry its place along.
            None => Box::pin(self.connect()).await,
        }
    }

    async fn connect(&self) -> Result<Shared, Trouble> {
        let Ok(mut last) = tokio::time::timeout(QUEUE, self.connecting.lock()).await else {
            return Err(Trouble::Unreached("connecting takes too long".into()));
        };
        // Whoever was before may have connected.
        if let Some(shared) = self.borrow() {
            return Ok(shared);
        }
        let lease = self.shared.get().await.map_err(unreached)?;
        let outbox = Arc::new(Outbox::new(MultiplexedConnection::clone(&lease)));
        *last = last.wrapping_add(1);
        let held = Held { lease, outbox: Arc::clone(&outbox), number: *last };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(Shared { outbox, number: *last })
    }

    /// Lets nobody get this connection any more, and takes it off the pool's books. Those who have it
    /// keep it. Its successor, if another request was faster, stays.
    pub(super) fn give_up(&self, shared: &Shared) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.number == shared.number)
            && let Some(held) = held.take()
        {
            drop(deadpool_redis::Connection::take(held.lease));
        }
    }

    fn borrow(&self) -> Option<Shared> {
        // Poison cannot mean half a value here: the lock guards one assignment.
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|held| Shared { outbox: Arc::clone(&held.outbox), number: held.number })
    }

    /// A connection for the caller alone.
    pub(super) async fn exclusive(&self) -> Result<deadpool_redis::Connection, Trouble> {
        Box::pin(self.exclusive.get()).await.map_err(unreached)
    }
}

fn pool(dialer: &Dialer, address: &Address, duty: Duty, most: usize) -> Result<Pool, RedisError> {
    let manager = Manager::new_with_config(dialer.to(address), limits())?;
    let mut builder = Pool::builder(manager)
        .max_size(most)
        .wait_timeout(Some(QUEUE))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(COMMAND))
        .runtime(Runtime::Tokio1);
    if duty == Duty::Primary {
        builder =
            builder.post_create(Hook::async_fn(|connection, _| Box::pin(has_to_be_primary(connection))));
    }
    // Only a missing runtime is an error here.
    builder.build().map_err(|error| RedisError::from(std::io::Error::other(error)))
}

/// What sentinels say may be old: a server says best what it is.
async fn has_to_be_primary(connection: &mut MultiplexedConnection) -> Result<(), HookError> {
    let mut role = Cmd::new();
    role.arg("ROLE");
    match role.query_async(connection).await.map_err(HookError::Backend)? {
        Role::Primary { .. } => Ok(()),
        Role::Replica { .. } | Role::Sentinel { .. } | _ => Err(HookError::message("is not a primary")),
    }
}

fn unreached(error: PoolError) -> Trouble {
    Trouble::Unreached(match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.to_string(),
        PoolError::PostCreateHook(HookError::Message(why)) => why.into_owned(),
        PoolError::Timeout(_) => "connecting takes too long".to_owned(),
        PoolError::Closed | PoolError::NoRuntimeSpecified => "the pool is closed".to_owned(),
    })
}
