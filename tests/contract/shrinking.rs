//! The file follows what it holds. Figures with `cargo test --release --test contract shrinking -- --nocapture`.

use std::{path::Path, sync::Arc, time::Instant};

use futures::executor::block_on;
use peersync::storage::{ListState, Store, StoreError, Write, native::RedbStore};
use tempfile::tempdir;

use crate::{
    crashes::Recorder,
    disk::{Faults, SimDisk},
    support::*,
};

const OPERATIONS: u64 = 10_000;
const OPERATION_BYTES: usize = 300;
const SNAPSHOT_BYTES: usize = 40_000;

fn size(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("peersync.redb")).unwrap().len()
}

/// 10,000 operations of ten writers, as many at a time as a busy room commits.
fn write_operations(store: &RedbStore) {
    for part in 0..OPERATIONS / 100 {
        let put = |i: u64| Write::Append {
            list: list_of(1, 1 + i % 10),
            index: part * 10 + i / 10,
            bytes: vec![7; OPERATION_BYTES],
        };
        commit(store, (0..100).map(put).collect()).unwrap();
    }
}

/// Everything folded into a snapshot.
fn fold(store: &RedbStore) -> Result<(), StoreError> {
    let lists = block_on(store.lists(room(1))).unwrap();
    let trims = lists.iter().filter(|state| state.list != 0);
    let trims = trims.map(|ListState { list, end, .. }| Write::Trim { list: list_of(1, *list), before: *end });
    let snapshot = Write::Append { list: list_of(1, 0), index: 0, bytes: vec![9; SNAPSHOT_BYTES] };
    let writes = [Write::Truncate { list: list_of(1, 0), from: 0 }, snapshot].into_iter().chain(trims).collect();
    commit(store, writes)
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it tells how long it takes")]
fn st22_a_file_shrinks_when_operations_are_folded_into_a_snapshot() {
    let dir = tempdir().unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    write_operations(&store);
    let before = size(dir.path());
    let begin = Instant::now();
    fold(&store).unwrap();
    let folded = begin.elapsed();
    // Whatever comes next waits until the file was cut.
    commit(&store, vec![meta("a", Some(b"x"))]).unwrap();
    println!(
        "{before} bytes before, {} after; folded in {folded:?}, cut within {:?}",
        size(dir.path()),
        begin.elapsed()
    );
    assert!(size(dir.path()) < before / 4, "{} of {before}", size(dir.path()));
    let expected = dump(&store).unwrap();
    drop(store);
    assert!(size(dir.path()) < before / 4);
    assert_eq!(dump(&RedbStore::open(dir.path()).unwrap()).unwrap(), expected);
}

#[test]
fn st22_a_crash_while_the_file_is_cut_keeps_everything() {
    let disk = Arc::new(Recorder::default());
    let store = RedbStore::open_on(disk.clone()).unwrap();
    write_operations(&store);
    let before = dump(&store).unwrap();
    let begin = disk.len();
    fold(&store).unwrap();
    let folded = disk.len();
    commit(&store, vec![]).unwrap();
    let after = dump(&store).unwrap();
    assert!(disk.len() > folded, "nothing was cut");
    disk.crash(begin, rounds(10), |point, image, at| {
        let store = RedbStore::open_on(Arc::new(SimDisk::with(image))).unwrap_or_else(|e| panic!("{at}: {e}"));
        let found = dump(&store).unwrap_or_else(|e| panic!("{at}: {e}"));
        assert!(found == after || (point < folded && found == before), "{at}: {}", found.outline());
        commit(&store, vec![meta("a", Some(b"on"))]).unwrap_or_else(|e| panic!("{at}: {e}"));
    });
}

#[test]
fn st22_a_failed_flush_while_the_file_is_cut_takes_nothing_with_it() {
    for sync in 0..12 {
        let disk = Arc::new(SimDisk::default());
        let store = RedbStore::open_on(disk.clone()).unwrap();
        write_operations(&store);
        disk.fail(Faults { sync: Some(sync), ..Faults::default() });
        // One flush fails, of this or of what comes after it: the second attempt must do.
        fold(&store).or_else(|_| fold(&store)).unwrap();
        let marked = || commit(&store, vec![meta("a", Some(b"on"))]);
        marked().or_else(|_| marked()).unwrap();
        let expected = dump(&store).unwrap();
        let image = disk.lose_power(&mut Rng(sync));
        let found = dump(&RedbStore::open_on(Arc::new(SimDisk::with(image))).unwrap()).unwrap();
        assert!(found == expected, "flush {sync}: {}", found.outline());
    }
}
