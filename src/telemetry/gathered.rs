//! Lines of many requests in one write.
//!
//! A system call for every line was a tenth of a small request. A line waits until nobody else on its thread is ready
//! to go on; with nobody else, that is at once. Where no runtime runs, and at its end, lines are
//! written as they come; and whoever writes more than the log takes waits for it.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait at most.
const MOST: usize = 64 * 1024;

/// Where lines meet.
pub(super) struct Gathered<W: Write>(Arc<Lines<W>>);

struct Lines<W: Write> {
    waiting: Mutex<Waiting>,
    /// Taken before `waiting`, so that lines stay in their order.
    sink: Mutex<W>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// A task will write them.
    is_due: bool,
}

impl<W: Write + Send + 'static> Gathered<W> {
    pub(super) fn new(sink: W) -> Self {
        Self(Arc::new(Lines { waiting: Mutex::default(), sink: Mutex::new(sink) }))
    }
}

impl<W: Write> Lines<W> {
    /// What is not taken comes first the next time, as far as it may wait.
    fn write(&self) -> io::Result<()> {
        let mut sink = lock(&self.sink);
        let mut lines = mem::take(&mut *lock(&self.waiting)).lines;
        while !lines.is_empty() {
            let fault = match sink.write(&lines) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(taken) => {
                    lines.drain(..taken);
                    continue;
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
                Err(fault) => fault,
            };
            if lines.len() <= MOST {
                let mut waiting = lock(&self.waiting);
                lines.append(&mut waiting.lines);
                waiting.lines = lines;
            }
            return Err(fault);
        }
        // The place is kept for the next ones.
        let mut waiting = lock(&self.waiting);
        if waiting.lines.is_empty() && lines.capacity() <= MOST {
            waiting.lines = lines;
        }
        Ok(())
    }
}

impl<'w, W: Write + Send + 'static> MakeWriter<'w> for Gathered<W> {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

impl<W: Write + Send + 'static> Write for &Gathered<W> {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = lock(&self.0.waiting);
        waiting.lines.extend_from_slice(line);
        let runtime = Handle::try_current().ok().filter(|_| waiting.lines.len() <= MOST);
        let is_due = waiting.is_due;
        waiting.is_due |= runtime.is_some();
        drop(waiting);
        match runtime {
            Some(runtime) => {
                if !is_due {
                    let pending = Pending(Arc::clone(&self.0));
                    runtime.spawn(async move {
                        tokio::task::yield_now().await;
                        drop(pending);
                    });
                }
            }
            None => self.0.write()?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.write()
    }
}

/// Writes what waits when it goes: also when the runtime ends before its task has run.
struct Pending<W: Write>(Arc<Lines<W>>);

impl<W: Write> Drop for Pending<W> {
    fn drop(&mut self) {
        // A log that cannot be written has nowhere to be told of.
        let _ = self.0.write();
    }
}

/// Nothing between two lines can panic, so there is no half of one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<String>>>);

    impl Sink {
        fn writes(&self) -> Vec<String> {
            lock(&self.0).clone()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn say(log: &Gathered<Sink>, line: &str) {
        log.make_writer().write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn lines_of_the_same_moment_are_one_write_and_none_is_lost_at_the_end() {
        let sink = Sink::default();
        let log = Arc::new(Gathered::new(sink.clone()));
        say(&log, "before\n");
        assert_eq!(sink.writes(), ["before\n"]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            say(&log, "a\n");
            say(&log, "b\n");
            assert_eq!(sink.writes().len(), 1, "they wait for whoever else is ready");
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            assert_eq!(sink.writes(), ["before\n", "a\nb\n"]);
            say(&log, "the last\n");
        });
        drop(runtime);
        assert_eq!(sink.writes(), ["before\n", "a\nb\n", "the last\n"]);
    }

    /// Takes five bytes, and then nothing for a while.
    #[derive(Clone, Default)]
    struct Slow(Sink, Arc<Mutex<usize>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut calls = lock(&self.1);
            *calls += 1;
            match *calls {
                1 => self.0.write(&bytes[..5]),
                2 => Err(io::ErrorKind::WouldBlock.into()),
                _ => self.0.write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_the_sink_does_not_take_is_not_lost() {
        let sink = Slow::default();
        let log = Gathered::new(sink.clone());
        let _ = log.make_writer().write(b"the first\n");
        let _ = log.make_writer().write(b"the second\n");
        assert_eq!(sink.0.writes().concat(), "the first\nthe second\n");
    }

    #[test]
    fn who_writes_more_than_the_log_takes_waits_for_it() {
        let sink = Sink::default();
        let log = Gathered::new(sink.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let line = "x".repeat(MOST / 2 + 1);
            say(&log, &line);
            assert!(sink.writes().is_empty());
            say(&log, &line);
            assert_eq!(sink.writes().concat().len(), 2 * line.len());
        });
    }
}
