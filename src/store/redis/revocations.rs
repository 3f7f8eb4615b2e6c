//! Revocations: one field for each, with its moment and how long that matters.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::domain::{NotBefore, Revoked};
use crate::secret::random;
use crate::store::StoreError;

use super::RedisStore;
use super::connections::Request;
use super::operations::{decimal, timestamp};

impl RedisStore {
    pub(super) async fn put_revocation(
        &self,
        what: &Revoked,
        moment: Timestamp,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut script = self.scripts.revoke.call(self.keys.not_before());
        script.arg(decimal(now)).arg(what.name()).arg(decimal(moment)).arg(decimal(keep_until));
        // Not a counter: that could come round to a version that somebody still has.
        script.arg(random::id());
        // A failover must not bring back what was revoked (PRIN-6).
        self.connections.send_replicated(&script).await
    }

    pub(super) async fn read_revocations(&self, known: &str) -> Result<Option<NotBefore>, StoreError> {
        let key = self.keys.not_before();
        let [version] = self.fields(&key, ["version"]).await?;
        if version.unwrap_or_default() == known.as_bytes() {
            return Ok(None);
        }
        let mut fields: HashMap<String, String> = self.run(&Request::new("HGETALL", key.clone())).await?;
        let version = fields.remove("version").unwrap_or_default();
        let moment = |(name, value): (String, String)| {
            let moment = value.split(' ').next().unwrap_or_default();
            Ok((name, timestamp(&key, moment.as_bytes())?))
        };
        let moments = fields.into_iter().map(moment).collect::<Result<_, StoreError>>()?;
        Ok(Some(NotBefore::new(version, moments)))
    }
}
