//! What every store does, run over each of them.

use std::sync::Arc;

use futures::{executor::block_on, future::join_all};
use peersync::{
    base::limits::STORE_QUEUE,
    storage::{MemoryStore, StoreError, native::RedbStore},
};

use crate::{disk::SimDisk, support::*};

fn memory() -> Shared {
    Arc::new(MemoryStore::new())
}

fn redb() -> Shared {
    Arc::new(RedbStore::open_on(Arc::new(SimDisk::default())).unwrap())
}

macro_rules! contract {
    ($($rule:ident)*) => {
        mod memory { $(#[test] fn $rule() { super::$rule(super::memory()); })* }
        mod redb { $(#[test] fn $rule() { super::$rule(super::redb()); })* }
    };
}

contract! {
    st1_a_commit_is_all_or_nothing
    st1_a_hole_is_refused_alone
    st2_commits_apply_in_the_order_of_their_calls
    st2_writes_of_a_commit_apply_in_order
    st2_polling_in_another_order_changes_nothing
    st4_entries_come_back_in_order_and_in_pages
    st4_load_limits_are_exact
    st5_append_replaces_what_is_there
    st5_truncate_drops_the_tail
    st5_a_room_can_begin_again
    st6_rooms_are_apart
    st6_meta_is_set_and_removed
    st7_any_bytes_are_kept
    st7_an_empty_commit_is_fine
    st9_dropping_the_future_keeps_the_commit
    st9_more_commits_than_the_queue_holds
}

fn st1_a_commit_is_all_or_nothing(store: Shared) {
    commit(&*store, vec![append(1, 0, b"old"), meta("a", Some(b"old"))]).unwrap();
    let failing =
        vec![append(1, 0, b"new"), truncate(2, 0), meta("a", None), append(2, 0, b"x"), append(3, 1, b"hole")];
    assert!(matches!(commit(&*store, failing), Err(StoreError::Hole { index: 1, len: 0, .. })));
    assert_eq!(all(&*store, 1), [b"old"]);
    assert!(all(&*store, 2).is_empty());
    assert_eq!(block_on(store.meta("a")).unwrap().unwrap(), b"old");
}

fn st1_a_hole_is_refused_alone(store: Shared) {
    let results = block_on(join_all([
        store.commit(vec![append(1, 0, b"0")]),
        store.commit(vec![append(1, 2, b"2")]),
        store.commit(vec![append(1, 1, b"1")]),
        store.commit(vec![append(1, u64::MAX, b"end")]),
    ]));
    assert!(matches!(results[..], [Ok(()), Err(StoreError::Hole { len: 1, .. }), Ok(()), Err(_)]));
    assert_eq!(all(&*store, 1), [b"0", b"1"]);
}

fn st2_commits_apply_in_the_order_of_their_calls(store: Shared) {
    let pending: Vec<_> = (0..500_u64).map(|i| store.commit(vec![append(1, i, &i.to_be_bytes())])).collect();
    assert!(block_on(join_all(pending)).into_iter().all(|result| result.is_ok()));
    let expected: Vec<_> = (0..500_u64).map(|i| i.to_be_bytes().to_vec()).collect();
    assert_eq!(all(&*store, 1), expected);
}

fn st2_writes_of_a_commit_apply_in_order(store: Shared) {
    let writes = vec![append(1, 0, b"a"), append(1, 1, b"b"), truncate(1, 0), append(1, 0, b"c"), append(1, 0, b"d")];
    commit(&*store, writes).unwrap();
    assert_eq!(all(&*store, 1), [b"d"]);
}

fn st2_polling_in_another_order_changes_nothing(store: Shared) {
    let first = store.commit(vec![append(1, 0, b"first")]);
    let second = store.commit(vec![append(1, 0, b"second")]);
    block_on(second).unwrap();
    assert_eq!(all(&*store, 1), [b"second"]);
    block_on(first).unwrap();
    assert_eq!(all(&*store, 1), [b"second"]);
}

fn st4_entries_come_back_in_order_and_in_pages(store: Shared) {
    // 300 entries: little-endian keys, or keys as text, would come back in another order.
    let writes = (0..300_u64).map(|i| append(1, i, &i.to_be_bytes())).collect();
    commit(&*store, writes).unwrap();
    let mut found = Vec::new();
    loop {
        let page = load(&*store, 1, found.len() as u64, 7);
        found.extend(page.clone());
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(found.len(), 300);
    for (i, entry) in (0_u64..).zip(found) {
        assert_eq!((entry.index, entry.bytes), (i, i.to_be_bytes().to_vec()));
    }
}

fn st4_load_limits_are_exact(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, b"x")).collect()).unwrap();
    let count = |from, limit| load(&*store, 1, from, limit).len();
    assert_eq!([count(0, 0), count(0, 1), count(0, 5), count(0, 6), count(0, usize::MAX)], [0, 1, 5, 5, 5]);
    assert_eq!([count(4, 9), count(5, 9), count(6, 9), count(u64::MAX, usize::MAX)], [1, 0, 0, 0]);
    assert_eq!(load(&*store, 9, 0, 9), []);
}

fn st5_append_replaces_what_is_there(store: Shared) {
    commit(&*store, vec![append(1, 0, b"aaaa"), append(1, 1, b"b")]).unwrap();
    commit(&*store, vec![append(1, 0, b"c")]).unwrap();
    assert_eq!(all(&*store, 1), [b"c", b"b"]);
}

fn st5_truncate_drops_the_tail(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, b"x")).collect()).unwrap();
    commit(&*store, vec![truncate(1, 5), truncate(1, u64::MAX), truncate(9, 0)]).unwrap();
    assert_eq!(all(&*store, 1).len(), 5);
    commit(&*store, vec![truncate(1, 2)]).unwrap();
    assert_eq!(all(&*store, 1).len(), 2);
    assert!(matches!(commit(&*store, vec![append(1, 3, b"y")]), Err(StoreError::Hole { len: 2, .. })));
    commit(&*store, vec![append(1, 2, b"y")]).unwrap();
    assert_eq!(all(&*store, 1).len(), 3);
}

fn st5_a_room_can_begin_again(store: Shared) {
    commit(&*store, vec![append(1, 0, b"x"), append(1, 1, b"y")]).unwrap();
    commit(&*store, vec![truncate(1, 0)]).unwrap();
    assert!(all(&*store, 1).is_empty());
    commit(&*store, vec![append(1, 0, b"z")]).unwrap();
    assert_eq!(all(&*store, 1), [b"z"]);
}

fn st6_rooms_are_apart(store: Shared) {
    // Neighbours in key order, at both ends of it.
    let writes = [0, 1, 254, 255].map(|n| [append(n, 0, &[n]), append(n, 1, &[n])]).concat();
    commit(&*store, writes).unwrap();
    commit(&*store, vec![truncate(1, 0), truncate(255, 1)]).unwrap();
    let lens = [0, 1, 254, 255].map(|n| load(&*store, n, 0, 9).len());
    assert_eq!(lens, [2, 0, 2, 1]);
    assert_eq!(all(&*store, 254), [[254], [254]]);
}

fn st6_meta_is_set_and_removed(store: Shared) {
    let get = |key| block_on(store.meta(key)).unwrap();
    assert_eq!(get("a"), None);
    commit(&*store, vec![meta("a", Some(b"1")), meta("b", Some(b"")), meta("schema", Some(b"mine"))]).unwrap();
    assert_eq!((get("a"), get("b"), get("schema")), (Some(b"1".into()), Some(vec![]), Some(b"mine".into())));
    commit(&*store, vec![meta("a", None), meta("none", None)]).unwrap();
    assert_eq!((get("a"), get("b")), (None, Some(vec![])));
}

fn st7_any_bytes_are_kept(store: Shared) {
    let huge = Rng(7).bytes(0).into_iter().chain((0..1 << 20).map(|i: u32| (i * 31) as u8)).collect::<Vec<_>>();
    commit(&*store, vec![append(1, 0, b""), append(1, 1, &huge), append(1, 2, &[0; 4096]), meta("a", Some(&huge))])
        .unwrap();
    assert_eq!(all(&*store, 1), [vec![], huge.clone(), vec![0; 4096]]);
    assert_eq!(block_on(store.meta("a")).unwrap(), Some(huge));
}

fn st7_an_empty_commit_is_fine(store: Shared) {
    commit(&*store, vec![]).unwrap();
    let results =
        block_on(join_all([store.commit(vec![]), store.commit(vec![append(1, 0, b"x")]), store.commit(vec![])]));
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(all(&*store, 1), [b"x"]);
}

fn st9_dropping_the_future_keeps_the_commit(store: Shared) {
    drop(store.commit(vec![append(1, 0, b"x")]));
    commit(&*store, vec![append(1, 1, b"y")]).unwrap();
    assert_eq!(all(&*store, 1), [b"x", b"y"]);
}

fn st9_more_commits_than_the_queue_holds(store: Shared) {
    let count = 3 * STORE_QUEUE as u64;
    let pending: Vec<_> = (0..count).map(|i| store.commit(vec![append(1, i, b"x")])).collect();
    // The last first: it must not need the others to be polled.
    assert!(pending.into_iter().rev().all(|commit| block_on(commit).is_ok()));
    assert_eq!(all(&*store, 1).len() as u64, count);
}
