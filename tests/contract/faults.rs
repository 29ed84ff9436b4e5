//! Disks that are full, fail for a while, lie about a flush, or lose power.

use std::{io::ErrorKind, sync::Arc};

use futures::{executor::block_on, future::join_all};
use peersync::storage::{Flush, Store, StoreError, native::RedbStore};

use crate::{
    disk::{Faults, SimDisk},
    support::*,
};

fn open(disk: &Arc<SimDisk>) -> RedbStore {
    RedbStore::open_on(disk.clone()).unwrap()
}

fn full_after(writes: u64) -> Faults {
    Faults { writes: Some((writes, ErrorKind::StorageFull)), ..Faults::default() }
}

#[test]
fn st3_a_loss_of_power_keeps_every_acknowledged_commit() {
    for seed in 0..rounds(150) {
        let mut rng = Rng(seed);
        let history = History::random(&mut rng, 40, 300);
        let disk = Arc::new(SimDisk::default());
        let store = open(&disk);
        // Power fails somewhere in the middle: writes from there on go nowhere.
        disk.fail(full_after(rng.below(600)));
        let mut acknowledged = 0;
        for chunk in history.commits.chunks(1 + rng.below(8) as usize) {
            let results = block_on(join_all(chunk.iter().map(|writes| store.commit(writes.clone(), Flush::Strict))));
            acknowledged += results.iter().take_while(|result| result.is_ok()).count();
            if results.iter().any(Result::is_err) {
                break;
            }
        }
        let image = disk.lose_power(&mut rng);
        let found = dump(&open(&Arc::new(SimDisk::with(image)))).unwrap();
        assert!(history.has(&found, acknowledged), "seed {seed}: not a prefix with all {acknowledged} acknowledged");
    }
}

#[test]
fn st3_a_failed_flush_takes_no_later_commit_with_it() {
    for seed in 0..rounds(150) {
        let mut rng = Rng(seed);
        let history = History::random(&mut rng, 20, 300);
        let disk = Arc::new(SimDisk::default());
        let store = open(&disk);
        disk.fail(Faults { sync: Some(rng.below(30)), ..Faults::default() });
        for (i, writes) in history.commits.iter().enumerate() {
            // One flush fails: the second attempt must do, or the third if that hits it while reopening.
            let errors: Vec<_> = (0..3).map_while(|_| commit(&store, writes.clone()).err()).collect();
            // What failed may be there, and need not fit a second time.
            let is_there =
                matches!(errors.last(), Some(StoreError::Hole { .. })) && dump(&store).unwrap() == history.dumps[i + 1];
            assert!(errors.len() < 3 || is_there, "seed {seed}: {errors:?}");
        }
        let image = disk.lose_power(&mut rng);
        let found = dump(&open(&Arc::new(SimDisk::with(image)))).unwrap();
        assert!(history.has(&found, history.commits.len()), "seed {seed}");
    }
}

#[test]
fn st10_a_full_disk_acknowledges_nothing_and_recovers() {
    // Full at every point of a commit, one write later each time, until none is hit.
    for writes in 0.. {
        let disk = Arc::new(SimDisk::default());
        let store = open(&disk);
        commit(&store, vec![append(1, 0, b"kept")]).unwrap();
        disk.fail(full_after(writes));
        let results = block_on(join_all([
            store.commit(vec![append(1, 1, &[1; 5000])], Flush::Strict),
            store.commit(vec![append(1, 2, &[2; 5000])], Flush::Strict),
        ]));
        if results.iter().all(Result::is_ok) {
            assert!(writes > 3, "a commit takes more than {writes} writes");
            return;
        }
        let full =
            |result: &Result<_, _>| matches!(result, Ok(()) | Err(StoreError::Full(_) | StoreError::Hole { .. }));
        assert!(results.iter().all(full), "{results:?}");
        disk.fail(Faults::default());
        commit(&store, vec![append(1, 1, &[1; 5000]), append(1, 2, &[2; 5000])]).unwrap();
        assert_eq!(all(&store, 1), [b"kept".to_vec(), vec![1; 5000], vec![2; 5000]], "after {writes} writes");
    }
}

#[test]
fn st10_reads_go_on_when_the_disk_is_full() {
    let disk = Arc::new(SimDisk::default());
    let store = open(&disk);
    commit(&store, vec![append(1, 0, b"kept")]).unwrap();
    disk.fail(Faults { full: true, ..Faults::default() });
    for _ in 0..3 {
        assert!(matches!(commit(&store, vec![append(1, 1, &[1; 1 << 20])]), Err(StoreError::Full(_))));
        assert_eq!(all(&store, 1), [b"kept"]);
    }
    disk.fail(Faults::default());
    commit(&store, vec![append(1, 1, &[1; 1 << 20])]).unwrap();
}

#[test]
fn st10_failing_reads_are_errors_and_pass() {
    let disk = Arc::new(SimDisk::default());
    commit(&open(&disk), (0..200).map(|i| append(1, i, &[1; 500])).collect()).unwrap();
    for reads in 0..30 {
        disk.fail(Faults { reads: Some(reads), ..Faults::default() });
        // What is cached can still be had.
        let store = RedbStore::open_on(disk.clone());
        let found =
            store.as_ref().map_err(Clone::clone).and_then(|store| block_on(store.load(list_of(1, LIST), 0, 500)));
        assert!(matches!(&found, Err(StoreError::Io(_))) || found.is_ok_and(|found| found.len() == 200));
        disk.fail(Faults::default());
        let store = store.unwrap_or_else(|_| open(&disk));
        commit(&store, vec![append(1, 0, b"x")]).unwrap();
        assert_eq!(all(&store, 1).len(), 200);
    }
}

#[test]
fn st3_concurrent_commits_share_flushes() {
    let disk = Arc::new(SimDisk::default());
    let store = open(&disk);
    let before = disk.syncs();
    let pending: Vec<_> = (0..1000).map(|i| store.commit(vec![append(1, i, &[1; 200])], Flush::Strict)).collect();
    assert!(block_on(join_all(pending)).iter().all(Result::is_ok));
    assert!(disk.syncs() - before < 1000, "{} flushes for 1000 commits", disk.syncs() - before);
}
