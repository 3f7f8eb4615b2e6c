//! The part of a store that keeps API keys. Nothing of it is cached: every replica sees a change at once.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{ApiKey, ApiKeyId, PersonId};
use crate::secret::KeyedHash;

use super::StoreError;

/// Keys of people, also those that count no longer.
#[async_trait]
pub trait ApiKeyStore: Send + Sync {
    /// Adds a key. False if its owner has [`MOST_API_KEYS`](crate::domain::MOST_API_KEYS) that count at
    /// `now`; of more than [`MOST_API_KEYS_KEPT`](crate::domain::MOST_API_KEYS_KEPT) at all the oldest that
    /// does not is forgotten.
    async fn add_api_key(&self, key: &ApiKey, now: Timestamp) -> Result<bool, StoreError>;

    /// The key of this name, whether it counts or not.
    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Every key of a person, whether it counts or not, the oldest first.
    async fn api_keys_of(&self, owner: &PersonId) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key for ever. Since when it is revoked, which does not change any more; nothing, if there
    /// is none.
    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that a key was used, to the minute and never back, with its hash as the operator's secret of
    /// today makes it. What a previous secret sealed is sealed anew.
    async fn note_api_key_use(
        &self,
        id: &ApiKeyId,
        hash: &KeyedHash,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
