//! What many callers ask of a server at the same moment, in one write.
//!
//! Left to itself the connection writes each command as it comes, since a task that is woken runs next: a system
//! call for nearly every one. Here one task hands all of them over before the connection's own runs. Each
//! still has an answer of its own: what breaks off later takes none away that had come.

use std::io;

use futures::future::join_all;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, Value};

use crate::gathering::{Asked, Gathering};

/// A connection that others use at the same time.
pub(super) struct Outbox {
    connection: MultiplexedConnection,
    waiting: Gathering<Letter, Answer>,
}

/// A command.
struct Letter {
    command: Cmd,
    /// Its key is on its way to this server (the `ASK` redirection).
    asking: bool,
}

type Answer = Result<Value, RedisError>;

impl Outbox {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self { connection, waiting: Gathering::default() }
    }

    /// The connection, for several commands that belong together.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Sends a command, and waits for its answer.
    pub(super) async fn send(&self, command: Cmd, asking: bool) -> Answer {
        let connection = self.connection();
        let answer =
            self.waiting.ask(Letter { command, asking }, |letters| deliver(connection, letters)).await;
        // Only with the runtime.
        answer.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))
    }
}

async fn deliver(connection: MultiplexedConnection, letters: Vec<Asked<Letter, Answer>>) {
    let sent = letters.into_iter().map(|Asked { question: Letter { command, asking }, answer }| {
        let mut connection = connection.clone();
        async move {
            let _ = answer.send(exchange(&mut connection, &command, asking).await);
        }
    });
    join_all(sent).await;
}

/// Sends one command.
pub(super) async fn exchange(connection: &mut MultiplexedConnection, command: &Cmd, asking: bool) -> Answer {
    if !asking {
        return command.query_async(connection).await;
    }
    let mut pipeline = Pipeline::new();
    pipeline.cmd("ASKING").add_command(command.clone());
    let answers = connection.req_packed_commands(&pipeline, 1, 1).await?;
    answers.into_iter().next().unwrap_or(Value::Nil).extract_error()
}
