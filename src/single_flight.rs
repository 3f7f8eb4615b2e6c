//! Whoever asks for a thing while it is being fetched shares the outcome.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

type Flight<V> = Shared<BoxFuture<'static, Option<V>>>;
type Flights<V> = Arc<Mutex<HashMap<String, Flight<V>>>>;

/// What is being fetched, by name.
pub struct SingleFlight<V>(Flights<V>);

/// Takes a flight off the board when it ends, however it ends.
struct Landing<V>(Flights<V>, String);

impl<V> Drop for Landing<V> {
    fn drop(&mut self) {
        lock(&self.0).remove(&self.1);
    }
}

impl<V: Clone + Send + Sync + 'static> SingleFlight<V> {
    /// How many are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        lock(&self.0).len()
    }

    /// Joins the fetch of this name that is under way, or starts one; where none may be started, what
    /// `start` says instead, and `None` if it broke off. It goes on when whoever asked first goes away.
    pub async fn join<F>(&self, name: &str, start: impl FnOnce() -> Result<F, V>) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let flight = {
            let mut flights = lock(&self.0);
            match flights.get(name) {
                Some(flight) => flight.clone(),
                None => {
                    let fetch = match start() {
                        Ok(fetch) => fetch,
                        Err(instead) => return Some(instead),
                    };
                    let landing = Landing(Arc::clone(&self.0), name.to_owned());
                    let task = tokio::spawn(async move {
                        let fetched = fetch.await;
                        drop(landing);
                        fetched
                    });
                    let flight = async { task.await.ok() }.boxed().shared();
                    flights.insert(name.to_owned(), flight.clone());
                    flight
                }
            }
        };
        flight.await
    }
}

/// Every change is one insertion or removal: there is no half of one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V> Default for SingleFlight<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V> Clone for SingleFlight<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> fmt::Debug for SingleFlight<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}
