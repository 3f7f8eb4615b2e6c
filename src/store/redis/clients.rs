//! Client applications: those that somebody has used, each a record of its own, and those that nobody has.
//!
//! With its first use a client moves from these to those: its own record is written first, so it is nowhere at no
//! time; and if it was taken out meanwhile, taken back.

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId};
use crate::store::{StoreError, codec};

use super::RedisStore;
use super::connections::Request;
use super::operations::{decimal, end};
use super::unused_clients::Unused;

impl RedisStore {
    pub(super) async fn put_client(&self, client: &Client) -> Result<(), StoreError> {
        let key = self.keys.client(&client.id);
        let body = codec::encode(&key, client)?;
        let ends = client.expires_at.map(decimal).unwrap_or_default();
        let mut script = self.scripts.put.call(key);
        script.arg(decimal(client.created_at)).arg(&ends).arg("exp").arg(&ends).arg("body").arg(body);
        self.run(&script).await
    }

    pub(super) async fn read_client(
        &self,
        id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Client>, StoreError> {
        let mut found = self.used_client(id).await?;
        if found.is_none() {
            found = Box::pin(self.not_yet_used_client(id)).await?;
        }
        Ok(found.filter(|client| client.expires_at.is_none_or(|end| now < end)))
    }

    async fn used_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let key = self.keys.client(id);
        let [body, ends] = self.fields(&key, ["body", "exp"]).await?;
        let (Some(body), Some(ends)) = (body, ends) else { return Ok(None) };
        client(&key, &body, end(&key, &ends)?).map(Some)
    }

    async fn not_yet_used_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        match self.unused.find(id).await? {
            Some(Unused { body, expires_at }) => client(&self.keys.client(id), &body, expires_at).map(Some),
            // Used for the first time between the two questions.
            None => self.used_client(id).await,
        }
    }

    pub(super) async fn prolong_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.prolong_used_client(id, until).await? || Box::pin(self.begin_use(id, until)).await?)
    }

    async fn prolong_used_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        let mut script = self.scripts.keep_client.call(self.keys.client(id));
        script.arg(decimal(until));
        self.run(&script).await
    }

    /// Lets a client be used for the first time.
    async fn begin_use(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        let Some(Unused { body, expires_at }) = self.unused.find(id).await? else {
            // Somebody else was first.
            return self.prolong_used_client(id, until).await;
        };
        let key = self.keys.client(id);
        // The caller names no present; since then so much later is it collected.
        let registered = client(&key, &body, expires_at)?.created_at;
        let ends = expires_at.map(|end| decimal(end.max(until))).unwrap_or_default();
        let mut script = self.scripts.begin_use.call(&key);
        script.arg(decimal(registered)).arg(ends).arg(&body);
        if !self.run::<bool>(&script).await? {
            return self.prolong_used_client(id, until).await;
        }
        match self.unused.take(id).await? {
            Some(taken) if taken.body == body => Ok(true),
            Some(changed) => self.replace_body(&key, &changed.body).await,
            // Forgotten in between: whoever was as fast as this has found the record, and not written it.
            None => self.remove_used_client(id).await.map(|_| false),
        }
    }

    pub(super) async fn put_changed_client(&self, client: &Client) -> Result<bool, StoreError> {
        // In between it may be used for the first time.
        Ok(self.change_used_client(client).await?
            || self.unused.update(client).await?
            || self.change_used_client(client).await?)
    }

    async fn change_used_client(&self, client: &Client) -> Result<bool, StoreError> {
        let key = self.keys.client(&client.id);
        let [Some(stored)] = self.fields(&key, ["body"]).await? else { return Ok(false) };
        let body = codec::encode_over(&key, client, &stored)?;
        self.replace_body(&key, &body).await
    }

    async fn replace_body(&self, key: &str, body: &[u8]) -> Result<bool, StoreError> {
        let mut script = self.scripts.update_client.call(key);
        script.arg(body);
        self.run(&script).await
    }

    pub(super) async fn take_out_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        // Whoever was interrupted at a first use has left both.
        Ok(self.unused.take(id).await?.is_some() && self.used_client(id).await?.is_none())
    }

    /// Forgets it so that a failover does not bring it back. In this order: a first use that is under way takes
    /// itself back.
    pub(super) async fn take_out_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        let was_unused = self.unused.take(id).await?.is_some();
        Ok(self.remove_used_client(id).await? || was_unused)
    }

    async fn remove_used_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        self.connections.send_replicated(&Request::new("DEL", self.keys.client(id))).await
    }
}

/// A client whose end stands beside its record.
fn client(key: &str, body: &[u8], expires_at: Option<Timestamp>) -> Result<Client, StoreError> {
    Ok(Client { expires_at, ..codec::decode(key, body)? })
}
