//! One command about one key.

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, ToRedisArgs, Value};

use super::outbox::{Outbox, exchange};

/// A command, and the key that decides which server it is for.
pub(in crate::store::redis) struct Request {
    key: String,
    command: Cmd,
    /// Of a script that is called by its hash.
    body: Option<&'static str>,
}

impl Request {
    /// A plain command; the key is its first argument.
    pub(in crate::store::redis) fn new(command: &str, key: String) -> Self {
        let mut words = Cmd::new();
        words.arg(command).arg(&key);
        Self { key, command: words, body: None }
    }

    /// A script about one key.
    pub(in crate::store::redis) fn script(hash: &str, body: &'static str, key: String) -> Self {
        let mut words = Cmd::new();
        words.arg("EVALSHA").arg(hash).arg(1).arg(&key);
        Self { key, command: words, body: Some(body) }
    }

    /// One more argument.
    pub(in crate::store::redis) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Sends it together with what others send. `asking`: the key is on its way to this server (the `ASK`
    /// redirection).
    pub(super) async fn post(&self, outbox: &Outbox, asking: bool) -> Result<Value, RedisError> {
        let answer = outbox.send(self.command.clone(), asking).await;
        match (answer, self.body) {
            // A server that has not met the script yet, or has restarted, did nothing.
            (Err(error), Some(body)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                outbox.send(self.in_full(body), asking).await
            }
            (answer, _) => answer,
        }
    }

    /// Sends it over a connection of the caller's own. `asking`: the key is on its way to this server (the `ASK` redirection).
    pub(super) async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        asking: bool,
    ) -> Result<Value, RedisError> {
        let answer = exchange(connection, &self.command, asking).await;
        match (answer, self.body) {
            // A server that has not met the script yet, or has restarted, did nothing.
            (Err(error), Some(body)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                exchange(connection, &self.in_full(body), asking).await
            }
            (answer, _) => answer,
        }
    }

    /// Sends it and waits, on the same connection, until `replicas` have it, or the time is up. Gives
    /// back the answer and how many have it.
    pub(super) async fn send_and_wait(
        &self,
        connection: &mut MultiplexedConnection,
        asking: bool,
        replicas: u64,
        milliseconds: u64,
    ) -> Result<(Value, u64), RedisError> {
        let wait = (replicas, milliseconds);
        let answer = exchange_and_wait(connection, &self.command, asking, wait).await;
        match (answer, self.body) {
            (Err(error), Some(body)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                exchange_and_wait(connection, &self.in_full(body), asking, wait).await
            }
            (answer, _) => answer,
        }
    }

    /// The same call with the script itself, which also makes the server remember it.
    fn in_full(&self, body: &str) -> Cmd {
        let mut whole = Cmd::new();
        whole.arg("EVAL").arg(body);
        for argument in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                whole.arg(bytes);
            }
        }
        whole
    }
}

async fn exchange_and_wait(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
    asking: bool,
    (replicas, milliseconds): (u64, u64),
) -> Result<(Value, u64), RedisError> {
    let mut pipeline = Pipeline::new();
    if asking {
        pipeline.cmd("ASKING");
    }
    pipeline.add_command(command.clone());
    pipeline.cmd("WAIT").arg(replicas).arg(milliseconds);
    let skipped = usize::from(asking);
    let answers = connection.req_packed_commands(&pipeline, skipped, 2).await?;
    let mut answers = answers.into_iter().map(Value::extract_error);
    let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
    let (answer, acknowledged) = (next()?, next()?);
    Ok((answer, redis::from_redis_value(acknowledged)?))
}
