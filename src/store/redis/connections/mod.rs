//! How a command gets to the server that serves its key, whatever shape the Redis has.
//!
//! - [`request`]: one command about one key.
//! - [`topology`]: who serves a key: the one server, the primary that [`sentinel`]s name, or the
//!   node of the key's [`slot`] in a [`cluster`].
//! - [`node`]: one server and the connections to it; in the [`outbox`] commands of many callers meet.
//! - [`address`]: how a connection is made.
//! - [`trouble`]: what may go wrong, and what may be tried then.
//!
//! Every call ends within [`CALL`], whatever Redis does. A command is sent a second time only if
//! Redis said that it did not execute the first, or if no connection could be had for it. After a
//! connection broke, or was silent, nobody knows, and the caller is told so (503). A client that
//! then refreshes again gets the same successor inside the grace window, and a rotation that a
//! failover lost is healed by the token from ahead: neither needs a retry here.

mod address;
mod cluster;
mod node;
mod outbox;
mod request;
mod sentinel;
mod slot;
mod topology;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, Value};

use super::servers::Servers;
use crate::store::StoreError;
use node::Node;
pub(super) use request::Request;
use topology::Topology;
use trouble::{Remedy, Trouble, is_lost};

/// Longest time for a call: connecting, asking who serves, and a second attempt included.
const CALL: Duration = Duration::from_millis(2500);
/// Before a second attempt, where Redis loads its data or a slot moves.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for replicas, in milliseconds.
const REPLICATION: u64 = 1000;

/// The connections.
pub(super) struct Connections {
    topology: Topology,
}

/// How a command is delivered.
#[derive(Clone, Copy)]
enum Delivery {
    /// Over a shared connection.
    Shared,
    /// Over a connection of its own, and where there are replicas, one of them has to have it.
    Replicated,
}

/// Where to, if not to whom the topology names.
struct Detour {
    node: Arc<Node>,
    asking: bool,
}

impl Connections {
    /// Reads URLs and certificates; connects to nothing yet.
    pub(super) fn new(servers: &Servers) -> Result<Self, StoreError> {
        let topology = Topology::new(servers)
            .map_err(|error| StoreError::Unavailable(format!("the Redis URL cannot be used: {error}")))?;
        Ok(Self { topology })
    }

    /// Hosts and ports, for messages.
    pub(super) fn describe(&self) -> String {
        self.topology.describe()
    }

    /// Sends a command.
    pub(super) async fn send<T: FromRedisValue>(&self, request: &Request) -> Result<T, StoreError> {
        self.deliver(request, Delivery::Shared).await
    }

    /// Sends a command whose effect must outlive a failover: where replicas are connected, one of
    /// them has to acknowledge it, else the caller is told to come again. Coming again is enough
    /// even where nothing is left to do: `WAIT` then covers what was done the first time.
    pub(super) async fn send_replicated<T: FromRedisValue>(
        &self,
        request: &Request,
    ) -> Result<T, StoreError> {
        self.deliver(request, Delivery::Replicated).await
    }

    /// What `INFO` says about a subject, server by server.
    pub(super) async fn info(
        &self,
        subject: &str,
    ) -> Result<Vec<(String, Result<String, RedisError>)>, StoreError> {
        let everywhere = async {
            let nodes = self.topology.every().await?;
            let asked = nodes.iter().map(|node| async move {
                let answer = match node.exclusive().await {
                    Ok(mut connection) => info(&mut connection, subject).await,
                    Err(trouble) => Err(RedisError::from(std::io::Error::other(trouble.to_string()))),
                };
                (node.address().to_string(), answer)
            });
            Ok::<_, Trouble>(futures::future::join_all(asked).await)
        };
        match tokio::time::timeout(CALL, everywhere).await {
            Ok(answers) => answers.map_err(|trouble| self.unavailable(&trouble)),
            Err(_) => Err(self.unavailable(&"no answer in time")),
        }
    }

    async fn deliver<T: FromRedisValue>(&self, request: &Request, how: Delivery) -> Result<T, StoreError> {
        let answer = match tokio::time::timeout(CALL, self.at_most_twice(request, how)).await {
            Ok(answer) => answer.map_err(|trouble| self.unavailable(&trouble))?,
            Err(_) => return Err(self.unavailable(&"no answer in time")),
        };
        redis::from_redis_value(answer).map_err(|error| self.unavailable(&error))
    }

    async fn at_most_twice(&self, request: &Request, how: Delivery) -> Result<Value, Trouble> {
        let (node, trouble) = match self.attempt(request, how, None).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let detour = match trouble.remedy() {
            None => return Err(trouble),
            Some(Remedy::Rediscover) => None,
            Some(Remedy::Pause) => {
                pause().await;
                None
            }
            Some(remedy) => match self.topology.detour(request.key(), node.as_deref(), &remedy) {
                Some(node) => Some(Detour { node, asking: matches!(remedy, Remedy::Ask(_)) }),
                None => return Err(trouble),
            },
        };
        self.attempt(request, how, detour).await.map_err(|(_, trouble)| trouble)
    }

    async fn attempt(
        &self,
        request: &Request,
        how: Delivery,
        detour: Option<Detour>,
    ) -> Result<Value, (Option<Arc<Node>>, Trouble)> {
        let key = request.key();
        let (node, asking) = match (detour, how) {
            (Some(Detour { node, asking }), _) => (Ok(node), asking),
            (None, Delivery::Shared) => (self.topology.primary(key).await, false),
            (None, Delivery::Replicated) => (self.topology.confirmed_primary(key).await, false),
        };
        let node = node.map_err(|trouble| (None, trouble))?;
        let answer = match how {
            Delivery::Shared => shared(&node, request, asking).await,
            Delivery::Replicated => replicated(&node, request, asking).await,
        };
        answer.map_err(|trouble| {
            if trouble.is_about_the_server() {
                self.topology.distrust(&node);
            }
            (Some(node), trouble)
        })
    }

    fn unavailable(&self, why: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("Redis at {}: {why}", self.describe()))
    }
}

async fn shared(node: &Node, request: &Request, asking: bool) -> Result<Value, Trouble> {
    let shared = node.shared().await?;
    let answer = request.post(&shared.outbox, asking).await;
    answer.map_err(|error| {
        if is_lost(&error) {
            node.give_up(&shared);
        }
        Trouble::Failed(error)
    })
}

async fn replicated(node: &Node, request: &Request, asking: bool) -> Result<Value, Trouble> {
    let mut connection = node.exclusive().await?;
    let answer = with_replicas(&mut connection, request, asking).await;
    if let Err(Trouble::Failed(error)) = &answer
        && is_lost(error)
    {
        drop(deadpool_redis::Connection::take(connection));
    }
    answer
}

/// `WAIT` covers what its own connection wrote, so both go over the same one, which nobody shares.
async fn with_replicas(
    connection: &mut redis::aio::MultiplexedConnection,
    request: &Request,
    asking: bool,
) -> Result<Value, Trouble> {
    let replicas = match info(connection, "replication").await {
        Ok(text) => field(&text, "connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0),
        // Who hides it is told at start that there is no waiting.
        Err(error) if is_hidden(&error) => 0,
        Err(error) => return Err(Trouble::Failed(error)),
    };
    if replicas == 0 {
        return request.send(connection, asking).await.map_err(Trouble::Failed);
    }
    let sent = request.send_and_wait(connection, asking, replicas, REPLICATION).await;
    match sent.map_err(Trouble::Failed)? {
        (_, 0) => Err(Trouble::NotReplicated(replicas)),
        (answer, _) => Ok(answer),
    }
}

async fn info(
    connection: &mut redis::aio::MultiplexedConnection,
    subject: &str,
) -> Result<String, RedisError> {
    let mut question = Cmd::new();
    question.arg("INFO").arg(subject);
    question.query_async(connection).await
}

/// One `name:value` line of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Did the server answer, and would not say?
pub(super) fn is_hidden(error: &RedisError) -> bool {
    use redis::ServerErrorKind::{NoPerm, ResponseError};
    matches!(error.kind(), ErrorKind::Server(NoPerm | ResponseError) | ErrorKind::Extension)
}

#[expect(clippy::disallowed_methods, reason = "Redis does not say when it has loaded or moved")]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

fn nobody_named() -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "no server is named"))
}
