//! How much one caller may have under way at one server, in this process. Each request holds a connection until
//! it is answered, and an answer that is a stream of events may take hours; so a place is taken before the
//! server is asked, and given back by whatever ends the answer. Those who listen and those who call have places
//! of their own: however many streams somebody listens to, their calls go through.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::HeaderMap;
use http::request::Parts;
use http::{HeaderValue, Method};

/// The method that listens without a GET (MCP 2026-07-28).
const LISTEN: &[u8] = b"subscriptions/listen";

/// Whoever has a place now, and how many. Nobody is in it who has none.
type Taken = Arc<Mutex<HashMap<String, u32>>>;

/// The places at one server.
#[derive(Debug)]
pub(super) struct Places {
    most: NonZeroU32,
    listening: Taken,
    calling: Taken,
}

/// A place, for as long as this lives.
#[derive(Debug)]
pub struct Place {
    who: String,
    taken: Taken,
}

impl Places {
    /// So many for each caller to listen, and as many to call.
    pub(super) fn new(most: NonZeroU32) -> Self {
        Self { most, listening: Taken::default(), calling: Taken::default() }
    }

    /// One for this request of somebody, by whatever credential; none if they have as many as they may.
    pub(super) fn take(&self, who: &str, parts: &Parts) -> Option<Place> {
        let listens = parts.method == Method::GET || names_listening(&parts.headers);
        let taken = if listens { &self.listening } else { &self.calling };
        let mut all = locked(taken);
        match all.get_mut(who) {
            Some(count) if *count >= self.most.get() => return None,
            Some(count) => *count += 1,
            None => {
                all.insert(who.to_owned(), 1);
            }
        }
        drop(all);
        Some(Place { who: who.to_owned(), taken: Arc::clone(taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = locked(&self.taken);
        match all.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                all.remove(&self.who);
            }
        }
    }
}

/// Nothing can fail while it is held.
fn locked(taken: &Taken) -> MutexGuard<'_, HashMap<String, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does a request say that it only listens, whatever its method?
#[must_use]
pub fn names_listening(headers: &HeaderMap) -> bool {
    headers.get_all("mcp-method").iter().map(HeaderValue::as_bytes).any(|name| name == LISTEN)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn nobody_stays_in_the_table_without_a_place() {
        let places = Places::new(NonZeroU32::new(2).unwrap());
        let parts = |method| Request::builder().method(method).body(()).unwrap().into_parts().0;
        let (get, post) = (parts(Method::GET), parts(Method::POST));
        let held: Vec<_> = ["a", "a", "b"].map(|who| places.take(who, &get).unwrap()).into();
        assert!(places.take("a", &get).is_none());
        let call = places.take("a", &post);
        assert!(call.is_some() && locked(&places.listening).len() == 2);
        drop((held, call));
        assert!(locked(&places.listening).is_empty() && locked(&places.calling).is_empty());
    }
}
