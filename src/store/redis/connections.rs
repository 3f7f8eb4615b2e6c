//! A few multiplexed connections that all requests share.
//!
//! A checkout for every command costs twelve times the CPU of a shared connection, so a slot
//! keeps what it got from the pool and hands out clones. The pool makes connections, counts them
//! and bounds the waiting. A connection that failed is given up, and the next call makes another.
//!
//! Longest wait for any call: [`QUEUE`] + [`CONNECT`] + [`COMMAND`].

use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, RedisError, ServerErrorKind};

use crate::secret::Secret;
use crate::store::StoreError;

/// How many connections are shared.
const SHARED: usize = 2;
/// Longest wait for a turn to connect.
const QUEUE: Duration = Duration::from_secs(1);
/// Longest time to connect, TLS and AUTH included.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest time for a command.
const COMMAND: Duration = Duration::from_secs(2);

/// The shared connections.
pub(super) struct Connections {
    pool: Pool,
    slots: [Slot; SHARED],
    next: AtomicUsize,
    /// Host and port, for messages; never the password.
    address: String,
}

#[derive(Default)]
struct Slot {
    held: RwLock<Option<Held>>,
    /// One task connects; the others wait for it, and not for the pool.
    connecting: tokio::sync::Mutex<()>,
}

struct Held {
    lease: deadpool_redis::Connection,
    /// Tells this connection from its predecessors in the slot.
    number: usize,
}

/// A connection to speak on, and what [`Connections::judge`] needs to give it up.
pub(super) struct Borrowed {
    pub(super) connection: MultiplexedConnection,
    slot: usize,
    number: usize,
}

impl Connections {
    /// Reads the URL; connects to nothing yet.
    pub(super) fn new(url: &Secret) -> Result<Self, StoreError> {
        // The parser's message says what is wrong without quoting the URL.
        let bad =
            |error: RedisError| StoreError::Unavailable(format!("the Redis URL cannot be used: {error}"));
        let info = url.expose().into_connection_info().map_err(bad)?;
        let address = info.addr().to_string();
        // Reads certificates and the like once, so that their faults are told here.
        Client::open(info.clone()).map_err(bad)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(COMMAND));
        let manager = Manager::new_with_config(info, config).map_err(bad)?;
        let pool = Pool::builder(manager)
            .max_size(SHARED)
            .wait_timeout(Some(QUEUE))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(COMMAND))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(format!("the Redis pool cannot be made: {error}")))?;
        Ok(Self { pool, slots: Default::default(), next: AtomicUsize::new(0), address })
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// A connection, connecting if there is none.
    pub(super) async fn borrow(&self) -> Result<Borrowed, StoreError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let index = turn % SHARED;
        let Some(slot) = self.slots.get(index) else {
            return Err(self.unavailable(&"no connection slot"));
        };
        if let Some(borrowed) = slot.borrow(index) {
            return Ok(borrowed);
        }
        let Ok(_turn) = tokio::time::timeout(QUEUE, slot.connecting.lock()).await else {
            return Err(self.unavailable(&"connecting takes too long"));
        };
        // Whoever was before may have connected.
        if let Some(borrowed) = slot.borrow(index) {
            return Ok(borrowed);
        }
        let lease = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.unavailable(&error),
            PoolError::Timeout(_) => self.unavailable(&"connecting takes too long"),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                self.unavailable(&"the pool is closed")
            }
        })?;
        let connection = MultiplexedConnection::clone(&lease);
        slot.put(Some(Held { lease, number: turn }));
        Ok(Borrowed { connection, slot: index, number: turn })
    }

    /// What a failed command means; a connection that is of no more use is given up.
    pub(super) fn judge(&self, borrowed: &Borrowed, error: &RedisError) -> StoreError {
        if is_lost(error)
            && let Some(slot) = self.slots.get(borrowed.slot)
        {
            slot.give_up(borrowed.number);
        }
        self.unavailable(error)
    }

    fn unavailable(&self, why: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("Redis at {}: {why}", self.address))
    }
}

impl Slot {
    fn borrow(&self, slot: usize) -> Option<Borrowed> {
        // Poison cannot mean half a value here: the lock guards one assignment.
        let held = self.held.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.as_ref().map(|held| Borrowed {
            connection: MultiplexedConnection::clone(&held.lease),
            slot,
            number: held.number,
        })
    }

    fn put(&self, new: Option<Held>) {
        *self.held.write().unwrap_or_else(std::sync::PoisonError::into_inner) = new;
    }

    /// Drops the connection of that number and takes it off the pool's books. Its successor, if
    /// another request was faster, stays.
    fn give_up(&self, number: usize) {
        let mut held = self.held.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.number == number)
            && let Some(held) = held.take()
        {
            drop(deadpool_redis::Connection::take(held.lease));
        }
    }
}

/// Is the connection of no more use? Broken, silent, or to a server that cannot write: a primary
/// that was demoted answers READONLY for ever.
fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || matches!(
            error.kind(),
            ErrorKind::Io
                | ErrorKind::Parse
                | ErrorKind::AuthenticationFailed
                | ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}
