//! API keys: a person's are one hash, which is never collected.

use async_trait::async_trait;
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::clock::Timestamp;
use crate::domain::{
    ApiKey, ApiKeyId, MOST_API_KEYS, MOST_API_KEYS_KEPT, PersonId, USE_NOTED_EVERY, keys_of,
};
use crate::secret::KeyedHash;
use crate::store::{ApiKeyStore, StoreError, codec, readable};

use super::connections::Request;
use super::grants::{FARTHEST, date};
use super::{RedisStore, unreadable};

/// One key of the record: what changes is in the clear.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    revoked: Option<Timestamp>,
    #[serde(default)]
    used: Option<Timestamp>,
    hash: KeyedHash,
    body: ByteBuf,
}

#[async_trait]
impl ApiKeyStore for RedisStore {
    async fn add_api_key(&self, key: &ApiKey, now: Timestamp) -> Result<bool, StoreError> {
        let record = self.keys.api_keys(key.id.owner());
        let body = codec::seal(&self.sealer, &sealed_as(&record, &key.id), key)?;
        let mut script = self.scripts.add_api_key.call(record);
        script.arg(date(now)).arg(MOST_API_KEYS).arg(MOST_API_KEYS_KEPT).arg(key.id.to_string());
        script.arg(date(key.created_at)).arg(key.expires_at.map_or(FARTHEST, date));
        script.arg(key.hash.as_str()).arg(body);
        self.run(&script).await
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let record = self.keys.api_keys(id.owner());
        let found = self.kept_api_key(&record, id).await?;
        found.map(|kept| self.opened_api_key(&record, id, &kept).map(|(key, _)| key)).transpose()
    }

    async fn api_keys_of(&self, owner: &PersonId) -> Result<Vec<ApiKey>, StoreError> {
        let record = self.keys.api_keys(owner.tag());
        let fields: Vec<(String, Vec<u8>)> = self.run(&Request::new("HGETALL", record.clone())).await?;
        let mut all = Vec::new();
        for (name, packed) in fields {
            let id = ApiKeyId::parse(&name).ok_or_else(|| unreadable(&record))?;
            let kept: Kept = rmp_serde::from_slice(&packed).map_err(|_| unreadable(&record))?;
            all.extend(readable(self.opened_api_key(&record, &id, &kept))?.map(|(key, _)| key));
        }
        Ok(keys_of(all, owner))
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let mut script = self.scripts.revoke_api_key.call(self.keys.api_keys(id.owner()));
        script.arg(date(now)).arg(id.to_string());
        // A failover must not bring it back (PRIN-6).
        let since: u64 = self.connections.send_replicated(&script).await?;
        Ok((since > 0).then(|| Timestamp::from_unix(since)))
    }

    async fn note_api_key_use(
        &self,
        id: &ApiKeyId,
        hash: &KeyedHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = self.keys.api_keys(id.owner());
        let Some(kept) = self.kept_api_key(&record, id).await? else { return Ok(()) };
        let (key, is_stale) = self.opened_api_key(&record, id, &kept)?;
        let body = kept.body.into_vec();
        let anew = if is_stale {
            codec::seal_over(&self.sealer, &sealed_as(&record, id), &key, &body)?
        } else {
            body.clone()
        };
        let mut script = self.scripts.use_api_key.call(record);
        script.arg(date(now)).arg(USE_NOTED_EVERY.as_secs()).arg(id.to_string());
        script.arg(hash.as_str()).arg(body).arg(anew);
        self.run::<u64>(&script).await.map(drop)
    }
}

impl RedisStore {
    async fn kept_api_key(&self, record: &str, id: &ApiKeyId) -> Result<Option<Kept>, StoreError> {
        let mut request = Request::new("HGET", record.to_owned());
        request.arg(id.to_string());
        let packed: Option<Vec<u8>> = self.run(&request).await?;
        packed.map(|packed| rmp_serde::from_slice(&packed).map_err(|_| unreadable(record))).transpose()
    }

    /// The key, and whether a previous secret sealed it.
    fn opened_api_key(&self, record: &str, id: &ApiKeyId, kept: &Kept) -> Result<(ApiKey, bool), StoreError> {
        let (key, is_stale): (ApiKey, _) =
            codec::unseal_telling(&self.sealer, &sealed_as(record, id), &kept.body)?;
        let (revoked_at, last_used_at) = (kept.revoked, kept.used);
        Ok((ApiKey { revoked_at, last_used_at, hash: kept.hash.clone(), ..key }, is_stale))
    }
}

/// The name that a key is sealed under.
fn sealed_as(record: &str, id: &ApiKeyId) -> String {
    format!("{record}:{id}")
}
