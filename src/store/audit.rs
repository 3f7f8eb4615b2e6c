//! Audit events: one log line each, and nearly all of them in the store's stream. Written here and nowhere else.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::{AuditEvent, ClientId, PersonId, UpstreamId};

use super::Store;

/// How many events a store keeps; older ones are in the log.
pub(super) const KEPT: usize = 10_000;

/// How many events may wait for the store. More than that stand only in the log.
const MOST_WAITING: usize = 4096;

/// Takes events. Nobody waits for the store: the log line is written at once, and the stream gets
/// what has come together since its last answer in one operation. A stream that is away fails no
/// request.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    queue: Mutex<Queue>,
    settled: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<AuditEvent>,
    /// A task is at work that will look here again.
    is_served: bool,
}

impl Journal {
    /// A journal in this store's stream.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Shared { store, queue: Mutex::default(), settled: Notify::new() }))
    }

    /// Tells the log alone: of what happens all the time, and of what anybody can bring about. The stream keeps
    /// the newest events, and these would push out of it what an operator looks for.
    pub fn mention(&self, event: &AuditEvent) {
        log(event);
    }

    /// Records an event in the log (target `audit`), and soon in the store's stream.
    pub fn record(&self, event: AuditEvent) {
        log(&event);
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.len() >= MOST_WAITING {
            drop(queue);
            not_kept(1, &"too many wait for the store");
            return;
        }
        queue.waiting.push(event);
        if !mem::replace(&mut queue.is_served, true) {
            drop(queue);
            tokio::spawn(Arc::clone(&self.0).serve());
        }
    }

    /// Waits until the store has been told of every event so far: before a program ends.
    pub async fn settled(&self) {
        loop {
            let settled = self.0.settled.notified();
            if !self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).is_served {
                return;
            }
            settled.await;
        }
    }
}

impl Shared {
    async fn serve(self: Arc<Self>) {
        while let Some(events) = self.next() {
            if let Err(error) = self.store.append_audit(&events).await {
                not_kept(events.len(), &error);
            }
        }
        self.settled.notify_waiters();
    }

    /// What waits; `None` ends the serving, in the same step.
    fn next(&self) -> Option<Vec<AuditEvent>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let events = mem::take(&mut queue.waiting);
        queue.is_served = !events.is_empty();
        queue.is_served.then_some(events)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

fn log(event: &AuditEvent) {
    tracing::info!(
        target: "audit",
        kind = event.kind.as_str(),
        at = event.at.as_unix(),
        client = event.client.as_ref().map(ClientId::as_str),
        person = event.person.as_ref().map(PersonId::as_str),
        upstream = event.upstream.as_ref().map(UpstreamId::as_str),
        grant = event.grant.map(|id| id.to_string()),
        api_key = event.api_key.map(|id| id.to_string()),
        by = event.by.as_ref().map(PersonId::as_str),
        resource = event.resource.as_deref(),
        scopes = event.scopes.as_deref(),
        rules = event.rules.as_deref(),
        reason = event.reason.as_deref(),
        "{}", event.kind.as_str()
    );
}

fn not_kept(count: usize, error: &dyn fmt::Display) {
    tracing::error!(count, %error, "audit events could not be kept; they stand only in the log");
}
