//! From schema 1, where a room was one list of records in the order of delivery, to lists by writer.
//!
//! | table of schema 1 | key | value |
//! | --- | --- | --- |
//! | `rooms` | room | number of records, u64 BE |
//! | `entries` | room, index u64 BE | check, record: tag 0 an operation, 1 a proof; then the operation in full form |
//!
//! Operations go to their writer's list at `seq - 1`, proofs to list 0 in order, records unchanged. All in one
//! transaction: a crash leaves schema 1. A room that cannot be read so stays where it was, and its lists are damaged;
//! the others go on.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTableMetadata as _, TableDefinition, TableError, WriteTransaction};

use super::{
    super::{
        StoreError, Write,
        schema1::{Places, RecordKey, record_key},
    },
    database::Failure,
    rows::{damaged, unseal},
    tables,
};
use crate::base::RoomId;

const ROOMS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("rooms");
const RECORDS: TableDefinition<'_, &RecordKey, &[u8]> = TableDefinition::new("entries");

/// Makes schema 2 of schema 1. `old` shows the file as it is before.
pub(super) fn run(old: &ReadTransaction, txn: WriteTransaction) -> Result<(), Failure> {
    tables::create_in(&txn)?;
    let rooms = old.open_table(ROOMS)?;
    let records = old.open_table(RECORDS)?;
    let (mut moved, mut left) = (Vec::new(), 0_usize);
    let mut count = 0_u64;
    for row in rooms.range::<&[u8; 32]>(..)? {
        let (room, len) = row?;
        let room = RoomId(*room.value());
        match read_room(&records, room, len.value()) {
            Ok(writes) => {
                count = count.saturating_add(writes.len() as u64);
                tables::apply_all(&txn, writes)?;
                moved.push(room);
            }
            Err(Failure { error: StoreError::Corrupt(reason), .. }) => {
                tracing::warn!(?room, reason, "a room of an older schema cannot be read; it is left as it was");
                left += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
    if left == 0 && count == records.len()? {
        txn.delete_table(ROOMS)?;
        txn.delete_table(RECORDS)?;
    } else {
        remove(&txn, &moved)?;
    }
    tracing::info!(rooms = moved.len(), records = count, left, "the store has been brought to the present schema");
    Ok(txn.commit()?)
}

/// Whether something of `room` was left in the old tables.
pub(super) fn is_left(txn: &ReadTransaction, room: RoomId) -> Result<bool, Failure> {
    let Some(rooms) = if_there(txn.open_table(ROOMS))? else { return Ok(false) };
    let Some(records) = if_there(txn.open_table(RECORDS))? else { return Ok(true) };
    let (first, last) = (record_key(room, 0), record_key(room, u64::MAX));
    Ok(rooms.get(&room.0)?.is_some() || records.range::<&RecordKey>(&first..=&last)?.next().is_some())
}

fn if_there<T>(table: Result<T, TableError>) -> Result<Option<T>, Failure> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove(txn: &WriteTransaction, moved: &[RoomId]) -> Result<(), Failure> {
    let (mut rooms, mut records) = (txn.open_table(ROOMS)?, txn.open_table(RECORDS)?);
    for room in moved {
        rooms.remove(&room.0)?;
        let (first, last) = (record_key(*room, 0), record_key(*room, u64::MAX));
        records.retain_in::<&RecordKey, _>(&first..=&last, |_, _| false)?;
    }
    Ok(())
}

/// What stores a room's records anew.
fn read_room(
    records: &ReadOnlyTable<&'static RecordKey, &'static [u8]>,
    room: RoomId,
    len: &[u8],
) -> Result<Vec<Write>, Failure> {
    let len = u64::from_be_bytes(len.try_into().map_err(|_| damaged("a room without a length"))?);
    let mut places = Places::of(room);
    let mut writes = Vec::new();
    let (first, last) = (record_key(room, 0), record_key(room, u64::MAX));
    for row in records.range::<&RecordKey>(&first..=&last)? {
        let (key, value) = row?;
        if *key.value() != record_key(room, writes.len() as u64) {
            return Err(damaged("records of a room are missing"));
        }
        let bytes = unseal(key.value(), value.value())?;
        let (list, index) = places.next(&bytes)?;
        writes.push(Write::Append { list, index, bytes });
    }
    if writes.len() as u64 == len { Ok(writes) } else { Err(damaged("records of a room are missing")) }
}
