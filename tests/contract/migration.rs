//! A file of schema 1, written by the peersync that had it, becomes one of schema 2. `fixtures/schema1.redb` has the
//! open rooms *garden* (five writers in turns, one of whom signed twice: a proof), *kitchen* (one writer), *shed* (two,
//! one operation a void), and two values.

use std::{collections::BTreeMap, io::ErrorKind, path::Path, sync::Arc};

use futures::executor::block_on;
use peersync::{
    base::{RoomId, hash_parts},
    storage::{Entry, ListId, ListState, Store, StoreError, native::RedbStore},
    wire::Op,
};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _};
use tempfile::{TempDir, tempdir};

use crate::{
    disk::{Faults, SimDisk},
    support::*,
};

const FIXTURE: &[u8] = include_bytes!("fixtures/schema1.redb");
const ROOMS_1: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("rooms");
const RECORDS_1: TableDefinition<'_, &[u8; 40], &[u8]> = TableDefinition::new("entries");

type Lists = BTreeMap<u64, Vec<Vec<u8>>>;

fn fixture() -> TempDir {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("peersync.redb"), FIXTURE).unwrap();
    dir
}

fn raw(dir: &Path) -> redb::Database {
    redb::Database::open(dir.join("peersync.redb")).unwrap()
}

/// What the lists must be, from the rows of schema 1 alone.
fn expected(dir: &Path, name: &str) -> Lists {
    let room = RoomId::open(name);
    let txn = raw(dir).begin_read().unwrap();
    let mut lists = Lists::new();
    for row in txn.open_table(RECORDS_1).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        let record = value.value()[8..].to_vec();
        if key.value()[..32] != room.0 {
            continue;
        }
        let op = Op::decode(&record[1..]).unwrap();
        let list = lists.entry(if record[0] == 1 { 0 } else { op.header.writer.0 }).or_default();
        if record[0] == 0 {
            list.resize(list.len().max(op.header.seq as usize), Vec::new());
            list[op.header.seq as usize - 1] = record;
        } else {
            list.push(record);
        }
    }
    lists
}

fn found(store: &RedbStore, name: &str) -> Result<Lists, StoreError> {
    let room = RoomId::open(name);
    let mut lists = Lists::new();
    for ListState { list, first, end } in block_on(store.lists(room))? {
        let entries = block_on(store.load(ListId { room, list }, 0, usize::MAX))?;
        assert_eq!((first, end), (0, entries.len() as u64));
        assert!((0..).zip(&entries).all(|(i, Entry { index, .. })| i == *index));
        lists.insert(list, entries.into_iter().map(|entry| entry.bytes).collect());
    }
    Ok(lists)
}

#[test]
fn st18_a_store_of_schema_1_becomes_one_of_schema_2() {
    let dir = fixture();
    let names = ["garden", "kitchen", "shed"];
    let expected = names.map(|name| expected(dir.path(), name));
    let shape = |lists: &Lists| lists.values().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(expected.each_ref().map(shape), [vec![1, 15, 10, 10, 1], vec![40], vec![1, 1]], "as it was made");
    for opening in 0..2 {
        let store = RedbStore::open(dir.path()).unwrap();
        assert!(!store.is_read_only());
        let found = names.map(|name| found(&store, name).unwrap());
        assert!(found == expected, "opening {opening}");
        assert_eq!(block_on(store.keys("", 9)).unwrap(), ["note", "server/ready"]);
        assert_eq!(block_on(store.meta("note")).unwrap().unwrap(), b"kept");
    }
    let tables: Vec<String> =
        raw(dir.path()).begin_read().unwrap().list_tables().unwrap().map(|t| t.name().to_owned()).collect();
    assert_eq!(tables, ["about", "lists", "log", "meta"]);
}

#[test]
fn st18_a_crash_while_migrating_leaves_schema_1_whole() {
    let dir = fixture();
    let expected = expected(dir.path(), "garden");
    let mut crashes = 0;
    // Power fails at each write in turn, until none is hit.
    for writes in 0.. {
        let disk = Arc::new(SimDisk::with(FIXTURE.to_vec()));
        disk.fail(Faults { writes: Some((writes, ErrorKind::StorageFull)), ..Faults::default() });
        let opened = RedbStore::open_on(disk.clone());
        let image = disk.lose_power(&mut Rng(writes));
        let store = RedbStore::open_on(Arc::new(SimDisk::with(image))).unwrap();
        assert_eq!(found(&store, "garden").unwrap(), expected, "power lost at write {writes}");
        match opened {
            Err(StoreError::Full(_)) => crashes += 1,
            Err(other) => panic!("{other:?}"),
            Ok(_) => break,
        }
    }
    println!("{crashes} points of crashing");
    assert!(crashes > 10);
}

#[test]
fn st18_a_room_that_cannot_be_read_is_left_and_the_others_go_on() {
    let kitchen = RoomId::open("kitchen");
    let bad_records: [&dyn Fn(Vec<u8>) -> Vec<u8>; 4] = [
        // What is put in the place of a record, made from the one before it.
        &|record| [&[7], &record[1..]].concat(),
        &|record| record[..record.len() - 1].to_vec(),
        &|_| Vec::new(),
        // A second operation at one position.
        &|record| record,
    ];
    for (case, spoil) in bad_records.into_iter().enumerate() {
        let dir = fixture();
        let garden = expected(dir.path(), "garden");
        replace_record(dir.path(), kitchen, 7, spoil);
        for _ in 0..2 {
            let store = RedbStore::open(dir.path()).unwrap();
            let error = found(&store, "kitchen").unwrap_err();
            assert!(matches!(error, StoreError::Corrupt(_)), "case {case}: {error:?}");
            assert_eq!(found(&store, "garden").unwrap(), garden);
            commit(&store, vec![meta("note", Some(b"on"))]).unwrap();
        }
        let txn = raw(dir.path()).begin_read().unwrap();
        assert_eq!(txn.open_table(ROOMS_1).unwrap().iter().unwrap().count(), 1);
        let left = txn.open_table(RECORDS_1).unwrap().iter().unwrap().count();
        assert_eq!(left, 40, "case {case}: as it was");
    }
}

/// Puts what `change` makes of the record before it into the place of record `index`, with a right check.
fn replace_record(dir: &Path, room: RoomId, index: u64, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let key = |index: u64| -> [u8; 40] { [room.0.as_slice(), &index.to_be_bytes()].concat().try_into().unwrap() };
    let file = raw(dir);
    let txn = file.begin_write().unwrap();
    let mut table = txn.open_table(RECORDS_1).unwrap();
    let before = table.get(&key(index - 1)).unwrap().unwrap().value()[8..].to_vec();
    let value = change(before);
    table.insert(&key(index), [hash_parts(&[&key(index), &value]).0[..8].to_vec(), value].concat().as_slice()).unwrap();
    drop(table);
    txn.commit().unwrap();
}
