//! Durable commits per second. Run with `cargo test --release --test contract throughput -- --ignored --nocapture`.

use std::time::Instant;

use futures::{executor::block_on, future::join_all};
use peersync::{
    base::RoomId,
    storage::{Store, Write, native::RedbStore},
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
            store.commit(vec![Write::Append { room: RoomId([n; 32]), index, bytes }]).await.unwrap();
        }
    })));
    let seconds = begin.elapsed().as_secs_f64();
    println!("{:.0} commits/s", f64::from(COMMITTERS) * COMMITS_EACH as f64 / seconds);
}
