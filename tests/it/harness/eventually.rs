//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Real time, for what is promised in seconds.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    #[expect(clippy::disallowed_methods, reason = "what is timed runs in other processes, in real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Until now.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits until something holds; gives back how long that took. For other people's processes, which
/// tell nobody when they are done.
pub(crate) fn eventually(what: &str, bound: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Stopwatch::start();
    while !holds() {
        assert!(begin.elapsed() < bound, "{what}: not within {bound:?}");
        std::thread::sleep(LOOK);
    }
    begin.elapsed()
}

/// The same for a condition that has to be awaited.
pub(crate) async fn eventually_async(
    what: &str,
    bound: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> Duration {
    let begin = Stopwatch::start();
    let mut look = tokio::time::interval(LOOK);
    while !holds().await {
        assert!(begin.elapsed() < bound, "{what}: not within {bound:?}");
        look.tick().await;
    }
    begin.elapsed()
}
