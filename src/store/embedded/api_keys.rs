//! API keys. A key's name begins with its owner's tag, so a person's keys stand side by side. Its record is
//! sealed as a whole, and is never collected.

use async_trait::async_trait;
use redb::{ReadableTable, WriteTransaction};

use crate::clock::Timestamp;
use crate::domain::{ApiKey, ApiKeyId, MOST_API_KEYS, MOST_API_KEYS_KEPT, PersonId, PersonTag, keys_of};
use crate::secret::{KeyedHash, Sealer};
use crate::store::{ApiKeyStore, StoreError, codec, readable};

use super::EmbeddedStore;
use super::tables::{API_KEYS, failed, opened};
use super::writer::Done;

#[async_trait]
impl ApiKeyStore for EmbeddedStore {
    async fn add_api_key(&self, key: &ApiKey, now: Timestamp) -> Result<bool, StoreError> {
        let (sealer, key) = (self.sealer.clone(), key.clone());
        self.writer
            .write(move |transaction| {
                let name = name(&key.id);
                let mut table = transaction.open_table(API_KEYS).map_err(failed)?;
                let mut others = of_tag(&table, &sealer, key.id.owner())?;
                let is_taken = table.get(name.as_str()).map_err(failed)?.is_some();
                let counting = others.iter().filter(|other| other.counts(now)).count();
                if is_taken || counting >= MOST_API_KEYS {
                    return Ok(Done::Looked(false));
                }
                if others.len() >= MOST_API_KEYS_KEPT {
                    others.retain(|other| !other.counts(now));
                    let oldest = others.iter().min_by_key(|other| other.created_at);
                    if let Some(oldest) = oldest {
                        table.remove(self::name(&oldest.id).as_str()).map_err(failed)?;
                    }
                }
                let body = codec::seal(&sealer, &name, &key)?;
                table.insert(name.as_str(), body.as_slice()).map_err(failed)?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let name = name(id);
        self.held.with(|database| {
            let Some(table) = opened(database, API_KEYS)? else { return Ok(None) };
            let found = table.get(name.as_str()).map_err(failed)?;
            found.map(|found| codec::unseal(&self.sealer, &name, found.value())).transpose()
        })
    }

    async fn api_keys_of(&self, owner: &PersonId) -> Result<Vec<ApiKey>, StoreError> {
        let (sealer, tag) = (self.sealer.clone(), owner.tag());
        let all = self.look(move |database| {
            let Some(table) = opened(database, API_KEYS)? else { return Ok(Vec::new()) };
            of_tag(&table, &sealer, tag)
        });
        Ok(keys_of(all.await?, owner))
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let (sealer, name) = (self.sealer.clone(), name(id));
        self.writer
            .write(move |transaction| {
                let Some(key) = read(transaction, &sealer, &name)? else { return Ok(Done::Looked(None)) };
                if key.revoked_at.is_some() {
                    return Ok(Done::Looked(key.revoked_at));
                }
                let key = ApiKey { revoked_at: Some(now), ..key };
                rewrite(transaction, &sealer, &name, &key)?;
                Ok(Done::Ended(key.revoked_at))
            })
            .await
    }

    async fn note_api_key_use(
        &self,
        id: &ApiKeyId,
        hash: &KeyedHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (sealer, name, hash) = (self.sealer.clone(), name(id), hash.clone());
        self.writer
            .write(move |transaction| {
                let key = read(transaction, &sealer, &name)?;
                let Some(key) = key.filter(|key| key.is_use_to_be_noted(now)) else {
                    return Ok(Done::Looked(()));
                };
                rewrite(transaction, &sealer, &name, &ApiKey { last_used_at: Some(now), hash, ..key })?;
                Ok(Done::Wrote(()))
            })
            .await
    }
}

fn name(id: &ApiKeyId) -> String {
    format!("api-key:{}:{id}", id.owner())
}

fn read(transaction: &WriteTransaction, sealer: &Sealer, name: &str) -> Result<Option<ApiKey>, StoreError> {
    let table = transaction.open_table(API_KEYS).map_err(failed)?;
    let found = table.get(name).map_err(failed)?;
    found.map(|found| codec::unseal(sealer, name, found.value())).transpose()
}

/// Writes a key that has changed. What a later release has written into it stays (REL-19).
fn rewrite(
    transaction: &WriteTransaction,
    sealer: &Sealer,
    name: &str,
    key: &ApiKey,
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(API_KEYS).map_err(failed)?;
    let stored = table.get(name).map_err(failed)?.map(|stored| stored.value().to_vec());
    let body = codec::seal_over(sealer, name, key, stored.as_deref().unwrap_or_default())?;
    table.insert(name, body.as_slice()).map_err(failed)?;
    Ok(())
}

/// Every key whose owner has this tag.
fn of_tag(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    sealer: &Sealer,
    owner: PersonTag,
) -> Result<Vec<ApiKey>, StoreError> {
    let first = format!("api-key:{owner}:");
    let beyond = format!("{first}~");
    let mut all = Vec::new();
    for entry in table.range(first.as_str()..beyond.as_str()).map_err(failed)? {
        let (name, body) = entry.map_err(failed)?;
        all.extend(readable(codec::unseal(sealer, name.value(), body.value()))?);
    }
    Ok(all)
}
