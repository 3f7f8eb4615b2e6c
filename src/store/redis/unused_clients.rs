//! Clients that nobody has used: one hash with the records, and their order beside it, so that taking in those who
//! register at the same moment, and letting as many of the oldest go, is one script.
//!
//! A field holds the client's end, a space, and its record. With its first use a client gets a record of its
//! own (`clients`).

use std::mem;
use std::sync::Arc;

use futures::future::join_all;

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId};
use crate::gathering::{Asked, Gathering};
use crate::secret::Digest;
use crate::store::{StoreError, codec};

use super::connections::{Connections, Request};
use super::keys::Keys;
use super::operations::{decimal, end};
use super::scripts::{Script, Scripts};
use super::unreadable;

/// How many make room for one newcomer at most, when the bound has been lowered.
const MOST_AT_ONCE: usize = 16;

/// Most newcomers in one script: it holds up whoever else asks Redis.
const MOST_TOGETHER: usize = 100;

/// A client that has registered.
struct Newcomer {
    name: Digest,
    record: Vec<u8>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// How many are kept.
    most: usize,
}

/// A client that nobody has used, as it is kept.
pub(super) struct Unused {
    pub(super) body: Vec<u8>,
    pub(super) expires_at: Option<Timestamp>,
}

/// All of them.
pub(super) struct UnusedClients {
    redis: Arc<Redis>,
    together: Gathering<Newcomer, Result<(), StoreError>>,
}

struct Redis {
    connections: Arc<Connections>,
    scripts: Arc<Scripts>,
    /// The records, and their order.
    keys: [String; 2],
}

impl UnusedClients {
    pub(super) fn new(connections: Arc<Connections>, scripts: Arc<Scripts>, keys: &Keys) -> Self {
        let keys = [keys.unused_clients(), keys.order_of_unused_clients()];
        Self { redis: Arc::new(Redis { connections, scripts, keys }), together: Gathering::default() }
    }

    /// Takes in a client whose identifier is new; others go if they are too many.
    pub(super) async fn add(&self, client: &Client, most: usize) -> Result<(), StoreError> {
        let (created_at, expires_at) = (client.created_at, client.expires_at);
        let mut record = expires_at.map(decimal).unwrap_or_default().into_bytes();
        record.push(b' ');
        record.extend(codec::encode(self.redis.name(), client)?);
        let newcomer = Newcomer { name: name(&client.id), record, created_at, expires_at, most };
        let redis = Arc::clone(&self.redis);
        let added = self.together.ask(newcomer, |all| async move { redis.add_all(all).await }).await;
        added.unwrap_or_else(|| Err(StoreError::Unavailable("the broker ends".into())))
    }

    /// Looks for a client.
    pub(super) async fn find(&self, id: &ClientId) -> Result<Option<Unused>, StoreError> {
        let mut request = Request::new("HGET", self.redis.name().to_owned());
        request.arg(name(id).as_str());
        let found: Option<Vec<u8>> = self.redis.connections.send(&request).await?;
        found.map(|record| read(self.redis.name(), &record)).transpose()
    }

    /// Replaces what a client says about itself. False if it is not there.
    pub(super) async fn update(&self, client: &Client) -> Result<bool, StoreError> {
        let Some(stored) = self.find(&client.id).await? else { return Ok(false) };
        let body = codec::encode_over(self.redis.name(), client, &stored.body)?;
        let mut script = self.redis.call(&self.redis.scripts.update_unused);
        script.arg(name(&client.id).as_str()).arg(body);
        self.redis.connections.send(&script).await
    }

    /// Takes a client out, if it is there.
    pub(super) async fn take(&self, id: &ClientId) -> Result<Option<Unused>, StoreError> {
        let mut script = self.redis.call(&self.redis.scripts.take_unused);
        script.arg(name(id).as_str());
        // A failover must not bring it back.
        let taken: Option<Vec<u8>> = self.redis.connections.send_replicated(&script).await?;
        taken.map(|record| read(self.redis.name(), &record)).transpose()
    }
}

impl Redis {
    /// What an unreadable record is called.
    fn name(&self) -> &str {
        &self.keys[0]
    }

    fn call(&self, script: &Script) -> Request {
        script.call_about(&self.keys)
    }

    async fn add_all(&self, mut all: Vec<Asked<Newcomer, Result<(), StoreError>>>) {
        let mut some = Vec::new();
        while !all.is_empty() {
            let rest = all.split_off(all.len().min(MOST_TOGETHER));
            some.push(mem::replace(&mut all, rest));
        }
        join_all(some.into_iter().map(|some| async move {
            let added = self.add(&some).await;
            for asked in some {
                let _ = asked.answer.send(added.clone());
            }
        }))
        .await;
    }

    async fn add(&self, all: &[Asked<Newcomer, Result<(), StoreError>>]) -> Result<(), StoreError> {
        let newcomers = || all.iter().map(|asked| &asked.question);
        let now = newcomers().map(|one| one.created_at).max();
        let ends = newcomers().map(|one| one.expires_at).max_by_key(|ends| (ends.is_none(), *ends)).flatten();
        let most = newcomers().map(|one| one.most).min();
        let mut script = self.call(&self.scripts.add_unused);
        script.arg(now.map(decimal).unwrap_or_default()).arg(ends.map(decimal).unwrap_or_default());
        script.arg(most.unwrap_or_default()).arg(MOST_AT_ONCE * all.len());
        for one in newcomers() {
            script.arg(one.name.as_str()).arg(&one.record);
        }
        self.connections.send(&script).await
    }
}

/// What a client is called among them.
fn name(id: &ClientId) -> Digest {
    Digest::of(id.as_str())
}

fn read(key: &str, record: &[u8]) -> Result<Unused, StoreError> {
    let at = record.iter().position(|byte| *byte == b' ').ok_or_else(|| unreadable(key))?;
    let (ends, body) = record.split_at(at);
    Ok(Unused { body: body.iter().skip(1).copied().collect(), expires_at: end(key, ends)? })
}
