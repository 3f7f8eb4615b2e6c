//! What many callers ask of a server at the same moment, in one write.
//!
//! Left to itself the connection writes each command as it comes, since a task that is woken runs next: a system
//! call for nearly every one. Here one task hands all of them over, and their answers come back together: that is a
//! tenth of a refresh. Each has an answer of its own, also where it is an error. A connection that breaks off
//! in between leaves all of them without one: what Redis did then, nobody knows, as of whatever is under way at
//! such a moment.

use std::io;
use std::mem;

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

/// Most commands of one write: the first one's answer waits for the last one's.
const MOST_TOGETHER: usize = 32;

async fn deliver(connection: MultiplexedConnection, mut letters: Vec<Asked<Letter, Answer>>) {
    if letters.len() <= MOST_TOGETHER {
        return deliver_some(connection, letters).await;
    }
    let mut some = Vec::new();
    while !letters.is_empty() {
        let rest = letters.split_off(letters.len().min(MOST_TOGETHER));
        some.push(deliver_some(connection.clone(), mem::replace(&mut letters, rest)));
    }
    join_all(some).await;
}

async fn deliver_some(mut connection: MultiplexedConnection, letters: Vec<Asked<Letter, Answer>>) {
    let mut pipeline = Pipeline::with_capacity(letters.len());
    let mut awaited = Vec::with_capacity(letters.len());
    for Asked { question: Letter { command, asking }, answer } in letters {
        if asking {
            pipeline.cmd("ASKING");
            awaited.push(None);
        }
        pipeline.add_command(command);
        awaited.push(Some(answer));
    }
    let answers = connection.req_packed_commands(&pipeline, 0, awaited.len()).await;
    let mut answers = answers.map(Vec::into_iter);
    for answer in awaited {
        let next = match &mut answers {
            Ok(answers) => answers.next().map(Value::extract_error),
            Err(error) => Some(Err(error.clone())),
        };
        if let (Some(answer), Some(next)) = (answer, next) {
            let _ = answer.send(next);
        }
    }
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
