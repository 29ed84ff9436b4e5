//! The layout of the file, schema 1, and what is done inside one transaction.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `about` | `"schema"` | version, u32 BE. The same in every schema, so that an older peersync can tell |
//! | `rooms` | room | number of entries, u64 BE |
//! | `entries` | room, index u64 BE | check, entry |
//! | `meta` | key | check, value |
//!
//! A check is the first 8 bytes of a hash over key and value. redb verifies its pages only when it repairs a file:
//! without checks a flipped bit would come back as data, and without lengths a lost page as a shorter room. What a lost
//! page of `rooms` or `meta` would hide is looked for when the file is opened.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable, ReadableTableMetadata as _, Table, TableDefinition,
    WriteTransaction,
};

use super::{
    super::{Entry, SCHEMA_VERSION, StoreError, Write, lengths::Lengths},
    database::Failure,
};
use crate::base::{RoomId, hash_parts};

type EntryKey = [u8; 40];

const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
const ROOMS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("rooms");
const ENTRIES: TableDefinition<'_, &EntryKey, &[u8]> = TableDefinition::new("entries");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

const SCHEMA_KEY: &str = "schema";
const CHECK_BYTES: usize = 8;

/// The schema of an open file, written first if the file is new.
pub(super) fn schema(redb: &redb::Database) -> Result<u32, Failure> {
    let txn = redb.begin_read()?;
    if txn.list_tables()?.next().is_none() {
        create(redb)?;
        return Ok(SCHEMA_VERSION);
    }
    let about = match txn.open_table(ABOUT) {
        Ok(about) => about,
        Err(redb::TableError::Storage(e)) => return Err(e.into()),
        Err(_) => return Err(damaged("not a peersync store")),
    };
    let version = about.get(SCHEMA_KEY)?.ok_or_else(|| damaged("no schema version"))?;
    let version = u32::from_be_bytes(version.value().try_into().map_err(|_| damaged("no schema version"))?);
    if version <= SCHEMA_VERSION {
        verify(&txn)?;
    }
    Ok(version)
}

/// Looks for rows that are missing from the small tables, where nothing else would tell.
fn verify(txn: &ReadTransaction) -> Result<(), Failure> {
    let rooms = txn.open_table(ROOMS)?;
    let mut count = 0_u64;
    for row in rooms.iter()? {
        row?;
        count += 1;
    }
    let meta = txn.open_table(META)?;
    let mut meta_count = 0_u64;
    for row in meta.iter()? {
        let (key, value) = row?;
        unseal(key.value().as_bytes(), value.value())?;
        meta_count += 1;
    }
    if (count, meta_count) != (rooms.len()?, meta.len()?) {
        return Err(damaged("rows are missing"));
    }
    Ok(())
}

fn create(redb: &redb::Database) -> Result<(), Failure> {
    let txn = begin(redb)?;
    txn.open_table(ABOUT)?.insert(SCHEMA_KEY, SCHEMA_VERSION.to_be_bytes().as_slice())?;
    // All of them, so that a missing one means damage from here on.
    drop((txn.open_table(ROOMS)?, txn.open_table(ENTRIES)?, txn.open_table(META)?));
    Ok(txn.commit()?)
}

/// Two phases: first the data is flushed, then the header that points to it. With one phase, after a failed flush,
/// pages that the kernel dropped could pass for written, and take a later, acknowledged commit with them.
/// The allocator's state goes along, so that opening after a crash does not read the whole file.
fn begin(redb: &redb::Database) -> Result<WriteTransaction, Failure> {
    let mut txn = redb.begin_write()?;
    txn.set_durability(redb::Durability::Immediate).map_err(|e| Failure::from(redb::Error::from(e)))?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    Ok(txn)
}

/// Applies commits in order and flushes once. A commit that would leave a hole is refused alone.
pub(super) fn commit(redb: &redb::Database, group: &[Vec<Write>]) -> Result<Vec<Result<(), StoreError>>, Failure> {
    if group.iter().all(Vec::is_empty) {
        // What was committed before is on disk already.
        return Ok(vec![Ok(()); group.len()]);
    }
    let txn = begin(redb)?;
    let results = apply(&txn, group)?;
    if results.iter().any(Result::is_ok) {
        txn.commit()?;
    } else {
        txn.abort()?;
    }
    Ok(results)
}

fn apply(txn: &WriteTransaction, group: &[Vec<Write>]) -> Result<Vec<Result<(), StoreError>>, Failure> {
    let mut tables = Tables::open(txn)?;
    let mut lengths = Lengths::default();
    let mut results = Vec::with_capacity(group.len());
    for writes in group {
        match lengths.follow(writes, |room| tables.len(room)) {
            Ok(()) => {
                writes.iter().try_for_each(|write| tables.apply(write))?;
                results.push(Ok(()));
            }
            Err(Failure { error: error @ StoreError::Hole { .. }, .. }) => results.push(Err(error)),
            Err(failure) => return Err(failure),
        }
    }
    for (room, len) in lengths.into_rooms() {
        tables.set_len(room, len)?;
    }
    Ok(results)
}

/// The tables of one write transaction.
struct Tables<'txn> {
    rooms: Table<'txn, &'static [u8; 32], &'static [u8]>,
    entries: Table<'txn, &'static EntryKey, &'static [u8]>,
    meta: Table<'txn, &'static str, &'static [u8]>,
}

impl<'txn> Tables<'txn> {
    fn open(txn: &'txn WriteTransaction) -> Result<Self, Failure> {
        Ok(Self { rooms: txn.open_table(ROOMS)?, entries: txn.open_table(ENTRIES)?, meta: txn.open_table(META)? })
    }

    fn len(&self, room: RoomId) -> Result<u64, Failure> {
        room_len(&self.rooms, room)
    }

    fn set_len(&mut self, room: RoomId, len: u64) -> Result<(), Failure> {
        if len == 0 {
            self.rooms.remove(&room.0)?;
        } else {
            self.rooms.insert(&room.0, len.to_be_bytes().as_slice())?;
        }
        Ok(())
    }

    fn apply(&mut self, write: &Write) -> Result<(), Failure> {
        match write {
            Write::Append { room, index, bytes } => {
                let key = entry_key(*room, *index);
                let mut slot = self.entries.insert_reserve(&key, CHECK_BYTES.saturating_add(bytes.len()))?;
                seal(&key, bytes, slot.as_mut());
            }
            Write::Truncate { room, from } => {
                let range = entry_key(*room, *from)..=entry_key(*room, u64::MAX);
                self.entries.retain_in::<&EntryKey, _>(range.start()..=range.end(), |_, _| false)?;
            }
            Write::Meta { key, value: Some(value) } => {
                let mut slot = self.meta.insert_reserve(key.as_str(), CHECK_BYTES.saturating_add(value.len()))?;
                seal(key.as_bytes(), value, slot.as_mut());
            }
            Write::Meta { key, value: None } => drop(self.meta.remove(key.as_str())?),
        }
        Ok(())
    }
}

/// Entries of `room` from `from` on, at most `limit`. All that the room's length promises, or an error.
pub(super) fn load(redb: &redb::Database, room: RoomId, from: u64, limit: usize) -> Result<Vec<Entry>, Failure> {
    let txn = redb.begin_read()?;
    let len = room_len(&txn.open_table(ROOMS)?, room)?;
    let end = len.min(from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)));
    if from >= end {
        return expect_no_entry(&txn, room, len).map(|()| Vec::new());
    }
    let entries = txn.open_table(ENTRIES)?;
    let mut found = Vec::new();
    let (first, last) = (entry_key(room, from), entry_key(room, end - 1));
    for row in entries.range::<&EntryKey>(&first..=&last)? {
        let (key, value) = row?;
        let index = from.saturating_add(found.len() as u64);
        if *key.value() != entry_key(room, index) {
            break;
        }
        found.push(Entry { index, bytes: unseal(key.value(), value.value())? });
    }
    if found.len() as u64 != end - from {
        return Err(damaged("entries of a room are missing"));
    }
    if end == len {
        expect_no_entry(&txn, room, len)?;
    }
    Ok(found)
}

/// The entry after the last must not exist: otherwise the length is what was lost.
fn expect_no_entry(txn: &ReadTransaction, room: RoomId, len: u64) -> Result<(), Failure> {
    match txn.open_table(ENTRIES)?.get(&entry_key(room, len))? {
        None => Ok(()),
        Some(_) => Err(damaged("the length of a room is missing")),
    }
}

/// A value of this node's own.
pub(super) fn meta(redb: &redb::Database, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let meta = redb.begin_read()?.open_table(META)?;
    meta.get(key)?.map(|value| unseal(key.as_bytes(), value.value())).transpose()
}

fn room_len(rooms: &impl ReadableTable<&'static [u8; 32], &'static [u8]>, room: RoomId) -> Result<u64, Failure> {
    let Some(len) = rooms.get(&room.0)? else { return Ok(0) };
    let len = len.value().try_into().map_err(|_| damaged("a room without a length"))?;
    Ok(u64::from_be_bytes(len))
}

fn entry_key(room: RoomId, index: u64) -> EntryKey {
    let mut key = [0; 40];
    key[..32].copy_from_slice(&room.0);
    key[32..].copy_from_slice(&index.to_be_bytes());
    key
}

fn check(key: &[u8], value: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash_parts(&[key, value]).0[..CHECK_BYTES]);
    check
}

fn seal(key: &[u8], value: &[u8], slot: &mut [u8]) {
    let (check_slot, value_slot) = slot.split_at_mut(CHECK_BYTES);
    check_slot.copy_from_slice(&check(key, value));
    value_slot.copy_from_slice(value);
}

fn unseal(key: &[u8], stored: &[u8]) -> Result<Vec<u8>, Failure> {
    match stored.split_at_checked(CHECK_BYTES) {
        Some((sum, value)) if sum == check(key, value) => Ok(value.to_vec()),
        _ => Err(damaged("a value does not match its check")),
    }
}

fn damaged(what: &str) -> Failure {
    StoreError::Corrupt(what.to_owned()).into()
}
