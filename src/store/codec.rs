//! How a record becomes bytes: JSON with a schema version, sealed where the record is personal.
//!
//! The version stands inside the sealed part, so nobody can change it without the key. A record
//! of a version that this release does not know is [`StoreError::Unreadable`], never a guess.
//!
//! A release may add members without a new version. So that two releases can run side by side,
//! the older one writes back what it does not know: [`encode_over`], [`seal_over`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::secret::{Opened, Sealer};

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
    let envelope = serde_json::from_slice::<Envelope<T>>(bytes);
    if let Ok(Envelope { v: SCHEMA, record }) = envelope {
        return Ok(record);
    }
    // Why not? A record of another version may have any shape.
    Err(match serde_json::from_slice(bytes) {
        Err(_) => unreadable("is not a record of ours"),
        Ok(Version { v: SCHEMA }) => unreadable("does not hold what its version says"),
        Ok(Version { v }) => {
            unreadable(&format!("has schema version {v}; this release reads version {SCHEMA}"))
        }
    })
}

/// A record in place of the one in `stored`, with what this release does not know of that one.
pub(super) fn encode_over<T: Serialize + DeserializeOwned>(
    name: &str,
    record: &T,
    stored: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let unreadable = |_| StoreError::Unreadable(format!("{name}: does not hold what its version says"));
    let known: T = decode(name, stored)?;
    let stored: Value = serde_json::from_slice(stored).map_err(unreadable)?;
    let known = serde_json::to_value(Envelope { v: SCHEMA, record: known }).map_err(unreadable)?;
    let mut new = serde_json::to_value(Envelope { v: SCHEMA, record }).map_err(unreadable)?;
    carry_unknown(&stored, &known, &mut new);
    serde_json::to_vec(&new).map_err(unreadable)
}

/// Members of `stored` that are not among the `known` ones become members of `new`, at every
/// depth. A known member that `new` no longer has stays away.
fn carry_unknown(stored: &Value, known: &Value, new: &mut Value) {
    let (Value::Object(stored), Value::Object(known), Value::Object(new)) = (stored, known, new) else {
        return;
    };
    for (name, value) in stored {
        match (known.get(name), new.get_mut(name)) {
            (None, None) => {
                new.insert(name.clone(), value.clone());
            }
            (Some(known), Some(new)) => carry_unknown(value, known, new),
            (None, Some(_)) | (Some(_), None) => {}
        }
    }
}

/// A record that only this broker can read, and only under this name (SEC-166).
pub(super) fn seal<T: Serialize>(sealer: &Sealer, name: &str, record: &T) -> Result<Vec<u8>, StoreError> {
    Ok(sealer.seal(name, &encode(name, record)?))
}

/// The same in place of the one in `stored`, with what this release does not know of that one.
pub(super) fn seal_over<T: Serialize + DeserializeOwned>(
    sealer: &Sealer,
    name: &str,
    record: &T,
    stored: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let opened = open(sealer, name, stored)?;
    Ok(sealer.seal(name, &encode_over(name, record, &opened.plain)?))
}

fn open(sealer: &Sealer, name: &str, bytes: &[u8]) -> Result<Opened, StoreError> {
    sealer.open(name, bytes).map_err(|error| StoreError::Unreadable(format!("{name}: {error}")))
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
    let opened = open(sealer, name, bytes)?;
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

    #[derive(Serialize, Deserialize)]
    struct Known {
        number: u64,
        inner: Inner,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        word: Option<String>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(tag = "at")]
    enum Inner {
        First { mine: u64 },
        Second,
    }

    /// REL-19: unknown members stay at every depth; known ones are as the new record says.
    #[test]
    fn rel_19_what_is_not_known_is_carried_over() {
        let stored = br#"{"v":1,"beside":[1],"record":{"number":18446744073709551615,"word":"gone",
            "later":{"a":null},"inner":{"at":"First","mine":7,"deep":true}}}"#;
        let record = Known { number: u64::MAX - 1, inner: Inner::Second, word: None };
        let bytes = encode_over("a", &record, stored).unwrap();
        let expected: Value = serde_json::from_str(
            r#"{"v":1,"beside":[1],"record":{"number":18446744073709551614,
                "later":{"a":null},"inner":{"at":"Second","deep":true}}}"#,
        )
        .unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
        assert!(encode_over("a", &record, br#"{"v":2,"record":{}}"#).is_err());
        let first = Known { inner: Inner::First { mine: 1 }, ..record };
        let plain = encode("a", &first).unwrap();
        let same: Value = serde_json::from_slice(&encode_over("a", &first, &plain).unwrap()).unwrap();
        assert_eq!(same, serde_json::from_slice::<Value>(&plain).unwrap());
    }
}
