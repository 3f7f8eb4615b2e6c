//! Client applications, and which of them nobody has used.
//!
//! Unused ones are counted in an index of their own, after their record is written: so whoever makes
//! room is there to be forgotten, also in a race. What a process that dies between the two leaves behind
//! is a record that expires by itself. Whether a client is unused says the mark in its own record, which its first use takes away; the index only
//! proposes, so nobody who is used is forgotten, whatever it holds.

use futures::future::try_join_all;

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId};
use crate::secret::Digest;
use crate::store::{StoreError, codec};

use super::connections::Request;
use super::operations::{decimal, timestamp};
use super::{RedisStore, unreadable};

/// How many make room for one newcomer at most, when the bound has been lowered.
const MOST_AT_ONCE: usize = 16;

impl RedisStore {
    pub(super) async fn put_new_client(&self, client: &Client, most_unused: usize) -> Result<(), StoreError> {
        let ends = client.expires_at.map(decimal).unwrap_or_default();
        self.write_client(client, Some(&ends)).await?;
        let mut script = self.scripts.count_unused.call(self.keys.unused_clients());
        script.arg(decimal(client.created_at)).arg(&ends).arg(name(&client.id).as_str());
        script.arg(most_unused).arg(MOST_AT_ONCE);
        let counted: Result<Vec<String>, StoreError> = self.run(&script).await;
        // What cannot be counted must not stay.
        let make_room =
            counted.as_ref().map_or_else(|_| vec![name(&client.id).as_str().to_owned()], Clone::clone);
        let gone = make_room.iter().map(|name| async move {
            let script = self.scripts.forget_unused.call(self.keys.client_named(name));
            self.run::<u64>(&script).await
        });
        let gone = try_join_all(gone).await;
        counted.and(gone).map(drop)
    }

    pub(super) async fn put_client(&self, client: &Client) -> Result<(), StoreError> {
        self.write_client(client, None).await
    }

    async fn write_client(&self, client: &Client, unused: Option<&str>) -> Result<(), StoreError> {
        let key = self.keys.client(&client.id);
        let body = codec::encode(&key, client)?;
        let ends = client.expires_at.map(decimal).unwrap_or_default();
        let mut script = self.scripts.put.call(key);
        script.arg(decimal(client.created_at)).arg(&ends).arg("exp").arg(&ends).arg("body").arg(body);
        if let Some(unused) = unused {
            script.arg("unused").arg(unused);
        }
        self.run(&script).await
    }

    pub(super) async fn read_client(
        &self,
        id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Client>, StoreError> {
        let key = self.keys.client(id);
        let [body, ends] = self.fields(&key, ["body", "exp"]).await?;
        let (Some(body), Some(ends)) = (body, ends) else { return Ok(None) };
        let mut client: Client = codec::decode(&key, &body)?;
        client.expires_at = if ends.is_empty() { None } else { Some(timestamp(&key, &ends)?) };
        Ok(Some(client).filter(|client| client.expires_at.is_none_or(|end| now < end)))
    }

    pub(super) async fn prolong_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        let key = self.keys.client(id);
        let mut script = self.scripts.keep_client.call(&key);
        script.arg(decimal(until));
        let answer: String = self.run(&script).await?;
        match answer.as_str() {
            "first" => self.count_no_longer(id).await.map(|()| true),
            "again" => Ok(true),
            "none" => Ok(false),
            _ => Err(unreadable(&key)),
        }
    }

    pub(super) async fn put_changed_client(&self, client: &Client) -> Result<bool, StoreError> {
        let key = self.keys.client(&client.id);
        let [Some(stored)] = self.fields(&key, ["body"]).await? else { return Ok(false) };
        let body = codec::encode_over(&key, client, &stored)?;
        let mut script = self.scripts.update_client.call(key);
        script.arg(body);
        self.run(&script).await
    }

    pub(super) async fn take_out_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let script = self.scripts.forget_unused.call(self.keys.client(id));
        let there: bool = self.connections.send_replicated(&script).await?;
        if there {
            self.count_no_longer(id).await?;
        }
        Ok(there)
    }

    /// Forgets it so that a failover does not bring it back.
    pub(super) async fn take_out_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let there: bool =
            self.connections.send_replicated(&Request::new("DEL", self.keys.client(id))).await?;
        self.count_no_longer(id).await?;
        Ok(there)
    }

    async fn count_no_longer(&self, id: &ClientId) -> Result<(), StoreError> {
        let mut request = Request::new("ZREM", self.keys.unused_clients());
        request.arg(name(id).as_str());
        self.run::<u64>(&request).await.map(drop)
    }
}

/// What the index calls a client.
fn name(id: &ClientId) -> Digest {
    Digest::of(id.as_str())
}
