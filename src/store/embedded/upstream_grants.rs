//! What upstreams have said of people. A record's name begins with its person's tag, so a person's
//! records stand side by side.

use redb::{ReadableTable, WriteTransaction};

use crate::clock::Timestamp;
use crate::domain::{PersonTag, UpstreamGrant};
use crate::secret::Sealer;
use crate::store::{StoreError, codec};

use super::EmbeddedStore;
use super::tables::{Cover, UPSTREAM_GRANTS, failed, rewrite, write};
use super::writer::Done;

impl EmbeddedStore {
    pub(super) async fn kept_upstream_grants(
        &self,
        person: PersonTag,
        now: Timestamp,
    ) -> Result<Vec<UpstreamGrant>, StoreError> {
        let found = self.look_at(UPSTREAM_GRANTS, |table| of_person(table, &self.sealer, person))?;
        let mut all = Vec::new();
        for (grant, is_stale) in found.unwrap_or_default() {
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

    pub(super) async fn replace_upstream_grant(
        &self,
        grant: &UpstreamGrant,
        seen: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (sealer, mut grant) = (self.sealer.clone(), grant.clone());
        self.writer
            .write(move |transaction| {
                let name = name(&grant);
                let kept = kept(transaction, &sealer, &name);
                let is_readable = kept.is_ok();
                let kept = match (kept, seen) {
                    (Ok(kept), _) => kept.filter(|kept| !kept.is_expired(now)),
                    // What cannot be opened any more is no reason to refuse a sign-in.
                    (Err(StoreError::Unreadable(_)), None) => None,
                    (Err(error), _) => return Err(error),
                };
                let version = kept.map_or(0, |kept| kept.version);
                if seen.is_some_and(|seen| seen != version) {
                    return Ok(Done::Looked(false));
                }
                grant.version = version.saturating_add(1);
                let put = if is_readable { rewrite } else { write };
                let cover = Cover::Sealed(&sealer);
                put(transaction, UPSTREAM_GRANTS, (&name, cover), &grant, Some(grant.ends_at))?;
                Ok(Done::Wrote(true))
            })
            .await
    }
}

fn kept(
    transaction: &WriteTransaction,
    sealer: &Sealer,
    name: &str,
) -> Result<Option<UpstreamGrant>, StoreError> {
    let table = transaction.open_table(UPSTREAM_GRANTS).map_err(failed)?;
    super::tables::read(&table, name, Cover::Sealed(sealer))
}

/// Every record of the people with this tag; true beside it if a previous secret sealed it.
fn of_person(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    sealer: &Sealer,
    person: PersonTag,
) -> Result<Vec<(UpstreamGrant, bool)>, StoreError> {
    let first = prefix(person);
    let beyond = format!("{first}~");
    let mut all = Vec::new();
    for entry in table.range(first.as_str()..beyond.as_str()).map_err(failed)? {
        let (name, record) = entry.map_err(failed)?;
        all.push(codec::unseal_telling(sealer, name.value(), record.value().1)?);
    }
    Ok(all)
}

fn prefix(person: PersonTag) -> String {
    format!("upstream:{person}:")
}

fn name(grant: &UpstreamGrant) -> String {
    let person = grant.person();
    format!("{}{}:{person}", prefix(person.tag()), grant.identity.upstream)
}
