//! Clients that nobody has used, counted in an index of their own.
//!
//! A client is counted after its record is written: so whoever makes room is there to be forgotten, also in a
//! race. What a process that dies between the two leaves behind is a record that expires by itself. Whether a
//! client is unused says the mark in its own record, which its first use takes away; the index only proposes, so
//! nobody who is used is forgotten, whatever it holds. Clients that register at the same moment are counted
//! together: the index is one key, which every registration writes to.

use std::mem;
use std::sync::Arc;

use futures::future::join_all;

use crate::clock::Timestamp;
use crate::gathering::{Asked, Gathering};
use crate::store::StoreError;

use super::connections::Connections;
use super::keys::Keys;
use super::operations::decimal;
use super::scripts::Scripts;

/// How many make room for one newcomer at most, when the bound has been lowered.
const MOST_AT_ONCE: usize = 16;

/// Most newcomers in one script: it holds up whoever else asks Redis.
const MOST_TOGETHER: usize = 100;

/// A client that has registered.
pub(super) struct Newcomer {
    /// What the index calls it.
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// How many are kept.
    pub(super) most: usize,
}

/// The index.
pub(super) struct UnusedClients {
    redis: Arc<Redis>,
    together: Gathering<Newcomer, Result<(), StoreError>>,
}

struct Redis {
    connections: Arc<Connections>,
    scripts: Arc<Scripts>,
    keys: Keys,
}

impl UnusedClients {
    pub(super) fn new(connections: Arc<Connections>, scripts: Arc<Scripts>, keys: Keys) -> Self {
        Self { redis: Arc::new(Redis { connections, scripts, keys }), together: Gathering::default() }
    }

    /// Counts a client whose record is written; others go if they are too many. A client that cannot be counted
    /// goes itself.
    pub(super) async fn count(&self, newcomer: Newcomer) -> Result<(), StoreError> {
        let redis = Arc::clone(&self.redis);
        let counted = self.together.ask(newcomer, |all| async move { redis.count_all(all).await }).await;
        counted.unwrap_or_else(|| Err(StoreError::Unavailable("the broker ends".into())))
    }
}

impl Redis {
    async fn count_all(&self, mut all: Vec<Asked<Newcomer, Result<(), StoreError>>>) {
        let mut some = Vec::new();
        while !all.is_empty() {
            let rest = all.split_off(all.len().min(MOST_TOGETHER));
            some.push(mem::replace(&mut all, rest));
        }
        join_all(some.into_iter().map(|some| async move {
            let counted = self.count(&some).await;
            for asked in some {
                let _ = asked.answer.send(counted.clone());
            }
        }))
        .await;
    }

    async fn count(&self, all: &[Asked<Newcomer, Result<(), StoreError>>]) -> Result<(), StoreError> {
        let newcomers = || all.iter().map(|asked| &asked.question);
        let now = newcomers().map(|one| one.created_at).max();
        let ends = newcomers().map(|one| one.expires_at).max_by_key(|ends| (ends.is_none(), *ends)).flatten();
        let most = newcomers().map(|one| one.most).min();
        let mut script = self.scripts.count_unused.call(self.keys.unused_clients());
        script.arg(now.map(decimal).unwrap_or_default()).arg(ends.map(decimal).unwrap_or_default());
        script.arg(most.unwrap_or_default()).arg(MOST_AT_ONCE * all.len());
        for one in newcomers() {
            script.arg(&one.name);
        }
        let counted: Result<Vec<String>, StoreError> = self.connections.send(&script).await;
        // What cannot be counted must not stay.
        let make_room = match &counted {
            Ok(make_room) => make_room.clone(),
            Err(_) => newcomers().map(|one| one.name.clone()).collect(),
        };
        join_all(make_room.iter().map(|name| self.forget(name))).await;
        counted.map(drop)
    }

    /// Who cannot be forgotten now expires; that is no newcomer's fault.
    async fn forget(&self, name: &str) {
        let script = self.scripts.forget_unused.call(self.keys.client_named(name));
        if let Err(fault) = self.connections.send::<u64>(&script).await {
            tracing::debug!(%fault, "an unused client that had to make room stays until it expires");
        }
    }
}
