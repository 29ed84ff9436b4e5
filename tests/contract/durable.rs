//! What survives this process: reopening, crashes, and who may open at all.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use futures::{executor::block_on, future::join_all};
use peersync::storage::{Flush, Store, StoreError, native::RedbStore};
use tempfile::tempdir;

use crate::support::*;

const CRASH_DIR: &str = "PEERSYNC_TEST_CRASH_DIR";

#[test]
fn st3_reopening_after_each_commit_keeps_everything() {
    let dir = tempdir().unwrap();
    let history = History::random(&mut Rng(3), 60, 2000);
    for (i, writes) in history.commits.iter().enumerate() {
        let store = RedbStore::open(dir.path()).unwrap();
        assert!(store.is_durable());
        assert_eq!(dump(&store).unwrap(), history.dumps[i]);
        commit(&store, writes.clone()).unwrap();
    }
}

#[test]
fn st3_a_killed_process_loses_nothing_acknowledged() {
    let dir = tempdir().unwrap();
    let mut acknowledged = vec![0_u64; usize::from(ROOMS)];
    for round in 0..rounds(8) {
        let mut child = crash_child(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed between any two acknowledgements; what is in the pipe by then counts as well.
        let patience = 1 + Rng(round).below(300);
        for _ in 0..patience {
            note(&mut acknowledged, &lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| note(&mut acknowledged, &line));
        let store = RedbStore::open(dir.path()).unwrap();
        for n in 0..ROOMS {
            let found = all(&store, n);
            assert!(found.len() as u64 >= acknowledged[usize::from(n)], "round {round}, room {n}");
            assert!((0_u64..).zip(found).all(|(i, bytes)| bytes == entry(n, i)), "round {round}, room {n}");
        }
    }
    assert!(acknowledged.iter().sum::<u64>() > 0);
}

fn note(acknowledged: &mut [u64], line: &str) {
    // Other lines are the test harness's own; the last may be cut off.
    if let Some((n, len)) = line.strip_prefix("acked ").and_then(|line| line.strip_suffix('.')?.split_once(' ')) {
        acknowledged[n.parse::<usize>().unwrap()] = len.parse().unwrap();
    }
}

fn entry(n: u8, index: u64) -> Vec<u8> {
    Rng(u64::from(n) << 32 | index).bytes(600)
}

fn crash_child(dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "durable::crash_child_process", "--nocapture"]).env(CRASH_DIR, dir);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Not a test: the process that the test above kills.
#[test]
fn crash_child_process() {
    let Some(dir) = std::env::var_os(CRASH_DIR) else { return };
    let store = RedbStore::open(Path::new(&dir)).unwrap();
    let mut lens: Vec<_> = (0..ROOMS).map(|n| all(&store, n).len() as u64).collect();
    loop {
        let pending = (0..ROOMS).map(|n| {
            store.commit(vec![append(n, lens[usize::from(n)], &entry(n, lens[usize::from(n)]))], Flush::Strict)
        });
        assert!(block_on(join_all(pending)).iter().all(Result::is_ok));
        for (n, len) in lens.iter_mut().enumerate() {
            *len += 1;
            println!("acked {n} {len}.");
        }
    }
}

#[test]
fn st13_a_second_opener_is_locked_out() {
    let dir = tempdir().unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    assert!(matches!(RedbStore::open(dir.path()), Err(StoreError::Locked)));
    let mut child = crash_child(dir.path());
    assert!(!child.wait().unwrap().success());
    commit(&store, vec![append(1, 0, b"x")]).unwrap();
    drop(store);
    assert_eq!(all(&RedbStore::open(dir.path()).unwrap(), 1), [b"x"]);
}

#[test]
fn st13_a_crash_during_creation_leaves_a_fresh_start() {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("peersync.redb.new"), vec![0; 5000]).unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    assert!(matches!(RedbStore::open(dir.path()), Err(StoreError::Locked)));
    commit(&store, vec![append(1, 0, b"x")]).unwrap();
    drop(store);
    assert!(!dir.path().join("peersync.redb.new").exists());
    assert_eq!(all(&RedbStore::open(dir.path()).unwrap(), 1), [b"x"]);
}

#[test]
fn st8_close_flushes_then_refuses_and_releases() {
    let dir = tempdir().unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    let pending: Vec<_> = (0..100).map(|i| store.commit(vec![append(1, i, b"x")], Flush::Strict)).collect();
    block_on(store.close()).unwrap();
    assert!(block_on(join_all(pending)).iter().all(Result::is_ok));
    assert!(matches!(commit(&store, vec![]), Err(StoreError::Closed)));
    assert!(matches!(block_on(store.load(list_of(1, LIST), 0, 1)), Err(StoreError::Closed)));
    assert!(matches!(block_on(store.meta("a")), Err(StoreError::Closed)));
    // Closed, not dropped: the file is free already.
    let second = RedbStore::open(dir.path()).unwrap();
    assert_eq!(all(&second, 1).len(), 100);
    block_on(store.close()).unwrap();
}

#[test]
fn st8_dropping_the_store_flushes() {
    let dir = tempdir().unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    let pending: Vec<_> = (0..100).map(|i| store.commit(vec![append(1, i, b"x")], Flush::Strict)).collect();
    drop(store);
    assert!(block_on(join_all(pending)).iter().all(Result::is_ok));
    assert_eq!(all(&RedbStore::open(dir.path()).unwrap(), 1).len(), 100);
}

#[test]
fn st13_an_unusable_directory_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let Err(StoreError::Io(text)) = RedbStore::open(&file.join("sub")) else { panic!("opened") };
    assert!(text.contains("cannot create the directory") && text.contains("file"), "{text}");
}

#[cfg(unix)]
#[test]
fn st13_only_this_user_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempdir().unwrap();
    let nested = dir.path().join("a/b");
    drop(RedbStore::open(&nested).unwrap());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&nested), mode(&nested.join("peersync.redb"))), (0o700, 0o600));
}
