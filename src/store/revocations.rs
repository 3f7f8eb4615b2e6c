//! What this replica knows of the revocations. They are asked for at most once a second, and
//! never believed for longer: a store that cannot be asked is a fault, not a permission.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Timestamp;
use crate::domain::{Grant, NotBefore, Revoked};

use super::{Store, StoreError};

/// How old the knowledge may be: the time within which every replica sees a revocation.
const OLDEST: Duration = Duration::from_secs(1);

/// Longest wait for somebody else who asks.
const QUEUE: Duration = Duration::from_secs(2);

/// How far the clocks of replicas may differ. A grant that was opened within this time after the
/// revocation ends with it, too, and its person signs in again.
pub const SLACK: Duration = Duration::from_secs(5);

/// The revocations, shared by everyone who decides about grants and tokens.
#[derive(Debug)]
pub struct Revocations {
    store: Arc<dyn Store>,
    memory: RwLock<Memory>,
    /// One request asks; the others wait for it.
    asking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Memory {
    known: Option<Known>,
    /// How often what was known has been overtaken by this process: an answer from before that is not kept.
    overtaken: u64,
}

#[derive(Debug, Clone)]
struct Known {
    not_before: Arc<NotBefore>,
    as_of: Timestamp,
}

impl Revocations {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, memory: RwLock::default(), asking: Mutex::default() }
    }

    /// The revocations as of at most a second ago.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<NotBefore>, StoreError> {
        if let Some(fresh) = self.fresh(now) {
            return Ok(fresh);
        }
        let Ok(_turn) = tokio::time::timeout(QUEUE, self.asking.lock()).await else {
            return Err(StoreError::Unavailable("asking for the revocations takes too long".into()));
        };
        if let Some(fresh) = self.fresh(now) {
            return Ok(fresh);
        }
        let (old, overtaken) = {
            let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
            (memory.known.clone().map(|known| known.not_before).unwrap_or_default(), memory.overtaken)
        };
        let not_before = self.store.not_before(old.version()).await?.map_or(old, Arc::new);
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        if memory.overtaken == overtaken {
            memory.known = Some(Known { not_before: Arc::clone(&not_before), as_of: now });
        }
        Ok(not_before)
    }

    /// Has this grant been revoked, with its person, its client or everything (SEC-132)?
    pub async fn has_ended(&self, grant: &Grant, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.current(now).await?.revokes_grant(grant))
    }

    /// Ends every grant that was opened until now, and its tokens.
    pub async fn revoke(&self, what: &Revoked, now: Timestamp, keep: Duration) -> Result<(), StoreError> {
        let moment = now.plus(SLACK);
        let revoked = self.store.revoke(what, moment, moment.plus(keep), now).await;
        // Also where it failed: it may have been written all the same.
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        *memory = Memory { known: None, overtaken: memory.overtaken.wrapping_add(1) };
        revoked
    }

    /// The same, if nobody has to be asked for it.
    #[must_use]
    pub fn fresh(&self, now: Timestamp) -> Option<Arc<NotBefore>> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let fresh =
            memory.known.as_ref().filter(|known| known.as_of <= now && now.since(known.as_of) < OLDEST);
        fresh.map(|known| Arc::clone(&known.not_before))
    }
}
