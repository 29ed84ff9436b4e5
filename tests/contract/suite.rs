//! What every store does. Rules only, without a runner and without anything native: a browser runs them as well. Each
//! takes a store that is empty.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use peersync::{
    base::{RoomId, limits::STORE_QUEUE},
    storage::{Entry, Flush, ListId, ListState, Store, StoreError, Write},
};

pub(crate) type Shared = Arc<dyn Store>;

/// Hands the names of all rules that take an empty store to the macro `$run`.
macro_rules! for_each_rule {
    ($run:ident) => {
        $run! {
            st1_a_commit_is_all_or_nothing
            st1_a_hole_is_refused_alone
            st2_commits_apply_in_the_order_of_their_calls
            st2_writes_of_a_commit_apply_in_order
            st2_polling_in_another_order_changes_nothing
            st4_entries_come_back_in_order_and_in_pages
            st4_load_limits_are_exact
            st5_append_replaces_what_is_there
            st5_truncate_drops_the_tail
            st5_a_list_can_begin_again
            st6_rooms_are_apart
            st6_meta_is_set_and_removed
            st7_any_bytes_are_kept
            st7_an_empty_commit_is_fine
            st9_dropping_the_future_keeps_the_commit
            st9_more_commits_than_the_queue_holds
            st14_a_trimmed_list_begins_where_it_was_cut
            st14_an_append_before_the_first_entry_changes_nothing
            st14_trimming_backwards_changes_nothing
            st14_a_list_trimmed_beyond_its_end_continues_there
            st14_truncating_to_the_first_entry_forgets_the_list
            st14_a_compaction_is_one_commit
            st14_random_commits_do_what_a_plain_model_does
            st15_lists_are_told_in_order
            st15_lists_of_a_room_are_apart
            st15_a_list_without_entries_is_not_there
            st16_keys_come_by_prefix_and_in_order
            st17_strict_and_relaxed_commits_keep_their_order
        }
    };
}
pub(crate) use for_each_rule;

pub(crate) async fn st1_a_commit_is_all_or_nothing(store: Shared) {
    commit(&*store, vec![append(1, 0, b"old"), meta("a", Some(b"old"))]).await.unwrap();
    let failing = vec![
        append(1, 0, b"new"),
        truncate(2, 0),
        trim(1, 1),
        meta("a", None),
        append(2, 0, b"x"),
        append(3, 1, b"hole"),
    ];
    assert!(matches!(commit(&*store, failing).await, Err(StoreError::Hole { index: 1, end: 0, .. })));
    assert_eq!(all(&*store, 1).await, [b"old"]);
    assert_eq!(lists(&*store, 2).await, []);
    assert_eq!(store.meta("a").await.unwrap().unwrap(), b"old");
}

pub(crate) async fn st1_a_hole_is_refused_alone(store: Shared) {
    let results = join_all([
        store.commit(vec![append(1, 0, b"0")], Flush::Strict),
        store.commit(vec![append(1, 2, b"2")], Flush::Strict),
        store.commit(vec![append(1, 1, b"1")], Flush::Strict),
        store.commit(vec![append(1, u64::MAX, b"end")], Flush::Strict),
    ])
    .await;
    assert!(matches!(results[..], [Ok(()), Err(StoreError::Hole { end: 1, .. }), Ok(()), Err(_)]));
    assert_eq!(all(&*store, 1).await, [b"0", b"1"]);
}

pub(crate) async fn st2_commits_apply_in_the_order_of_their_calls(store: Shared) {
    let call = |i: u64| store.commit(vec![append(1, i, &i.to_be_bytes())], Flush::Strict);
    let pending: Vec<_> = (0..500).map(call).collect();
    assert!(join_all(pending).await.into_iter().all(|result| result.is_ok()));
    let expected: Vec<_> = (0..500_u64).map(|i| i.to_be_bytes().to_vec()).collect();
    assert_eq!(all(&*store, 1).await, expected);
}

pub(crate) async fn st2_writes_of_a_commit_apply_in_order(store: Shared) {
    let writes = vec![append(1, 0, b"a"), append(1, 1, b"b"), truncate(1, 0), append(1, 0, b"c"), append(1, 0, b"d")];
    commit(&*store, writes).await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"d"]);
}

pub(crate) async fn st2_polling_in_another_order_changes_nothing(store: Shared) {
    let first = store.commit(vec![append(1, 0, b"first")], Flush::Strict);
    let second = store.commit(vec![append(1, 0, b"second")], Flush::Strict);
    second.await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"second"]);
    first.await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"second"]);
}

pub(crate) async fn st4_entries_come_back_in_order_and_in_pages(store: Shared) {
    // 300 entries: little-endian keys, or keys as text, would come back in another order.
    let writes = (0..300_u64).map(|i| append(1, i, &i.to_be_bytes())).collect();
    commit(&*store, writes).await.unwrap();
    let mut found = Vec::new();
    loop {
        let page = load(&*store, 1, found.len() as u64, 7).await;
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

pub(crate) async fn st4_load_limits_are_exact(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, b"x")).collect()).await.unwrap();
    let cases = [(0, 0, 0), (0, 1, 1), (0, 5, 5), (0, 6, 5), (0, usize::MAX, 5), (4, 9, 1), (5, 9, 0), (6, 9, 0)];
    for (from, limit, count) in cases.into_iter().chain([(u64::MAX, usize::MAX, 0)]) {
        assert_eq!(load(&*store, 1, from, limit).await.len(), count, "{limit} from {from}");
    }
    assert_eq!(load(&*store, 9, 0, 9).await, []);
}

pub(crate) async fn st5_append_replaces_what_is_there(store: Shared) {
    commit(&*store, vec![append(1, 0, b"aaaa"), append(1, 1, b"b")]).await.unwrap();
    commit(&*store, vec![append(1, 0, b"c")]).await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"c", b"b"]);
    assert_eq!(lists(&*store, 1).await, [(LIST, 0, 2)]);
}

pub(crate) async fn st5_truncate_drops_the_tail(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, b"x")).collect()).await.unwrap();
    commit(&*store, vec![truncate(1, 5), truncate(1, u64::MAX), truncate(9, 0), truncate(9, 3)]).await.unwrap();
    assert_eq!(all(&*store, 1).await.len(), 5);
    commit(&*store, vec![truncate(1, 2)]).await.unwrap();
    assert_eq!(all(&*store, 1).await.len(), 2);
    assert!(matches!(commit(&*store, vec![append(1, 3, b"y")]).await, Err(StoreError::Hole { end: 2, .. })));
    commit(&*store, vec![append(1, 2, b"y")]).await.unwrap();
    assert_eq!(all(&*store, 1).await.len(), 3);
}

pub(crate) async fn st5_a_list_can_begin_again(store: Shared) {
    commit(&*store, vec![append(1, 0, b"x"), append(1, 1, b"y")]).await.unwrap();
    commit(&*store, vec![truncate(1, 0)]).await.unwrap();
    assert!(all(&*store, 1).await.is_empty());
    commit(&*store, vec![append(1, 0, b"z")]).await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"z"]);
}

pub(crate) async fn st6_rooms_are_apart(store: Shared) {
    // Neighbours in key order, at both ends of it.
    let writes = [0, 1, 254, 255].map(|n| [append(n, 0, &[n]), append(n, 1, &[n])]).concat();
    commit(&*store, writes).await.unwrap();
    commit(&*store, vec![truncate(1, 0), truncate(255, 1), trim(0, 2)]).await.unwrap();
    for (n, count) in [(0, 0), (1, 0), (254, 2), (255, 1)] {
        assert_eq!(load(&*store, n, 0, 9).await.len(), count, "room {n}");
    }
    assert_eq!(all(&*store, 254).await, [[254], [254]]);
    assert_eq!(lists(&*store, 0).await, [(LIST, 2, 2)]);
    assert_eq!(lists(&*store, 255).await, [(LIST, 0, 1)]);
}

pub(crate) async fn st6_meta_is_set_and_removed(store: Shared) {
    let get = async |key| store.meta(key).await.unwrap();
    assert_eq!(get("a").await, None);
    commit(&*store, vec![meta("a", Some(b"1")), meta("b", Some(b"")), meta("schema", Some(b"mine"))]).await.unwrap();
    assert_eq!(get("a").await, Some(b"1".into()));
    assert_eq!((get("b").await, get("schema").await), (Some(vec![]), Some(b"mine".into())));
    commit(&*store, vec![meta("a", None), meta("none", None)]).await.unwrap();
    assert_eq!((get("a").await, get("b").await), (None, Some(vec![])));
}

pub(crate) async fn st7_any_bytes_are_kept(store: Shared) {
    let huge = (0..1 << 20).map(|i: u32| (i * 31) as u8).collect::<Vec<_>>();
    let writes = vec![append(1, 0, b""), append(1, 1, &huge), append(1, 2, &[0; 4096]), meta("a", Some(&huge))];
    commit(&*store, writes).await.unwrap();
    assert_eq!(all(&*store, 1).await, [vec![], huge.clone(), vec![0; 4096]]);
    assert_eq!(store.meta("a").await.unwrap(), Some(huge));
}

pub(crate) async fn st7_an_empty_commit_is_fine(store: Shared) {
    commit(&*store, vec![]).await.unwrap();
    let results = join_all([
        store.commit(vec![], Flush::Strict),
        store.commit(vec![append(1, 0, b"x")], Flush::Strict),
        store.commit(vec![], Flush::Relaxed),
    ])
    .await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(all(&*store, 1).await, [b"x"]);
}

pub(crate) async fn st9_dropping_the_future_keeps_the_commit(store: Shared) {
    drop(store.commit(vec![append(1, 0, b"x")], Flush::Strict));
    commit(&*store, vec![append(1, 1, b"y")]).await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"x", b"y"]);
}

pub(crate) async fn st9_more_commits_than_the_queue_holds(store: Shared) {
    let count = 3 * STORE_QUEUE as u64;
    let pending: Vec<_> = (0..count).map(|i| store.commit(vec![append(1, i, b"x")], Flush::Strict)).collect();
    // The last first: it must not need the others to be polled.
    for commit in pending.into_iter().rev() {
        commit.await.unwrap();
    }
    assert_eq!(all(&*store, 1).await.len() as u64, count);
}

pub(crate) async fn st14_a_trimmed_list_begins_where_it_was_cut(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, &[i as u8])).collect()).await.unwrap();
    commit(&*store, vec![trim(1, 3)]).await.unwrap();
    assert_eq!(lists(&*store, 1).await, [(LIST, 3, 5)]);
    let indices = async |from, limit| -> Vec<_> {
        load(&*store, 1, from, limit).await.into_iter().map(|entry| (entry.index, entry.bytes)).collect()
    };
    let (three, four) = ((3, vec![3]), (4, vec![4]));
    assert_eq!(indices(0, 9).await, [three.clone(), four.clone()], "from before it: from its first");
    assert_eq!(indices(0, 1).await, vec![three.clone()]);
    assert_eq!(indices(3, 9).await, [three, four.clone()]);
    assert_eq!(indices(4, 9).await, [four]);
    assert_eq!(indices(5, 9).await, []);
    commit(&*store, vec![append(1, 3, b"new"), append(1, 5, b"next")]).await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"new".to_vec(), vec![4], b"next".to_vec()]);
    assert!(matches!(commit(&*store, vec![append(1, 7, b"y")]).await, Err(StoreError::Hole { end: 6, .. })));
}

pub(crate) async fn st14_an_append_before_the_first_entry_changes_nothing(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, b"x")).collect()).await.unwrap();
    commit(&*store, vec![trim(1, 3), append(1, 0, b"late"), append(1, 2, b"late")]).await.unwrap();
    commit(&*store, vec![append(1, 2, b"later"), meta("a", Some(b"all the same"))]).await.unwrap();
    assert_eq!(lists(&*store, 1).await, [(LIST, 3, 5)]);
    assert_eq!(all(&*store, 1).await, [b"x", b"x"]);
    assert!(store.meta("a").await.unwrap().is_some());
}

pub(crate) async fn st14_trimming_backwards_changes_nothing(store: Shared) {
    commit(&*store, (0..5).map(|i| append(1, i, b"x")).collect()).await.unwrap();
    commit(&*store, vec![trim(1, 3), trim(1, 3), trim(1, 1), trim(1, 0)]).await.unwrap();
    commit(&*store, vec![trim(1, 2)]).await.unwrap();
    assert_eq!(lists(&*store, 1).await, [(LIST, 3, 5)]);
    assert_eq!(all(&*store, 1).await.len(), 2);
}

pub(crate) async fn st14_a_list_trimmed_beyond_its_end_continues_there(store: Shared) {
    commit(&*store, vec![append(1, 0, b"x"), append(1, 1, b"x"), trim(2, 700), trim(3, 0)]).await.unwrap();
    commit(&*store, vec![trim(1, 7)]).await.unwrap();
    assert_eq!(lists(&*store, 1).await, [(LIST, 7, 7)]);
    assert_eq!(lists(&*store, 2).await, [(LIST, 700, 700)], "it was not there");
    assert_eq!(lists(&*store, 3).await, [], "trimmed of nothing");
    assert_eq!(all(&*store, 1).await, [[0; 0]; 0]);
    let hole = commit(&*store, vec![append(1, 8, b"y")]).await;
    assert!(matches!(hole, Err(StoreError::Hole { index: 8, end: 7, .. })));
    commit(&*store, vec![append(1, 6, b"late"), append(1, 7, b"y"), append(2, 700, b"z")]).await.unwrap();
    assert_eq!(load(&*store, 1, 0, 9).await, [Entry { index: 7, bytes: b"y".to_vec() }]);
    assert_eq!(load(&*store, 2, 0, 9).await, [Entry { index: 700, bytes: b"z".to_vec() }]);
}

pub(crate) async fn st14_truncating_to_the_first_entry_forgets_the_list(store: Shared) {
    let filled = |n| (0..5).map(move |i| append(n, i, b"x"));
    commit(&*store, (1..=5).flat_map(filled).collect()).await.unwrap();
    commit(&*store, (1..=5).map(|n| trim(n, 3)).chain([trim(4, 9)]).collect()).await.unwrap();
    let cuts = vec![truncate(1, 4), truncate(2, 3), truncate(3, 1), truncate(4, 9), truncate(5, 5)];
    commit(&*store, cuts).await.unwrap();
    assert_eq!(lists(&*store, 1).await, [(LIST, 3, 4)], "where it begins stays");
    for n in [2, 3, 4] {
        assert_eq!(lists(&*store, n).await, [], "room {n}");
        assert!(matches!(commit(&*store, vec![append(n, 3, b"y")]).await, Err(StoreError::Hole { end: 0, .. })));
        commit(&*store, vec![append(n, 0, b"y")]).await.unwrap();
        assert_eq!(all(&*store, n).await, [b"y"]);
    }
    assert_eq!(lists(&*store, 5).await, [(LIST, 3, 5)]);
}

pub(crate) async fn st14_a_compaction_is_one_commit(store: Shared) {
    let (own, writers) = (list_of(1, 0), [list_of(1, 7), list_of(1, u64::MAX)]);
    let put = |list, index, bytes: &[u8]| Write::Append { list, index, bytes: bytes.to_vec() };
    let log = writers.iter().flat_map(|list| (0..20).map(move |i| put(*list, i, b"operation")));
    commit(&*store, log.chain([put(own, 0, b"snapshot 1"), put(own, 1, b"proof")]).collect()).await.unwrap();
    let compaction = vec![
        Write::Truncate { list: own, from: 0 },
        put(own, 0, b"snapshot 2"),
        Write::Trim { list: writers[0], before: 20 },
        Write::Trim { list: writers[1], before: 15 },
    ];
    // What was called just before and after it belongs on its side of the cut.
    let pending = join_all([
        store.commit(vec![put(writers[1], 20, b"before")], Flush::Relaxed),
        store.commit(compaction, Flush::Strict),
        store.commit(vec![put(writers[0], 20, b"after"), put(writers[1], 3, b"trimmed")], Flush::Relaxed),
    ]);
    assert!(pending.await.iter().all(Result::is_ok));
    assert_eq!(lists(&*store, 1).await, [(0, 0, 1), (7, 20, 21), (u64::MAX, 15, 21)]);
    assert_eq!(store.load(own, 0, 9).await.unwrap(), [Entry { index: 0, bytes: b"snapshot 2".to_vec() }]);
    assert_eq!(store.load(writers[0], 0, 9).await.unwrap(), [Entry { index: 20, bytes: b"after".to_vec() }]);
    assert_eq!(store.load(writers[1], 0, 9).await.unwrap().len(), 6);
}

pub(crate) async fn st14_random_commits_do_what_a_plain_model_does(store: Shared) {
    let mut rng = Rng(14);
    let mut model = Model::default();
    for round in 0..150 {
        let writes: Vec<_> = (0..=rng.below(3)).map(|_| any_write(&mut rng)).collect();
        let expected = model.commit(&writes);
        let result = store.commit(writes.clone(), if rng.below(2) == 0 { Flush::Strict } else { Flush::Relaxed }).await;
        assert_eq!(result.is_ok(), expected, "round {round}: {writes:?} gave {result:?}");
        for n in 0..3 {
            let states = store.lists(room(n)).await.unwrap();
            assert_eq!(states, model.lists(room(n)), "round {round}, after {writes:?}");
            for state in states {
                let found = store.load(list_of(n, state.list), rng.below(6), usize::MAX).await.unwrap();
                let expected = model.0.get(&list_of(n, state.list)).unwrap().1.iter().rev();
                let agrees = found.iter().rev().zip(expected).all(|(entry, bytes)| entry.bytes == *bytes);
                assert!(agrees, "round {round}, list {} after {writes:?}", state.list);
                assert!(found.last().is_none_or(|entry| entry.index + 1 == state.end));
            }
        }
    }
}

pub(crate) async fn st15_lists_are_told_in_order(store: Shared) {
    let numbers = [u64::MAX, 256, 0, 1 << 63, 255, 1, 65_536];
    let put = |number| Write::Append { list: list_of(1, number), index: 0, bytes: vec![1] };
    commit(&*store, numbers.into_iter().map(put).chain([append(0, 0, b"x"), append(2, 0, b"x")]).collect())
        .await
        .unwrap();
    let found: Vec<_> = lists(&*store, 1).await.into_iter().map(|(list, ..)| list).collect();
    assert_eq!(found, [0, 1, 255, 256, 65_536, 1 << 63, u64::MAX]);
    assert_eq!(lists(&*store, 9).await, []);
}

pub(crate) async fn st15_lists_of_a_room_are_apart(store: Shared) {
    let numbers = [0, 1, 2, u64::MAX];
    let put = |number: u64, i| Write::Append { list: list_of(1, number), index: i, bytes: number.to_be_bytes().into() };
    commit(&*store, numbers.into_iter().flat_map(|number| (0..4).map(move |i| put(number, i))).collect())
        .await
        .unwrap();
    let cuts = vec![
        Write::Truncate { list: list_of(1, 0), from: 0 },
        Write::Trim { list: list_of(1, 1), before: 4 },
        Write::Truncate { list: list_of(1, u64::MAX), from: 1 },
    ];
    commit(&*store, cuts).await.unwrap();
    assert_eq!(lists(&*store, 1).await, [(1, 4, 4), (2, 0, 4), (u64::MAX, 0, 1)]);
    let found = store.load(list_of(1, 2), 0, usize::MAX).await.unwrap();
    assert!(found.len() == 4 && found.iter().all(|entry| entry.bytes == 2_u64.to_be_bytes()));
}

pub(crate) async fn st15_a_list_without_entries_is_not_there(store: Shared) {
    commit(&*store, vec![truncate(1, 0), truncate(1, 4), trim(1, 0)]).await.unwrap();
    commit(&*store, vec![append(1, 0, b"x"), truncate(1, 0), trim(2, 4), truncate(2, 0)]).await.unwrap();
    assert_eq!((lists(&*store, 1).await, lists(&*store, 2).await), (vec![], vec![]));
}

pub(crate) async fn st16_keys_come_by_prefix_and_in_order(store: Shared) {
    let names = ["peer/b", "writer/1/2", "peer/", "peer", "peer/a", "peer0", "pee", "peer/a/x", "identity"];
    commit(&*store, names.iter().map(|name| meta(name, Some(b"x"))).collect()).await.unwrap();
    let keys = async |prefix, limit| store.keys(prefix, limit).await.unwrap();
    assert_eq!(keys("peer/", 9).await, ["peer/", "peer/a", "peer/a/x", "peer/b"]);
    assert_eq!(keys("peer/", 2).await, ["peer/", "peer/a"]);
    assert_eq!(keys("peer/", 0).await, [""; 0]);
    assert_eq!(keys("peer/c", 9).await, [""; 0]);
    assert_eq!(keys("z", 9).await, [""; 0]);
    assert_eq!(keys("", usize::MAX).await.len(), names.len());
    assert_eq!(keys("", 2).await, ["identity", "pee"]);
    commit(&*store, vec![meta("peer/a", None)]).await.unwrap();
    assert_eq!(keys("peer/", 9).await, ["peer/", "peer/a/x", "peer/b"]);
}

pub(crate) async fn st17_strict_and_relaxed_commits_keep_their_order(store: Shared) {
    let flush = |i| if i % 3 == 0 { Flush::Strict } else { Flush::Relaxed };
    let pending: Vec<_> = (0..100_u64).map(|i| store.commit(vec![append(1, i, &[i as u8])], flush(i))).collect();
    assert!(join_all(pending).await.iter().all(Result::is_ok));
    let expected: Vec<_> = (0..100).map(|i| vec![i]).collect();
    assert_eq!(all(&*store, 1).await, expected);
    commit(&*store, vec![truncate(1, 0)]).await.unwrap();
    store.commit(vec![append(1, 0, b"relaxed")], Flush::Relaxed).await.unwrap();
    assert_eq!(all(&*store, 1).await, [b"relaxed"], "seen as soon as it has resolved");
}

/// For stores that outlive their object: `open` opens the same one again, once what it gave before was dropped.
pub(crate) async fn st3_reopening_keeps_everything(open: impl AsyncFn() -> Shared) {
    let mut rng = Rng(3);
    let mut model = Model::default();
    for round in 0..30 {
        let store = open().await;
        assert!(store.is_durable());
        for n in 0..3 {
            let states = store.lists(room(n)).await.unwrap();
            assert_eq!(states, model.lists(room(n)), "round {round}");
            for state in states {
                let found = store.load(list_of(n, state.list), 0, usize::MAX).await.unwrap();
                let found: Vec<_> = found.into_iter().map(|entry| entry.bytes).collect();
                assert_eq!(found, model.0.get(&list_of(n, state.list)).unwrap().1, "round {round}");
            }
        }
        let writes: Vec<_> = (0..4).map(|_| any_write(&mut rng)).collect();
        assert_eq!(store.commit(writes.clone(), Flush::Strict).await.is_ok(), model.commit(&writes));
    }
}

// ── Short ways to write commits ───────────────────────────────────────────────────────────────────────────────────

/// The list of a room that the short ways mean.
pub(crate) const LIST: u64 = 5;

pub(crate) fn room(n: u8) -> RoomId {
    RoomId([n; 32])
}

pub(crate) fn list_of(n: u8, list: u64) -> ListId {
    ListId { room: room(n), list }
}

pub(crate) fn append(n: u8, index: u64, bytes: &[u8]) -> Write {
    Write::Append { list: list_of(n, LIST), index, bytes: bytes.to_vec() }
}

pub(crate) fn truncate(n: u8, from: u64) -> Write {
    Write::Truncate { list: list_of(n, LIST), from }
}

pub(crate) fn trim(n: u8, before: u64) -> Write {
    Write::Trim { list: list_of(n, LIST), before }
}

pub(crate) fn meta(key: &str, value: Option<&[u8]>) -> Write {
    Write::Meta { key: key.to_owned(), value: value.map(<[u8]>::to_vec) }
}

async fn commit(store: &dyn Store, writes: Vec<Write>) -> Result<(), StoreError> {
    store.commit(writes, Flush::Strict).await
}

async fn load(store: &dyn Store, n: u8, from: u64, limit: usize) -> Vec<Entry> {
    store.load(list_of(n, LIST), from, limit).await.unwrap()
}

/// The bytes of every entry.
async fn all(store: &dyn Store, n: u8) -> Vec<Vec<u8>> {
    load(store, n, 0, usize::MAX).await.into_iter().map(|entry| entry.bytes).collect()
}

/// Number, first and end of every list of a room.
async fn lists(store: &dyn Store, n: u8) -> Vec<(u64, u64, u64)> {
    store.lists(room(n)).await.unwrap().into_iter().map(|state| (state.list, state.first, state.end)).collect()
}

/// What the contract says, word by word: where each list begins, and its entries from there on.
#[derive(Clone, Default)]
struct Model(BTreeMap<ListId, (u64, Vec<Vec<u8>>)>);

impl Model {
    /// Whether the commit is taken.
    fn commit(&mut self, writes: &[Write]) -> bool {
        let before = self.clone();
        let taken = writes.iter().all(|write| self.apply(write));
        if !taken {
            *self = before;
        }
        self.0.retain(|_, (first, entries)| *first > 0 || !entries.is_empty());
        taken
    }

    fn apply(&mut self, write: &Write) -> bool {
        let (Write::Append { list, .. } | Write::Truncate { list, .. } | Write::Trim { list, .. }) = write else {
            return true;
        };
        let (first, entries) = self.0.entry(*list).or_default();
        let end = *first + entries.len() as u64;
        match write {
            Write::Append { index, .. } if *index > end => return false,
            Write::Append { index, bytes, .. } if *index == end => entries.push(bytes.clone()),
            Write::Append { index, bytes, .. } if *index >= *first => {
                entries[(index - *first) as usize] = bytes.clone()
            }
            Write::Truncate { from, .. } if *from <= *first => (*first, *entries) = (0, Vec::new()),
            Write::Truncate { from, .. } => entries.truncate((from - *first) as usize),
            Write::Trim { before, .. } if *before > *first => {
                entries.drain(..entries.len().min((before - *first) as usize));
                *first = *before;
            }
            _ => {}
        }
        true
    }

    fn lists(&self, room: RoomId) -> Vec<ListState> {
        let state = |(id, (first, entries)): (&ListId, &(u64, Vec<Vec<u8>>))| ListState {
            list: id.list,
            first: *first,
            end: *first + entries.len() as u64,
        };
        self.0.iter().filter(|(id, _)| id.room == room).map(state).collect()
    }
}

/// A change of one of few short lists, sometimes one that leaves a hole.
fn any_write(rng: &mut Rng) -> Write {
    let list = list_of(rng.below(3) as u8, [0, 1, u64::MAX][rng.below(3) as usize]);
    match rng.below(20) {
        0 => Write::Truncate { list, from: rng.below(8) },
        1 | 2 => Write::Trim { list, before: rng.below(8) },
        _ => Write::Append { list, index: rng.below(6).min(rng.below(8)), bytes: rng.bytes(40) },
    }
}

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn bytes(&mut self, max: u64) -> Vec<u8> {
        (0..self.below(max + 1)).map(|_| self.next() as u8).collect()
    }
}
