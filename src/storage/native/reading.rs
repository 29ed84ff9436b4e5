//! What is read inside one transaction. All that a list's bounds promise, or an error: a row that is missing is damage.

use redb::{ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable};

use super::{
    super::{Entry, ListId, ListState, lengths::Bounds},
    database::Failure,
    migration,
    rows::{self, EntryKey, LISTS, LOG, ListKey, META, damaged, entry_key, list_key, list_of, unseal},
};
use crate::base::RoomId;

/// Every list of `room`, ascending.
pub(super) fn lists(redb: &redb::Database, room: RoomId) -> Result<Vec<ListState>, Failure> {
    let txn = redb.begin_read()?;
    let (first, last) = (list_key(ListId { room, list: 0 }), list_key(ListId { room, list: u64::MAX }));
    let mut found = Vec::new();
    for row in txn.open_table(LISTS)?.range::<&ListKey>(&first..=&last)? {
        let (key, value) = row?;
        let Bounds { first, end } = rows::bounds_in(key.value(), value.value())?;
        found.push(ListState { list: list_of(key.value())?.list, first, end });
    }
    expect_only(&txn, room, &found)?;
    if migration::is_left(&txn, room)? {
        return Err(damaged("the room is of an older schema and could not be read"));
    }
    Ok(found)
}

/// Entries of no other list must exist: otherwise a row of `lists` is what was lost. Goes from list to list.
fn expect_only(txn: &ReadTransaction, room: RoomId, lists: &[ListState]) -> Result<(), Failure> {
    let log = txn.open_table(LOG)?;
    let last = entry_key(ListId { room, list: u64::MAX }, u64::MAX);
    let mut from = Some(0);
    while let Some(list) = from {
        let start = entry_key(ListId { room, list }, 0);
        let Some(row) = log.range::<&EntryKey>(&start..=&last)?.next() else { return Ok(()) };
        let list = list_of(row?.0.value())?.list;
        if lists.binary_search_by_key(&list, |state| state.list).is_err() {
            return Err(damaged("the bounds of a list are missing"));
        }
        from = list.checked_add(1);
    }
    Ok(())
}

/// Entries of `list` from `from` on, at most `limit`.
pub(super) fn load(redb: &redb::Database, list: ListId, from: u64, limit: usize) -> Result<Vec<Entry>, Failure> {
    let txn = redb.begin_read()?;
    let bounds = bounds(&txn.open_table(LISTS)?, list)?;
    let log = txn.open_table(LOG)?;
    expect_none_around(&log, list, bounds)?;
    let from = from.max(bounds.first);
    let end = bounds.end.min(from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)));
    let mut found = Vec::new();
    if from >= end {
        return Ok(found);
    }
    let (first, last) = (entry_key(list, from), entry_key(list, end - 1));
    for row in log.range::<&EntryKey>(&first..=&last)? {
        let (key, value) = row?;
        let index = from.saturating_add(found.len() as u64);
        if *key.value() != entry_key(list, index) {
            break;
        }
        found.push(Entry { index, bytes: unseal(key.value(), value.value())? });
    }
    if found.len() as u64 != end - from {
        return Err(damaged("entries of a list are missing"));
    }
    Ok(found)
}

/// There must be no entry before the first or after the last: otherwise the bounds are what was lost.
fn expect_none_around(log: &ReadOnlyTable<&EntryKey, &[u8]>, list: ListId, bounds: Bounds) -> Result<(), Failure> {
    let (low, first) = (entry_key(list, 0), entry_key(list, bounds.first));
    let (end, high) = (entry_key(list, bounds.end), entry_key(list, u64::MAX));
    if log.range::<&EntryKey>(&low..&first)?.next().is_some() || log.range::<&EntryKey>(&end..=&high)?.next().is_some()
    {
        return Err(damaged("the bounds of a list are missing"));
    }
    Ok(())
}

/// Where a list begins and ends.
pub(super) fn bounds(
    lists: &impl ReadableTable<&'static ListKey, &'static [u8]>,
    list: ListId,
) -> Result<Bounds, Failure> {
    let key = list_key(list);
    let Some(row) = lists.get(&key)? else { return Ok(Bounds::default()) };
    Ok(rows::bounds_in(&key, row.value())?)
}

/// A value of this node's own.
pub(super) fn meta(redb: &redb::Database, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let meta = redb.begin_read()?.open_table(META)?;
    Ok(meta.get(key)?.map(|value| unseal(key.as_bytes(), value.value())).transpose()?)
}

/// Keys that begin with `prefix`, ascending, at most `limit`.
pub(super) fn keys(redb: &redb::Database, prefix: &str, limit: usize) -> Result<Vec<String>, Failure> {
    let meta = redb.begin_read()?.open_table(META)?;
    let mut found = Vec::new();
    for row in meta.range::<&str>(prefix..)?.take(limit) {
        let (key, value) = row?;
        if !key.value().starts_with(prefix) {
            break;
        }
        unseal(key.value().as_bytes(), value.value())?;
        found.push(key.value().to_owned());
    }
    Ok(found)
}
