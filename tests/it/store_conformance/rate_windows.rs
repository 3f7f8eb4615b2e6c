//! Counters of requests.

use std::sync::Arc;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{RateWindow, Taken};
use gatelodge::secret::Digest;
use gatelodge::store::Store;

use crate::harness::sample::NOW;

use super::backend::race;

fn window(name: &str, quota: u32, now: Timestamp) -> RateWindow {
    RateWindow::at(Digest::of(name), quota, now)
}

/// However many replicas take out of a window at once, they get what it has, and no more.
pub(super) async fn a_window_gives_what_it_has_and_no_more(store: Arc<dyn Store>) {
    let taken = race(40, |_| {
        let store = Arc::clone(&store);
        async move { store.take_of_window(&window("a", 100, NOW), 3, NOW).await.unwrap().now }
    });
    assert_eq!(taken.await.into_iter().sum::<u32>(), 100);
    let more = store.take_of_window(&window("a", 100, NOW), 3, NOW).await.unwrap();
    assert_eq!(more, Taken { now: 0, in_all: 100 });
    let other = store.take_of_window(&window("b", 100, NOW), 3, NOW).await.unwrap();
    assert_eq!(other, Taken { now: 3, in_all: 3 });
}

/// The next window is whole again, and a quota that was lowered meanwhile holds at once.
pub(super) async fn a_window_ends(store: Arc<dyn Store>) {
    let first = window("a", 10, NOW);
    assert_eq!(store.take_of_window(&first, 10, NOW).await.unwrap().now, 10);
    let lowered = window("a", 5, NOW);
    assert_eq!(store.take_of_window(&lowered, 1, NOW).await.unwrap(), Taken { now: 0, in_all: 10 });
    let next = window("a", 10, first.ends);
    assert!(next.ends > first.ends);
    assert_eq!(store.take_of_window(&next, 1, first.ends).await.unwrap(), Taken { now: 1, in_all: 1 });
}
