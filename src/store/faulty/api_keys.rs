//! API keys.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{ApiKey, ApiKeyId, PersonId};
use crate::secret::KeyedHash;
use crate::store::{ApiKeyStore, StoreError};

use super::{FaultyStore, Operation};

#[async_trait]
impl ApiKeyStore for FaultyStore {
    async fn add_api_key(&self, key: &ApiKey, now: Timestamp) -> Result<bool, StoreError> {
        self.reach(Operation::AddApiKey).await?.add_api_key(key, now).await
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.reach(Operation::ApiKey).await?.api_key(id).await
    }

    async fn api_keys_of(&self, owner: &PersonId) -> Result<Vec<ApiKey>, StoreError> {
        self.reach(Operation::ApiKeysOf).await?.api_keys_of(owner).await
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.reach(Operation::RevokeApiKey).await?.revoke_api_key(id, now).await
    }

    async fn note_api_key_use(
        &self,
        id: &ApiKeyId,
        hash: &KeyedHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.reach(Operation::NoteApiKeyUse).await?.note_api_key_use(id, hash, now).await
    }
}
