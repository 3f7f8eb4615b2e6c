//! Whose turn it is: the places of clients that register, counted in one number.
//!
//! Those that ask at the same moment share one command. A number that a failover has taken back is given out
//! twice: then a newcomer makes room sooner than it had to.

use std::sync::Arc;

use crate::domain::Place;
use crate::gathering::{Asked, Gathering};
use crate::store::StoreError;

use super::connections::{Connections, Request};

/// The places.
pub(super) struct Places {
    connections: Arc<Connections>,
    /// Of the number.
    key: String,
    together: Gathering<usize, Result<Place, StoreError>>,
}

impl Places {
    pub(super) fn new(connections: Arc<Connections>, key: String) -> Self {
        Self { connections, key, together: Gathering::default() }
    }

    /// The next of so many places.
    pub(super) async fn next(&self, places: usize) -> Result<Place, StoreError> {
        let (connections, key) = (Arc::clone(&self.connections), self.key.clone());
        let given = self.together.ask(places, |all| async move { give(&connections, key, all).await }).await;
        given.unwrap_or_else(|| Err(StoreError::Unavailable("the broker ends".into())))
    }
}

/// Numbers one after the other, to everybody who asks.
async fn give(connections: &Connections, key: String, all: Vec<Asked<usize, Result<Place, StoreError>>>) {
    let mut request = Request::new("INCRBY", key);
    request.arg(all.len());
    // The last of them has the number before.
    let behind_the_last: Result<u64, StoreError> = connections.send(&request).await;
    for (back, asked) in (1..).zip(all.into_iter().rev()) {
        let place = behind_the_last.clone();
        let place = place.map(|number| Place::in_turn(number.saturating_sub(back), asked.question));
        let _ = asked.answer.send(place);
    }
}
