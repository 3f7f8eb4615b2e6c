//! Which clients registered themselves and were never used: their names in the order in which they came,
//! and the place of each in it. Always exact, since it changes together with the clients.

use redb::{ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};

use crate::store::StoreError;

use super::tables::{CLIENTS, UNUSED_CLIENTS, UNUSED_PLACES, failed};

/// How many make room for one newcomer at most, when the bound has been lowered.
const MOST_AT_ONCE: u64 = 16;

/// Counts a client as the newest unused one. Where there are more than `most`, the oldest are
/// forgotten.
pub(super) fn add(transaction: &WriteTransaction, name: &str, most: usize) -> Result<(), StoreError> {
    take_out(transaction, name)?;
    let mut order = transaction.open_table(UNUSED_CLIENTS).map_err(failed)?;
    let mut places = transaction.open_table(UNUSED_PLACES).map_err(failed)?;
    let last = order.last().map_err(failed)?.map_or(0, |(place, _)| place.value());
    let place = last.saturating_add(1);
    order.insert(place, name).map_err(failed)?;
    places.insert(name, place).map_err(failed)?;
    let too_many = order.len().map_err(failed)?.saturating_sub(most as u64).min(MOST_AT_ONCE);
    if too_many == 0 {
        return Ok(());
    }
    let mut clients = transaction.open_table(CLIENTS).map_err(failed)?;
    for _ in 0..too_many {
        let Some((_, oldest)) = order.pop_first().map_err(failed)? else { break };
        places.remove(oldest.value()).map_err(failed)?;
        clients.remove(oldest.value()).map_err(failed)?;
    }
    Ok(())
}

/// Counts a client no longer. True if it was counted.
pub(super) fn take_out(transaction: &WriteTransaction, name: &str) -> Result<bool, StoreError> {
    let mut places = transaction.open_table(UNUSED_PLACES).map_err(failed)?;
    let Some(place) = places.remove(name).map_err(failed)?.map(|place| place.value()) else {
        return Ok(false);
    };
    let mut order = transaction.open_table(UNUSED_CLIENTS).map_err(failed)?;
    order.remove(place).map_err(failed)?;
    Ok(true)
}

/// Counts those no longer that have expired and been collected: as they came, so they go. How many.
pub(super) fn drop_gone(transaction: &WriteTransaction, most: usize) -> Result<usize, StoreError> {
    let mut gone = Vec::new();
    {
        let order = transaction.open_table(UNUSED_CLIENTS).map_err(failed)?;
        let clients = transaction.open_table(CLIENTS).map_err(failed)?;
        for entry in order.iter().map_err(failed)?.take(most) {
            let name = entry.map_err(failed)?.1.value().to_owned();
            if clients.get(name.as_str()).map_err(failed)?.is_some() {
                break;
            }
            gone.push(name);
        }
    }
    for name in &gone {
        take_out(transaction, name)?;
    }
    Ok(gone.len())
}
