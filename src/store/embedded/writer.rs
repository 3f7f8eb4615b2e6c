//! The one thread that writes. Requests that wait at the same moment share a transaction, and so
//! one flush to disk; each is answered only after that transaction is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;

use redb::{Database, Durability, WriteTransaction};
use tokio::sync::oneshot;

use crate::store::StoreError;

use super::held::Held;
use super::tables::failed;

/// Most changes in one transaction: a bound on how long the first one waits for the others.
const MOST_TOGETHER: usize = 128;

/// What a piece of work did to the store.
pub(super) enum Done<T> {
    /// It wrote; answer after the commit.
    Wrote(T),
    /// It removed, or ended something by a few bytes: this goes on where the disk is nearly full.
    Ended(T),
    /// It looked and left everything as it was.
    Looked(T),
}

/// What a transaction does to the file, the most of its pieces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    Nothing,
    End,
    Growth,
}

/// A piece of work. An [`StoreError::Unreadable`] fails it alone, so it must come before the
/// first write; any other error ends the whole transaction.
trait Job: Send {
    fn run(&mut self, transaction: &WriteTransaction) -> Result<Effect, StoreError>;
    fn answer(self: Box<Self>, committed: &Result<(), String>);
}

struct Work<T, F> {
    run: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnOnce(&WriteTransaction) -> Result<Done<T>, StoreError> + Send,
{
    fn run(&mut self, transaction: &WriteTransaction) -> Result<Effect, StoreError> {
        let Some(work) = self.run.take() else { return Ok(Effect::Nothing) };
        let (result, effect) = match work(transaction) {
            Ok(Done::Wrote(value)) => (Ok(value), Effect::Growth),
            Ok(Done::Ended(value)) => (Ok(value), Effect::End),
            Ok(Done::Looked(value)) => (Ok(value), Effect::Nothing),
            Err(error @ (StoreError::Unreadable(_) | StoreError::Unfit(_))) => (Err(error), Effect::Nothing),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
        };
        self.result = Some(result);
        Ok(effect)
    }

    fn answer(self: Box<Self>, committed: &Result<(), String>) {
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Unavailable("embedded store: not reached".into())),
            (Err(why), _) => Err(StoreError::Unavailable(why.clone())),
        };
        // Whoever asked may have gone away; the work is done all the same.
        drop(self.reply.send(answer));
    }
}

/// The handle to the writing thread. Dropping it lets the thread finish and waits for it, so that
/// the file is free afterwards.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(held: Arc<Held>) -> Result<Self, StoreError> {
        let (jobs, inbox) = mpsc::channel::<Box<dyn Job>>();
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                while let Ok(first) = inbox.recv() {
                    let mut batch = vec![first];
                    batch.extend(inbox.try_iter().take(MOST_TOGETHER - 1));
                    write_batch(&held, batch);
                }
            })
            .map_err(|error| StoreError::Unavailable(format!("embedded store: no thread: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` inside a write transaction and returns once that is on disk.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTransaction) -> Result<Done<T>, StoreError> + Send + 'static,
    {
        let stopped = || StoreError::Unavailable("embedded store: the writer has stopped".into());
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work { run: Some(work), result: None, reply });
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to write.
            drop(thread.join());
        }
    }
}

/// All together where there is room. Where there is none, one by one, so that what only ends
/// something is not refused for the sake of what grows.
fn write_batch(held: &Held, batch: Vec<Box<dyn Job>>) {
    match held.check_room() {
        Ok(()) => write_together(held, batch, None),
        Err(full) => batch.into_iter().for_each(|job| write_together(held, vec![job], Some(&full))),
    }
}

/// One transaction. After a fault the file is opened anew, so that the next one finds it whole; a
/// panic is such a fault, since a writer that is gone would leave a broker that looks alive.
fn write_together(held: &Held, mut batch: Vec<Box<dyn Job>>, full: Option<&StoreError>) {
    if held.is_closed() {
        held.reopen();
    }
    let commit = || held.with(|database| commit(database, &mut batch, full));
    let committed = match catch_unwind(AssertUnwindSafe(commit)) {
        Ok(Ok(Committed::Yes)) => Ok(()),
        Ok(Ok(Committed::NoRoom(why))) => Err(why),
        Ok(Err(error)) => {
            held.reopen();
            Err(why(&error))
        }
        Err(_) => {
            tracing::error!("a write to the store panicked");
            held.reopen();
            Err("embedded store: a write failed unexpectedly".to_owned())
        }
    };
    for job in batch {
        job.answer(&committed);
    }
}

fn why(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(why) | StoreError::Unreadable(why) | StoreError::Unfit(why) => why.clone(),
    }
}

enum Committed {
    Yes,
    NoRoom(String),
}

/// Everything or nothing: a failure aborts what the whole batch wrote.
fn commit(
    database: &Database,
    batch: &mut [Box<dyn Job>],
    full: Option<&StoreError>,
) -> Result<Committed, StoreError> {
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction.set_durability(Durability::Immediate).map_err(failed)?;
    let mut effect = Effect::Nothing;
    for job in batch {
        effect = effect.max(job.run(&transaction)?);
    }
    match (effect, full) {
        // A batch that only looked costs no flush: a replayed token is no way to keep the disk busy.
        (Effect::Nothing, _) => transaction.abort().map_err(failed)?,
        (Effect::Growth, Some(full)) => {
            transaction.abort().map_err(failed)?;
            return Ok(Committed::NoRoom(why(full)));
        }
        (Effect::End | Effect::Growth, _) => transaction.commit().map_err(failed)?,
    }
    Ok(Committed::Yes)
}
