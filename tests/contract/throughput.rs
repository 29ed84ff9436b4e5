//! Durable commits per second. Run with `cargo test --release --test contract throughput -- --ignored --nocapture`.

use std::time::Instant;

use futures::{executor::block_on, future::join_all};
use peersync::{
    base::RoomId,
    storage::{Flush, ListId, Store, Write, native::RedbStore},
};
use tempfile::tempdir_in;

const COMMITTERS: u8 = 50;
const COMMITS_EACH: u64 = 400;

/// Fifty committers, one room each, one 200-byte entry per commit, the next only after the last is acknowledged.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn throughput() {
    // Not in a temporary directory, which may be memory.
    let dir = tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    let begin = Instant::now();
    block_on(join_all((0..COMMITTERS).map(async |n| {
        for index in 0..COMMITS_EACH {
            let bytes = vec![n; 200];
            store
                .commit(
                    vec![Write::Append { list: ListId { room: RoomId([n; 32]), list: 1 }, index, bytes }],
                    Flush::Strict,
                )
                .await
                .unwrap();
        }
    })));
    let seconds = begin.elapsed().as_secs_f64();
    println!("{:.0} commits/s", f64::from(COMMITTERS) * COMMITS_EACH as f64 / seconds);
}

/// How long a store of 400,000 entries of 600 bytes takes to open, every page verified.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn throughput_of_opening() {
    let dir = tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let store = RedbStore::open(dir.path()).unwrap();
    for part in 0..400_u64 {
        let list = ListId { room: RoomId([(part % 50) as u8; 32]), list: 1 };
        let writes = (0..1000).map(|i| Write::Append { list, index: part / 50 * 1000 + i, bytes: vec![7; 600] });
        block_on(store.commit(writes.collect(), Flush::Strict)).unwrap();
    }
    drop(store);
    let megabytes = std::fs::metadata(dir.path().join("peersync.redb")).unwrap().len() >> 20;
    let begin = Instant::now();
    let store = RedbStore::open(dir.path()).unwrap();
    println!("{megabytes} MiB opened in {:.2} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let found = block_on(store.load(ListId { room: RoomId([1; 32]), list: 1 }, 0, usize::MAX)).unwrap();
    println!("{} entries loaded in {:.3} s", found.len(), begin.elapsed().as_secs_f64());
}
