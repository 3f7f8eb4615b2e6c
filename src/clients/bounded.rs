//! What is held of strangers, so much and no more.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::domain::ClientId;

/// Holds one more, or another in its place; where there are `most`, the one that was fetched first makes
/// room.
pub(super) fn hold<T>(
    held: &mut HashMap<ClientId, T>,
    most: usize,
    (id, new): (&ClientId, T),
    fetched_at: impl Fn(&T) -> Timestamp,
) {
    if held.len() >= most && !held.contains_key(id) {
        let oldest = held.iter().min_by_key(|(_, held)| fetched_at(held)).map(|(id, _)| id.clone());
        oldest.and_then(|oldest| held.remove(&oldest));
    }
    held.insert(id.clone(), new);
}
