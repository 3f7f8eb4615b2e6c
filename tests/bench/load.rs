//! The closed loop: each caller asks again as soon as it was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Fault;
use crate::work::{Caller, Work};

/// Where a load ends, whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) count: usize,
}

/// Lets every caller work until the limits; gives back how much was done. A request that is not
/// answered as it should ends the run.
pub(crate) async fn run(callers: &mut Vec<Caller>, work: Work, limits: Limits) -> Result<usize, Fault> {
    let begun = Arc::new(AtomicUsize::new(0));
    let end = Instant::now() + limits.time;
    let mut working = JoinSet::new();
    for mut caller in callers.drain(..) {
        let begun = Arc::clone(&begun);
        working.spawn(async move {
            let mut done = 0;
            while Instant::now() < end && begun.fetch_add(1, Ordering::Relaxed) < limits.count {
                caller.work(work).await.map_err(|fault| format!("{work}: {fault}"))?;
                done += 1;
            }
            Ok::<_, Fault>((caller, done))
        });
    }
    let mut total = 0;
    while let Some(ended) = working.join_next().await {
        let (caller, done): (Caller, usize) = ended??;
        callers.push(caller);
        total += done;
    }
    Ok(total)
}
