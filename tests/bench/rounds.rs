//! The interleaved rounds: in each one, every kind of work is asked of every contestant in turn,
//! so that whatever else the machine does meets all of them.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::outbound::Outbound;

use crate::Fault;
use crate::contestant::{Contestant, Cpu, Running};
use crate::load::{self, Limits};
use crate::process::Memory;
use crate::work::{Caller, Work};

/// How much is asked.
#[derive(Debug)]
pub(crate) struct Extent {
    /// Of which work.
    pub(crate) work: Vec<Work>,
    pub(crate) rounds: usize,
    /// One more round before the others, which does not count.
    pub(crate) warm_up: Option<Limits>,
    /// How often each server is started.
    pub(crate) starts: usize,
    pub(crate) callers: usize,
    pub(crate) limits: Limits,
}

/// What one contestant took.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// CPU time per piece of work, in the order of [`Extent::work`].
    pub(crate) cost: Vec<Cpu>,
    pub(crate) start: Duration,
    /// Resident KiB before the load.
    pub(crate) idle: u64,
    /// The most during the load.
    pub(crate) most: u64,
}

struct Entrant {
    name: String,
    running: Running,
    callers: Vec<Caller>,
    idle: Memory,
    starts: Vec<Duration>,
    /// For each kind of work, one cost a round.
    costs: Vec<Vec<Cpu>>,
}

/// Measures everybody.
pub(crate) async fn measure(contestants: &[Contestant], extent: &Extent) -> Result<Vec<Outcome>, Fault> {
    let starts = start_up(contestants, extent.starts).await?;
    let outbound = Outbound::new()?;
    let mut entrants = Vec::new();
    for (contestant, starts) in contestants.iter().zip(starts) {
        let running = contestant.start().await?;
        let idle = running.memory()?;
        let at = Arc::new(running.endpoints.clone());
        let mut callers = Vec::new();
        for _ in 0..extent.callers {
            callers.push(Caller::new(Arc::clone(&at), outbound.clone()).await?);
        }
        let (name, costs) = (contestant.name(), vec![Vec::new(); extent.work.len()]);
        entrants.push(Entrant { name, running, callers, idle, starts, costs });
    }
    if let Some(limits) = extent.warm_up {
        eprintln!("warming up");
        round(&mut entrants, (&extent.work, limits), &mut |_, _, _| {}).await?;
    }
    for number in 1..=extent.rounds {
        let mut note = |entrant: &mut Entrant, at: usize, cost: Cpu| {
            let (server, redis) = (micros(cost.server), micros(cost.redis));
            let work = extent.work.get(at).map(ToString::to_string).unwrap_or_default();
            let (name, rounds) = (&entrant.name, extent.rounds);
            eprintln!("round {number} of {rounds}  {work:24} {name:22} {server:7.1} + {redis:.1} µs");
            if let Some(costs) = entrant.costs.get_mut(at) {
                costs.push(cost);
            }
        };
        round(&mut entrants, (&extent.work, extent.limits), &mut note).await?;
    }
    entrants.iter_mut().map(Entrant::outcome).collect()
}

/// Starts each server so often, in turn.
async fn start_up(contestants: &[Contestant], times: usize) -> Result<Vec<Vec<Duration>>, Fault> {
    let mut starts = vec![Vec::new(); contestants.len()];
    for _ in 0..times {
        for (contestant, starts) in contestants.iter().zip(&mut starts) {
            let took = contestant.start().await?.started_in;
            eprintln!("start    {:22} {:.1} ms", contestant.name(), micros(took) / 1000.0);
            starts.push(took);
        }
    }
    Ok(starts)
}

async fn round(
    entrants: &mut [Entrant],
    (work, limits): (&[Work], Limits),
    note: &mut impl FnMut(&mut Entrant, usize, Cpu),
) -> Result<(), Fault> {
    for (at, work) in work.iter().copied().enumerate() {
        for entrant in entrants.iter_mut().filter(|entrant| entrant.running.endpoints.offer(work)) {
            let before = entrant.running.cpu()?;
            let done = load::run(&mut entrant.callers, work, limits).await;
            let done = done.map_err(|fault| format!("{}: {fault}", entrant.name))?;
            let after = entrant.running.cpu()?;
            let done = u32::try_from(done)?.max(1);
            let cost = Cpu {
                server: after.server.saturating_sub(before.server) / done,
                redis: after.redis.saturating_sub(before.redis) / done,
            };
            note(entrant, at, cost);
        }
    }
    Ok(())
}

impl Entrant {
    fn outcome(&mut self) -> Result<Outcome, Fault> {
        Ok(Outcome {
            cost: self.costs.iter_mut().map(|costs| median(costs, |cost| cost.server + cost.redis)).collect(),
            start: median(&mut self.starts, |start| *start),
            idle: self.idle.now,
            most: self.running.memory()?.most,
        })
    }
}

fn median<T: Copy + Default>(values: &mut [T], by: impl FnMut(&T) -> Duration) -> T {
    values.sort_by_key(by);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// In microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
