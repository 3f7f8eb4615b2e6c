//! Grants in their table: how each stands, in the clear, and behind it its sealed body, which stays
//! as it is (so does what a later release puts behind both).
//!
//! A grant's name begins with its person's, so a person's grants stand side by side.

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

use crate::clock::Timestamp;
use crate::domain::{Grant, GrantId, MOST_GRANTS, PersonTag};
use crate::secret::Sealer;
use crate::store::grant_body::{self, Standing};
use crate::store::{StoreError, readable};

use super::tables::{GRANTS, failed, grant_name, remove};

/// A grant and the bytes behind its standing.
pub(super) struct Kept {
    pub(super) grant: Grant,
    rest: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Numbers(u64, u64, u64, u64);

impl From<Standing> for Numbers {
    fn from(standing: Standing) -> Self {
        let Standing { expires_at, ends_at, generation, rotated_at } = standing;
        Self(expires_at.as_unix(), ends_at.as_unix(), generation, rotated_at.as_unix())
    }
}

impl From<Numbers> for Standing {
    fn from(Numbers(expires_at, ends_at, generation, rotated_at): Numbers) -> Self {
        let [expires_at, ends_at, rotated_at] = [expires_at, ends_at, rotated_at].map(Timestamp::from_unix);
        Self { expires_at, ends_at, generation, rotated_at }
    }
}

/// Reads a grant.
pub(super) fn read(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    sealer: &Sealer,
    id: &GrantId,
) -> Result<Option<Kept>, StoreError> {
    let name = grant_name(id);
    let Some(found) = table.get(name.as_str()).map_err(failed)? else { return Ok(None) };
    kept(sealer, &name, id, found.value().1).map(Some)
}

/// Reads every grant whose person has this tag.
pub(super) fn of_person(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    sealer: &Sealer,
    person: PersonTag,
) -> Result<Vec<Grant>, StoreError> {
    let mut all = Vec::new();
    for (name, id, _) in names(table, person)? {
        let Some(found) = table.get(name.as_str()).map_err(failed)? else { continue };
        all.extend(readable(kept(sealer, &name, &id, found.value().1))?.map(|kept| kept.grant));
    }
    Ok(all)
}

/// Puts a new grant; one of that name that is not over stays as it is (false). One too many ends the
/// one that would end first.
pub(super) fn open(
    transaction: &WriteTransaction,
    sealer: &Sealer,
    grant: &Grant,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let body = grant_body::seal(sealer, &grant_name(&grant.id), grant)?;
    let rest = packed(&Bytes::new(&body), &grant.id)?;
    let mut others = {
        let table = transaction.open_table(GRANTS).map_err(failed)?;
        names(&table, grant.id.person())?
    };
    if others.iter().any(|(_, id, over)| *id == grant.id && now.as_unix() < *over) {
        return Ok(false);
    }
    others.retain(|(_, id, _)| *id != grant.id);
    others.sort_by_key(|(_, _, over)| *over);
    let too_many = (others.len() + 1).saturating_sub(MOST_GRANTS);
    for (name, ..) in others.iter().take(too_many) {
        remove(transaction, GRANTS, name)?;
    }
    put(transaction, grant, &rest)?;
    Ok(true)
}

/// Puts a grant that stands otherwise now.
pub(super) fn move_on(transaction: &WriteTransaction, kept: &Kept) -> Result<(), StoreError> {
    put(transaction, &kept.grant, &kept.rest)
}

fn put(transaction: &WriteTransaction, grant: &Grant, rest: &[u8]) -> Result<(), StoreError> {
    let mut bytes = packed(&Numbers::from(Standing::of(grant)), &grant.id)?;
    bytes.extend_from_slice(rest);
    let over = grant.expires_at.min(grant.ends_at);
    let mut table = transaction.open_table(GRANTS).map_err(failed)?;
    table.insert(grant_name(&grant.id).as_str(), (over.as_unix(), bytes.as_slice())).map_err(failed)?;
    Ok(())
}

fn kept(sealer: &Sealer, name: &str, id: &GrantId, bytes: &[u8]) -> Result<Kept, StoreError> {
    let damaged = || StoreError::Unreadable(format!("{name}: is not a record of ours"));
    let mut rest = bytes;
    let numbers: Numbers = rmp_serde::from_read(&mut rest).map_err(|_| damaged())?;
    let mut behind = rest;
    let body: ByteBuf = rmp_serde::from_read(&mut behind).map_err(|_| damaged())?;
    let found = grant_body::open(sealer, name, (*id, numbers.into()), &body)?;
    let rest = match found.sealed_anew {
        // Written with the next transition: so a previous secret comes out of use.
        Some(anew) => [packed(&Bytes::new(&anew), id)?, behind.to_vec()].concat(),
        None => rest.to_vec(),
    };
    Ok(Kept { grant: found.grant, rest })
}

/// Name, id and end of the grants of a person.
fn names(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    person: PersonTag,
) -> Result<Vec<(String, GrantId, u64)>, StoreError> {
    // The last character of the tag also holds the first bits of what follows.
    let mut first = grant_name(&GrantId::in_person(person, [0; 8]));
    first.truncate(first.len() - 12);
    let beyond = format!("{first}~");
    let mut all = Vec::new();
    for entry in table.range(first.as_str()..beyond.as_str()).map_err(failed)? {
        let (name, record) = entry.map_err(failed)?;
        let name = name.value().to_owned();
        let id = name.strip_prefix("grant:").and_then(GrantId::parse);
        if let Some(id) = id.filter(|id| id.person() == person) {
            all.push((name, id, record.value().0));
        }
    }
    Ok(all)
}

fn packed(what: &impl Serialize, id: &GrantId) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec(what)
        .map_err(|_| StoreError::Unreadable(format!("{}: cannot be written", grant_name(id))))
}
