//! How a record becomes bytes: JSON with a schema version, sealed where the record is personal.
//!
//! The version stands inside the sealed part, so nobody can change it without the key. A record
//! of a version that this release does not know is [`StoreError::Unreadable`], never a guess.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::secret::Sealer;

use super::StoreError;

/// The version that this release writes, and the only one that it reads.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    record: T,
}

/// Only the version: a later envelope may hold anything beside it.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// A record in the clear.
pub(super) fn encode<T: Serialize>(name: &str, record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Envelope { v: SCHEMA, record })
        .map_err(|error| StoreError::Unreadable(format!("{name}: cannot be written as JSON: {error}")))
}

/// Reads what [`encode`] wrote.
pub(super) fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, StoreError> {
    // serde_json's messages name a position and a member, never a value of ours; still, what is
    // said about a sealed record stays general.
    let unreadable = |what: &str| StoreError::Unreadable(format!("{name}: {what}"));
    let Version { v } = serde_json::from_slice(bytes).map_err(|_| unreadable("is not a record of ours"))?;
    if v != SCHEMA {
        return Err(unreadable(&format!("has schema version {v}; this release reads version {SCHEMA}")));
    }
    let envelope: Envelope<T> =
        serde_json::from_slice(bytes).map_err(|_| unreadable("does not hold what its version says"))?;
    Ok(envelope.record)
}

/// A record that only this broker can read, and only under this name (SEC-166).
pub(super) fn seal<T: Serialize>(sealer: &Sealer, name: &str, record: &T) -> Result<Vec<u8>, StoreError> {
    Ok(sealer.seal(name, &encode(name, record)?))
}

/// Reads what [`seal`] wrote.
pub(super) fn unseal<T: DeserializeOwned>(
    sealer: &Sealer,
    name: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    unseal_telling(sealer, name, bytes).map(|(record, _)| record)
}

/// The same, and whether a previous secret sealed it: then it is to be sealed anew.
pub(super) fn unseal_telling<T: DeserializeOwned>(
    sealer: &Sealer,
    name: &str,
    bytes: &[u8],
) -> Result<(T, bool), StoreError> {
    let opened =
        sealer.open(name, bytes).map_err(|error| StoreError::Unreadable(format!("{name}: {error}")))?;
    Ok((decode(name, &opened.plain)?, opened.is_stale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_and_another_version_is_refused() {
        let bytes = encode("a", &vec![1, 2]).unwrap();
        assert_eq!(decode::<Vec<u8>>("a", &bytes).unwrap(), vec![1, 2]);
        let later = br#"{"v":2,"record":{"anything":true}}"#;
        let error = decode::<Vec<u8>>("a", later).unwrap_err().to_string();
        assert!(error.contains("schema version 2"), "{error}");
        assert!(decode::<Vec<u8>>("a", b"junk").is_err());
    }
}
