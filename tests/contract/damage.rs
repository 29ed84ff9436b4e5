//! Files that are none of ours, newer than us, or damaged.

use std::{fs, sync::Arc};

use futures::executor::block_on;
use peersync::storage::{SCHEMA_VERSION, Store, StoreError, native::RedbStore};
use redb::TableDefinition;
use tempfile::tempdir;

use crate::{disk::SimDisk, support::*};

#[test]
fn st11_damage_is_an_error_or_harmless() {
    let mut rng = Rng(1);
    let history = History::random(&mut rng, 120, 900);
    let disk = Arc::new(SimDisk::default());
    let store = RedbStore::open_on(disk.clone()).unwrap();
    for writes in &history.commits {
        commit(&store, writes.clone()).unwrap();
    }
    // Both as a crash and as a clean close leave it.
    let crashed = disk.image();
    drop(store);
    println!("{}", history.dumps[120].outline());
    let (mut damaged, mut harmless) = (0, 0);
    for seed in 0..rounds(1500) {
        let mut rng = Rng(seed);
        let mut image = if seed % 2 == 0 { crashed.clone() } else { disk.image() };
        damage(&mut rng, &mut image);
        match read_and_write(image) {
            Ok(found) => {
                // A damaged header may lead back to an earlier commit, which is whole.
                assert!(history.has(&found, 0), "seed {seed}: wrong data: {}", found.outline());
                harmless += 1;
            }
            Err(StoreError::Corrupt(_)) => damaged += 1,
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    println!("{damaged} found, {harmless} harmless");
}

fn read_and_write(image: Vec<u8>) -> Result<Dump, StoreError> {
    let store = RedbStore::open_on(Arc::new(SimDisk::with(image)))?;
    let found = dump(&store);
    // Whatever these say, they must come back.
    _ = commit(&store, vec![truncate(0, 0), append(0, 0, &[1; 3000]), meta("a", Some(b"x"))]);
    _ = dump(&store);
    found
}

fn damage(rng: &mut Rng, image: &mut Vec<u8>) {
    // The file is mostly free pages: aim at the header and at pages in use.
    let used: Vec<usize> = (0..image.len()).step_by(64).filter(|&i| image[i..i + 64].iter().any(|&b| b != 0)).collect();
    let at = match rng.below(4) {
        0 => rng.below(512) as usize,
        _ => used[rng.below(used.len() as u64) as usize] + rng.below(64) as usize,
    };
    match rng.below(5) {
        0 => image[at] ^= 1 << rng.below(8),
        1 => image[at..].iter_mut().take(8).for_each(|byte| *byte = rng.next() as u8),
        2 => image[at..].iter_mut().take(512).for_each(|byte| *byte = 0),
        3 => image[at / 4096 * 4096..].iter_mut().take(4096).for_each(|byte| *byte = rng.next() as u8),
        _ => image.truncate(at),
    }
}

#[test]
fn st11_a_file_of_something_else_is_corrupt() {
    for content in [b"x".to_vec(), b"SQLite format 3\0".repeat(1000), vec![0; 1 << 20]] {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("peersync.redb"), &content).unwrap();
        let error = RedbStore::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert_eq!(fs::read(dir.path().join("peersync.redb")).unwrap(), content, "left as it was");
    }
}

#[test]
fn st11_a_redb_file_of_something_else_is_corrupt() {
    let dir = tempdir().unwrap();
    let other = redb::Database::create(dir.path().join("peersync.redb")).unwrap();
    let txn = other.begin_write().unwrap();
    drop(txn.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap());
    txn.commit().unwrap();
    drop(other);
    assert!(matches!(RedbStore::open(dir.path()), Err(StoreError::Corrupt(_))));
}

#[test]
fn st12_a_newer_schema_opens_read_only() {
    let dir = tempdir().unwrap();
    commit(&RedbStore::open(dir.path()).unwrap(), vec![append(1, 0, b"x"), meta("a", Some(b"y"))]).unwrap();
    set_schema(dir.path(), SCHEMA_VERSION + 1);
    let store = RedbStore::open(dir.path()).unwrap();
    assert!(store.is_read_only());
    assert_eq!(all(&store, 1), [b"x"]);
    assert_eq!(block_on(store.meta("a")).unwrap().unwrap(), b"y");
    let error = commit(&store, vec![append(1, 1, b"z")]).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found, .. } if found == SCHEMA_VERSION + 1));
    assert!(error.to_string().contains("read-only"));
    assert_eq!(all(&store, 1), [b"x"]);
    drop(store);
    set_schema(dir.path(), SCHEMA_VERSION);
    let store = RedbStore::open(dir.path()).unwrap();
    assert!(!store.is_read_only());
    commit(&store, vec![append(1, 1, b"z")]).unwrap();
}

fn set_schema(dir: &std::path::Path, version: u32) {
    let file = redb::Database::open(dir.join("peersync.redb")).unwrap();
    let txn = file.begin_write().unwrap();
    let mut about = txn.open_table(TableDefinition::<&str, &[u8]>::new("about")).unwrap();
    about.insert("schema", version.to_be_bytes().as_slice()).unwrap();
    drop(about);
    txn.commit().unwrap();
}
