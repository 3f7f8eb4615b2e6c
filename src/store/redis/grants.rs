//! A person's grants, as `grants.lua` keeps them.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_bytes::ByteBuf;

use crate::clock::Timestamp;
use crate::domain::{Grant, GrantId};
use crate::store::StoreError;
use crate::store::grant_body::Standing;

use super::unreadable;

/// One grant of the record.
pub(super) struct Kept {
    pub(super) standing: Standing,
    pub(super) body: Vec<u8>,
}

/// The person's grants by their names.
pub(super) fn read(key: &str, packed: &[u8]) -> Result<HashMap<ByteBuf, Kept>, StoreError> {
    rmp_serde::from_slice(packed).map_err(|_| unreadable(key))
}

/// What the scripts call a grant.
pub(super) fn name(id: &GrantId) -> [u8; 8] {
    id.within_person()
}

/// The largest number that the scripts hold exactly, as a date: later than any end that matters.
pub(super) const FARTHEST: u64 = (1 << 53) - 1;

/// A date for a script.
pub(super) fn date(at: Timestamp) -> u64 {
    at.as_unix().min(FARTHEST)
}

/// The numbers of a grant in the order in which `open_grant.lua` takes them.
pub(super) fn numbers(grant: &Grant) -> [u64; 4] {
    let standing = Standing::of(grant);
    [date(standing.expires_at), date(standing.ends_at), standing.generation, date(standing.rotated_at)]
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(KeptVisitor)
    }
}

struct KeptVisitor;

impl<'de> Visitor<'de> for KeptVisitor {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a grant: four numbers and a body")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kept, A::Error> {
        let missing = || serde::de::Error::custom("a grant is too short");
        let mut number = || seq.next_element::<u64>()?.ok_or_else(missing);
        let (expires_at, ends_at) = (Timestamp::from_unix(number()?), Timestamp::from_unix(number()?));
        let (generation, rotated_at) = (number()?, Timestamp::from_unix(number()?));
        let body: ByteBuf = seq.next_element()?.ok_or_else(missing)?;
        // What a later release has put behind it.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let standing = Standing { expires_at, ends_at, generation, rotated_at };
        Ok(Kept { standing, body: body.into_vec() })
    }
}
