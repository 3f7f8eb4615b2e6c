//! Clients that nobody has used: each a string at one of so many places, which the next one to stand there
//! writes over.

use std::time::Duration;

use crate::domain::{Client, ClientId, Place};
use crate::store::{StoreError, codec};

use super::RedisStore;
use super::connections::Request;

/// As in `common.lua`: how long a record is kept after its end, and the longest life that is asked for.
const SLACK: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(315_360_000);

/// A client at its place.
pub(super) struct Newcomer {
    pub(super) client: Client,
    /// What stands there.
    pub(super) body: Vec<u8>,
    place: Place,
}

impl RedisStore {
    /// Puts a client at its place, whoever stands there.
    pub(super) async fn put_newcomer(&self, client: &Client, place: Place) -> Result<(), StoreError> {
        let key = self.keys.newcomer(place);
        let body = codec::encode(&key, client)?;
        let mut request = Request::new("SET", key);
        request.arg(body);
        if let Some(end) = client.expires_at {
            let life = end.since(client.created_at).saturating_add(SLACK).min(LONGEST);
            request.arg("EX").arg(life.as_secs());
        }
        self.run(&request).await
    }

    /// The client, if it stands at its place.
    pub(super) async fn newcomer(&self, id: &ClientId) -> Result<Option<Newcomer>, StoreError> {
        let Some(place) = id.place() else { return Ok(None) };
        let key = self.keys.newcomer(place);
        let body: Option<Vec<u8>> = self.run(&Request::new("GET", key.clone())).await?;
        let Some(body) = body else { return Ok(None) };
        let client: Client = codec::decode(&key, &body)?;
        Ok((client.id == *id).then_some(Newcomer { client, body, place }))
    }

    /// Puts what it says now in place of what it said, which it gives back; its end stays. None if something
    /// else stands there by now.
    pub(super) async fn change_newcomer(
        &self,
        newcomer: &Newcomer,
        client: &Client,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.keys.newcomer(newcomer.place);
        let client = Client { expires_at: newcomer.client.expires_at, ..client.clone() };
        let body = codec::encode_over(&key, &client, &newcomer.body)?;
        let mut script = self.scripts.change_newcomer.call(key);
        script.arg(&newcomer.body).arg(&body);
        let changed: bool = self.run(&script).await?;
        Ok(changed.then_some(body))
    }

    /// Takes a client from its place, so that a failover does not bring it back. False if it does not stand
    /// there: then the replicas are asked for all the same, as for a grant that has ended.
    pub(super) async fn take_out_newcomer(&self, id: &ClientId) -> Result<bool, StoreError> {
        let Some(place) = id.place() else { return Ok(false) };
        for _ in 0..super::ATTEMPTS {
            let newcomer = self.newcomer(id).await?;
            let mut script = self.scripts.forget_newcomer.call(self.keys.newcomer(place));
            script.arg(newcomer.as_ref().map_or(&[][..], |newcomer| newcomer.body.as_slice()));
            let gone: bool = self.connections.send_replicated(&script).await?;
            if gone || newcomer.is_none() {
                return Ok(gone);
            }
        }
        Err(super::contended(id))
    }
}
