//! What upstreams have said of people: one hash for each person's tag, read whole.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::domain::{PersonTag, UpstreamGrant};
use crate::store::{StoreError, codec};

use super::connections::Request;
use super::operations::{decimal, number};
use super::{RedisStore, unreadable};

/// Ends the name of the field that the scripts decide by.
const AT: &str = ":at";

impl RedisStore {
    pub(super) async fn kept_upstream_grants(
        &self,
        person: PersonTag,
        now: Timestamp,
    ) -> Result<Vec<UpstreamGrant>, StoreError> {
        let key = self.keys.upstream_grants(person);
        let fields: HashMap<String, Vec<u8>> = self.run(&Request::new("HGETALL", key.clone())).await?;
        let mut all = Vec::new();
        for (name, at) in &fields {
            let Some(name) = name.strip_suffix(AT) else { continue };
            let body = fields.get(name).ok_or_else(|| unreadable(&key))?;
            let version = at.split(|byte| *byte == b' ').next().unwrap_or_default();
            let (mut grant, is_stale): (UpstreamGrant, _) =
                codec::unseal_telling(&self.sealer, &sealed_as(&key, name), body)?;
            grant.version = number(&key, version)?;
            if grant.is_expired(now) {
                continue;
            }
            if is_stale {
                // A record may stay as it is for long: a previous secret would have to be kept.
                self.replace_upstream_grant(&grant, Some(grant.version), now).await?;
            }
            all.push(grant);
        }
        Ok(all)
    }

    /// A token that a failover loses cannot be had again: one that was replaced is told to replicas, a
    /// claim is not.
    pub(super) async fn replace_upstream_grant(
        &self,
        grant: &UpstreamGrant,
        seen: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let person = grant.person();
        let key = self.keys.upstream_grants(person.tag());
        let name = format!("{}:{person}", grant.identity.upstream);
        let sealed_as = sealed_as(&key, &name);
        // Whoever keeps another one in between wins: the script looks at the version.
        let [stored] = self.fields(&key, [name.as_str()]).await?;
        let fresh = || codec::seal(&self.sealer, &sealed_as, grant);
        let body = match stored {
            None => fresh()?,
            Some(stored) => match (codec::seal_over(&self.sealer, &sealed_as, grant, &stored), seen) {
                // What cannot be opened any more is no reason to refuse a sign-in.
                (Err(StoreError::Unreadable(_)), None) => fresh()?,
                (sealed, _) => sealed?,
            },
        };
        let mut script = self.scripts.keep_upstream_grant.call(&key);
        let seen = seen.map(|version| version.to_string()).unwrap_or_default();
        script.arg(decimal(now)).arg(name).arg(seen).arg(decimal(grant.ends_at)).arg(body);
        if now < grant.claimed_until {
            return self.run(&script).await;
        }
        self.connections.send_replicated(&script).await
    }
}

/// Each under its own name, so that one person's does not open as another's.
fn sealed_as(key: &str, name: &str) -> String {
    format!("{key}:{name}")
}
