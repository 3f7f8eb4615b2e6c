//! Client applications.

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId};
use crate::secret::Digest;
use crate::store::{StoreError, codec};

use super::connections::Request;
use super::operations::{decimal, timestamp};
use super::unused_clients::Newcomer;
use super::{RedisStore, unreadable};

impl RedisStore {
    pub(super) async fn put_new_client(&self, client: &Client, most_unused: usize) -> Result<(), StoreError> {
        let ends = client.expires_at.map(decimal).unwrap_or_default();
        self.write_client(client, Some(&ends)).await?;
        let (created_at, expires_at) = (client.created_at, client.expires_at);
        let name = name(&client.id).as_str().to_owned();
        self.unused.count(Newcomer { name, created_at, expires_at, most: most_unused }).await
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
