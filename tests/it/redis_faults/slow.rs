//! A Redis that is far away, or stalls.

use std::time::Duration;

use futures::future::join_all;
use gatelodge::store::Store as _;

use super::wire::{Wired, assert_shed, timed};
use crate::harness::client::Tokens;
use crate::harness::eventually::Stopwatch;
use crate::harness::extent::{extent, figure};
use crate::harness::fault_proxy::Link;
use crate::harness::redis_server::installed;

/// Everybody refreshes at once. Gives back the 99th percentile.
async fn refresh_all(wired: &Wired, people: &mut [Tokens]) -> Duration {
    let answers = join_all(people.iter().map(|tokens| timed(wired.refresh(tokens)))).await;
    let mut times: Vec<Duration> = answers.iter().map(|(_, took)| *took).collect();
    for (tokens, (page, _)) in people.iter_mut().zip(&answers) {
        *tokens = Tokens::of(page);
    }
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

/// The slowest of three single commands, one after the other.
async fn round_trip(wired: &Wired) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        let begin = Stopwatch::start();
        wired.broker.store.ping().await.expect("Redis answers");
        slowest = slowest.max(begin.elapsed());
    }
    slowest
}

/// REL-05: Redis is 200 ms away, each way. A refresh takes three round trips longer, and no more. What
/// a round trip takes is measured beside it, on the same machine with the same troubles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_05_a_refresh_waits_for_three_round_trips() {
    if !installed() {
        return;
    }
    let wired = Wired::start().await;
    let mut people = wired.people(extent(10, 100)).await;
    let (mut slowest, mut seen) = (Duration::ZERO, String::new());
    for _ in 0..extent(1, 10) {
        let before = refresh_all(&wired, &mut people).await;
        wired.wire.set(Link::Slow(Duration::from_millis(200)));
        // So that what is known of the revocations is too old.
        wired.broker.clock.advance(Duration::from_secs(1));
        let (slow, trip) = tokio::join!(refresh_all(&wired, &mut people), round_trip(&wired));
        wired.wire.set(Link::Whole);
        let base = before.max(refresh_all(&wired, &mut people).await);
        assert!(trip >= Duration::from_millis(400), "{trip:?}");
        let figures = format!("p99 {slow:.2?}, base {base:.1?}, round trip {trip:.1?}");
        // Half a trip is what a busy machine may add each time that somebody is woken; a fourth trip is
        // twice that.
        assert!(slow <= base + trip * 7 / 2, "{figures}");
        if slow > slowest {
            (slowest, seen) = (slow, figures);
        }
    }
    figure("REL-05", "Redis is 200 ms away, each way", &seen);
}

/// REL-05: answers that are 4 s late are not waited for, and those who come when the stall is over
/// are served at once: no connection that still carries the delay is used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_05_a_stall_is_shed_and_uses_nothing_up() {
    if !installed() {
        return;
    }
    let wired = Wired::start().await;
    let mut people = wired.people(extent(20, 50)).await;
    let (mut slowest, mut after) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..extent(1, 10) {
        wired.wire.set(Link::Slow(Duration::from_secs(2)));
        let answers = join_all(people.iter().map(|tokens| timed(wired.refresh(tokens)))).await;
        for answer in &answers {
            assert_shed(answer);
            slowest = slowest.max(answer.1);
        }
        wired.wire.set(Link::Whole);
        let at_once = refresh_all(&wired, &mut people).await;
        assert!(at_once <= Duration::from_secs(1), "{at_once:?}");
        after = after.max(at_once);
    }
    let seen = format!("503 after {slowest:.1?} at most; the next refresh in {after:.1?}, every one");
    figure("REL-05", "answers of Redis are 4 s late", &seen);
}
