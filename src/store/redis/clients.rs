//! Client applications.
//!
//! One that registers stands at its place ([`super::newcomers`]) until somebody uses it; then it has a record of
//! its own, and that goes first wherever both are. Two keys may be in two slots, which no script can change at
//! once. So a first use begins in the client's own key, reads the place, and writes the record only where what
//! it has begun still stands. Whoever changes or forgets what stands at the place does that first, and then puts
//! an end to what has begun: a first use that read before them looks again. One that was displaced after it was
//! read has been used in time.

use crate::clock::Timestamp;
use crate::domain::{Client, ClientId, StoredClient};
use crate::secret::random;
use crate::store::{StoreError, codec};

use super::newcomers::Newcomer;
use super::operations::{decimal, timestamp};
use super::{ATTEMPTS, RedisStore, contended, unreadable};

/// What became of a use.
enum Kept {
    Yes,
    /// The client has no record of its own.
    No,
    /// And the first use of it has begun, under this name.
    Begun(String),
}

impl RedisStore {
    pub(super) async fn put_new_client(&self, client: &Client) -> Result<(), StoreError> {
        match client.id.place() {
            Some(place) => self.put_newcomer(client, place).await,
            None => self.put_client(client).await,
        }
    }

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
    ) -> Result<Option<StoredClient>, StoreError> {
        let used = |client| StoredClient { client, is_used: true };
        // One after the other: who is used does not wait for the server of a place.
        let known = match self.used_client(id).await? {
            None if id.place().is_some() => match self.newcomer(id).await? {
                Some(newcomer) => Some(StoredClient { client: newcomer.client, is_used: false }),
                // It may have been used in between, and then displaced.
                None => self.used_client(id).await?.map(used),
            },
            found => found.map(used),
        };
        Ok(known.filter(|known| known.client.expires_at.is_none_or(|end| now < end)))
    }

    async fn used_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let key = self.keys.client(id);
        let [body, ends] = self.fields(&key, ["body", "exp"]).await?;
        let (Some(body), Some(ends)) = (body, ends) else { return Ok(None) };
        let client: Client = codec::decode(&key, &body)?;
        let expires_at = if ends.is_empty() { None } else { Some(timestamp(&key, &ends)?) };
        Ok(Some(Client { expires_at, ..client }))
    }

    pub(super) async fn prolong_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        let is_placed = id.place().is_some();
        for _ in 0..ATTEMPTS {
            let name = if is_placed { random::id() } else { String::new() };
            let name = match self.keep_used(id, until, &name).await? {
                Kept::Yes => return Ok(true),
                Kept::No => return Ok(false),
                Kept::Begun(name) => name,
            };
            let Some(newcomer) = self.newcomer(id).await? else {
                // Another first use may have come to its end, before it was displaced.
                return Ok(matches!(self.keep_used(id, until, "").await?, Kept::Yes));
            };
            if self.adopt(&newcomer, until, &name).await? {
                return Ok(true);
            }
        }
        Err(contended(id))
    }

    /// Keeps a client that has a record of its own; if there is none, begins its first use under this name,
    /// unless that is empty.
    async fn keep_used(&self, id: &ClientId, until: Timestamp, name: &str) -> Result<Kept, StoreError> {
        let key = self.keys.client(id);
        let mut script = self.scripts.keep_client.call(&key);
        script.arg(decimal(until)).arg(name);
        let (answer, begun): (String, String) = self.run(&script).await?;
        match answer.as_str() {
            "kept" => Ok(Kept::Yes),
            "none" => Ok(Kept::No),
            "begun" => Ok(Kept::Begun(begun)),
            _ => Err(unreadable(&key)),
        }
    }

    /// Gives a client the record of one that is used. False if what has begun under this name has ended.
    async fn adopt(&self, newcomer: &Newcomer, until: Timestamp, name: &str) -> Result<bool, StoreError> {
        let client = &newcomer.client;
        let ends = client.expires_at.map(|end| decimal(end.max(until))).unwrap_or_default();
        let mut script = self.scripts.adopt_client.call(self.keys.client(&client.id));
        script.arg(name).arg(decimal(client.created_at)).arg(ends).arg(&newcomer.body);
        self.run(&script).await
    }

    pub(super) async fn put_changed_client(&self, client: &Client) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS {
            if self.change_used(client).await? {
                return Ok(true);
            }
            let Some(newcomer) = self.newcomer(&client.id).await? else {
                // It may have been used in between, and then displaced.
                return self.change_used(client).await;
            };
            if let Some(body) = self.change_newcomer(&newcomer, client).await? {
                // Whoever uses it has used it as it was, or looks again.
                self.update_used(&client.id, body).await?;
                return Ok(true);
            }
        }
        Err(contended(&client.id))
    }

    async fn change_used(&self, client: &Client) -> Result<bool, StoreError> {
        let key = self.keys.client(&client.id);
        let [Some(stored)] = self.fields(&key, ["body"]).await? else { return Ok(false) };
        self.update_used(&client.id, codec::encode_over(&key, client, &stored)?).await
    }

    async fn update_used(&self, id: &ClientId, body: Vec<u8>) -> Result<bool, StoreError> {
        let mut script = self.scripts.update_client.call(self.keys.client(id));
        script.arg(body);
        self.run(&script).await
    }

    pub(super) async fn take_out_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        if !self.take_out_newcomer(id).await? {
            return Ok(false);
        }
        let mut script = self.scripts.forget_client.call(self.keys.client(id));
        script.arg("unused");
        let is_used: bool = self.connections.send_replicated(&script).await?;
        Ok(!is_used)
    }

    /// Forgets it so that a failover does not bring it back.
    pub(super) async fn take_out_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        // In this order: what stands at its place may be older than its record.
        let was_new = self.take_out_newcomer(id).await?;
        let mut script = self.scripts.forget_client.call(self.keys.client(id));
        script.arg("any");
        let was_used: bool = self.connections.send_replicated(&script).await?;
        Ok(was_new || was_used)
    }
}
