//! What only a browser's database can meet: other pages, users that delete it, damage, browsers that fail.

use futures::future::join_all;
use peersync::storage::{Flush, ListId, ListState, Store, StoreError, Write, browser::IndexedDbStore};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    page::{Patched, js},
    store::{fresh_name, open},
    suite::{LIST, append, list_of, meta, room, truncate},
};

async fn commit(store: &IndexedDbStore, writes: Vec<Write>) -> Result<(), StoreError> {
    store.commit(writes, Flush::Strict).await
}

async fn try_open(name: &str) -> Result<IndexedDbStore, StoreError> {
    IndexedDbStore::open(name, [9; 32]).await
}

async fn all(store: &IndexedDbStore, n: u8) -> Vec<Vec<u8>> {
    let found = store.load(list_of(n, LIST), 0, usize::MAX).await.unwrap();
    found.into_iter().map(|entry| entry.bytes).collect()
}

fn is_hole(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Hole { end: 0, .. }))
}

// ── Several pages ────────────────────────────────────────────────────────────────────────────────────────────────

#[wasm_bindgen_test]
async fn st19_two_pages_append_to_one_list() {
    let name = fresh_name();
    let (one, two) = (open(&name).await, open(&name).await);
    let entry = |i: u64| vec![append(1, i, &i.to_be_bytes())];
    // Both store what both got from a peer, and each its own.
    let mut pending = Vec::new();
    for i in 0..200 {
        pending.push(one.commit(entry(i), Flush::Relaxed));
        pending.push(two.commit(entry(i), Flush::Strict));
        pending.push(one.commit(vec![append(2, i, b"one")], Flush::Strict));
        pending.push(two.commit(vec![append(3, i, b"two")], Flush::Relaxed));
    }
    // Neither sees a hole: each appends in order, and the other may only be ahead.
    assert!(join_all(pending).await.iter().all(Result::is_ok));
    let expected: Vec<_> = (0..200_u64).map(|i| i.to_be_bytes().to_vec()).collect();
    for store in [&one, &two] {
        assert_eq!(all(store, 1).await, expected);
        assert_eq!((all(store, 2).await.len(), all(store, 3).await.len()), (200, 200));
    }
}

#[wasm_bindgen_test]
async fn st19_a_hole_is_judged_by_what_is_stored() {
    let name = fresh_name();
    let (one, two) = (open(&name).await, open(&name).await);
    commit(&one, vec![append(1, 0, b"0"), append(1, 1, b"1")]).await.unwrap();
    commit(&two, vec![append(1, 2, b"2")]).await.unwrap();
    commit(&one, vec![append(1, 3, b"3")]).await.unwrap();
    commit(&two, vec![truncate(1, 1)]).await.unwrap();
    assert!(matches!(commit(&one, vec![append(1, 4, b"4")]).await, Err(StoreError::Hole { index: 4, end: 1, .. })));
    assert_eq!(one.lists(room(1)).await.unwrap(), [ListState { list: LIST, first: 0, end: 1 }]);
}

#[wasm_bindgen_test]
async fn st19_a_page_makes_way_for_an_upgrade_at_once() {
    let name = fresh_name();
    let store = open(&name).await;
    commit(&store, vec![append(1, 0, b"x")]).await.unwrap();
    let unanswered = store.commit(vec![append(1, 1, b"y")], Flush::Strict);
    // Resolves only when the store has closed its connection.
    js(&name, "globalThis.newer = await open(99);").await;
    unanswered.await.unwrap();
    let newer =
        |result: Result<(), StoreError>| matches!(result, Err(StoreError::NewerSchema { found: 3.., supported: 2 }));
    assert!(newer(commit(&store, vec![append(1, 2, b"z")]).await));
    assert!(newer(store.load(list_of(1, LIST), 0, 9).await.map(drop)));
    assert!(newer(try_open(&name).await.map(drop)));
    js(&name, "newer.close(); await remove();").await;
}

// ── Deleted, closed ──────────────────────────────────────────────────────────────────────────────────────────────

#[wasm_bindgen_test]
async fn st20_a_deleted_database_answers_hole_and_begins_again() {
    let name = fresh_name();
    let store = open(&name).await;
    commit(&store, vec![append(1, 0, b"a"), append(1, 1, b"b"), meta("key", Some(b"value"))]).await.unwrap();
    js(&name, "await remove();").await;
    assert!(is_hole(&commit(&store, vec![append(1, 2, b"c")]).await));
    assert_eq!(store.lists(room(1)).await.unwrap(), []);
    assert_eq!(store.meta("key").await.unwrap(), None);
    commit(&store, vec![append(1, 0, b"a"), append(1, 1, b"b"), append(1, 2, b"c")]).await.unwrap();
    assert_eq!(all(&store, 1).await, [b"a", b"b", b"c"]);
}

#[wasm_bindgen_test]
async fn st20_a_database_that_the_page_itself_made_again_is_another() {
    let name = fresh_name();
    let store = open(&name).await;
    for round in 0..3 {
        commit(&store, vec![append(1, 0, b"a")]).await.unwrap();
        js(&name, "await remove();").await;
        assert!(is_hole(&commit(&store, vec![append(2, 0, b"b")]).await), "round {round}");
    }
}

#[wasm_bindgen_test]
async fn st20_the_first_append_after_a_deletion_is_refused_wherever_it_appends() {
    let name = fresh_name();
    let store = open(&name).await;
    commit(&store, vec![append(1, 0, b"a")]).await.unwrap();
    js(&name, "await remove();").await;
    // Another page is first, and stores what it needs.
    let other = open(&name).await;
    commit(&other, vec![append(2, 0, b"b")]).await.unwrap();
    let results = join_all([
        store.commit(vec![meta("key", Some(b"value"))], Flush::Strict),
        store.commit(vec![append(3, 0, b"c")], Flush::Strict),
        store.commit(vec![append(3, 0, b"c")], Flush::Strict),
    ])
    .await;
    assert!(results[0].is_ok() && is_hole(&results[1]) && results[2].is_ok(), "{results:?}");
    commit(&store, vec![append(1, 0, b"a")]).await.unwrap();
    // It is told once.
    commit(&store, vec![append(4, 0, b"d")]).await.unwrap();
    assert_eq!((all(&other, 1).await, all(&other, 2).await), (vec![b"a".to_vec()], vec![b"b".to_vec()]));
}

const CAPTURE: &str = "
    const real = IDBFactory.prototype.open;
    globalThis.connections = [];
    IDBFactory.prototype.open = function (...rest) {
        const request = real.apply(this, rest);
        request.addEventListener('success', () => connections.push(request.result));
        return request;
    };
    return () => { IDBFactory.prototype.open = real; };";

#[wasm_bindgen_test]
async fn st20_a_connection_that_was_closed_is_opened_again() {
    let name = fresh_name();
    let _patched = Patched::new(CAPTURE);
    let store = open(&name).await;
    commit(&store, vec![append(1, 0, b"a")]).await.unwrap();
    // Without a word, as after a crash of the browser's database process, and with one.
    js(&name, "connections.at(-1).close();").await;
    commit(&store, vec![append(1, 1, b"b")]).await.unwrap();
    js(&name, "connections.at(-1).close(); connections.at(-1).onclose(new Event('close'));").await;
    assert_eq!(all(&store, 1).await, [b"a", b"b"]);
    assert_eq!(js(&name, "return connections.length;").await, 3);
}

#[wasm_bindgen_test]
async fn st8_dropping_the_store_finishes_and_closes() {
    let name = fresh_name();
    let _patched = Patched::new(CAPTURE);
    let store = open(&name).await;
    let pending: Vec<_> = (0..100).map(|i| store.commit(vec![append(1, i, b"x")], Flush::Relaxed)).collect();
    drop(store);
    assert!(join_all(pending).await.iter().all(Result::is_ok));
    let closed = "
        await new Promise((resolve) => setTimeout(resolve));
        const [db] = connections;
        try { db.transaction('meta'); return false; } catch { return !db.onclose && !db.onversionchange; }";
    assert_eq!(js(&name, closed).await, true);
    assert_eq!(all(&open(&name).await, 1).await.len(), 100);
}

#[wasm_bindgen_test]
async fn st8_close_finishes_then_refuses() {
    let name = fresh_name();
    let store = open(&name).await;
    let pending: Vec<_> = (0..100).map(|i| store.commit(vec![append(1, i, b"x")], Flush::Strict)).collect();
    store.close().await.unwrap();
    assert!(join_all(pending).await.iter().all(Result::is_ok));
    assert!(matches!(commit(&store, vec![]).await, Err(StoreError::Closed)));
    assert!(matches!(store.load(list_of(1, LIST), 0, 1).await, Err(StoreError::Closed)));
    store.close().await.unwrap();
}

// ── Damage ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// Changes the first row of `store`'s values by `script`, which knows `key` and `value`, and may return another value.
async fn spoil(name: &str, store: &str, script: &str) {
    let script = format!(
        "await within(['{store}'], async (store) => {{
            const [key] = await settled(store.getAllKeys(null, 1));
            const value = await settled(store.get(key));
            {script}
            await settled(store.put(value, key));
        }});"
    );
    js(name, &script).await;
}

#[wasm_bindgen_test]
async fn st11_a_flipped_bit_in_a_row_is_corrupt_for_its_list_only() {
    let corrupt = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Corrupt(_)));
    for flip in ["value[0] ^= 1;", "value[7] ^= 128;", "value[8] ^= 1;", "value[value.length - 1] ^= 16;"] {
        for rows in ["entries", "lists", "meta"] {
            let name = fresh_name();
            let store = open(&name).await;
            let writes = vec![append(1, 0, b"one"), append(1, 1, b"one"), append(2, 0, b"two"), meta("a", Some(b"A"))];
            commit(&store, [writes, vec![meta("b", Some(b"B"))]].concat()).await.unwrap();
            spoil(&name, rows, flip).await;
            assert_eq!(corrupt(store.load(list_of(1, LIST), 0, 9).await.map(drop)), rows != "meta", "{rows} {flip}");
            let end = if rows == "lists" { u64::MAX } else { 2 };
            assert_eq!(store.lists(room(1)).await.unwrap(), [ListState { list: LIST, first: 0, end }], "{rows} {flip}");
            assert_eq!(corrupt(store.meta("a").await.map(drop)), rows == "meta", "{rows} {flip}");
            assert_eq!(all(&store, 2).await, [b"two"]);
            assert_eq!(store.meta("b").await.unwrap().unwrap(), b"B");
            // Only its own commits are refused, also when they share a transaction.
            let results = join_all([
                store.commit(vec![append(2, 1, b"two")], Flush::Strict),
                store.commit(vec![append(1, 2, b"one")], Flush::Strict),
                store.commit(vec![append(2, 2, b"two")], Flush::Strict),
            ])
            .await;
            let expected = [true, rows != "lists", true];
            assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), expected, "{rows} {flip}");
        }
    }
}

#[wasm_bindgen_test]
async fn st11_a_list_that_begins_anew_is_whole_again() {
    let name = fresh_name();
    let store = open(&name).await;
    commit(&store, vec![append(1, 0, b"a"), append(1, 1, b"b"), append(2, 0, b"c")]).await.unwrap();
    spoil(&name, "lists", "value[9] ^= 1;").await;
    assert!(commit(&store, vec![append(1, 1, b"b")]).await.is_err());
    // Not by a commit that is refused.
    assert!(is_hole(&commit(&store, vec![truncate(1, 0), append(1, 1, b"b")]).await));
    assert!(store.load(list_of(1, LIST), 0, 9).await.is_err());
    commit(&store, vec![truncate(1, 0), append(1, 0, b"d")]).await.unwrap();
    assert_eq!(all(&store, 1).await, [b"d"]);
    assert_eq!(all(&store, 2).await, [b"c"]);
}

#[wasm_bindgen_test]
async fn st11_rows_that_are_missing_or_in_the_place_of_others_are_corrupt() {
    for script in [
        "await settled(entries.delete(keys[1]));",
        "await settled(entries.delete(keys[2]));",
        "await settled(lists.clear());",
        "await settled(entries.put(await settled(entries.get(keys[0])), keys[1]));",
        "await settled(entries.put('text', keys[0]));",
        "await settled(entries.put(new Uint8Array(0), keys[0]));",
        "await settled(lists.put({}, keys[0].slice(0, 40)));",
        // One entry more than its bounds say.
        "const next = keys[2].slice(); new DataView(next).setUint8(47, 3);
         await settled(entries.put(new Uint8Array(9), next));",
    ] {
        let name = fresh_name();
        let store = open(&name).await;
        commit(&store, vec![append(1, 0, b"a"), append(1, 1, b"b"), append(1, 2, b"c")]).await.unwrap();
        let script = format!(
            "await within(['lists', 'entries'], async (lists, entries) => {{
                const keys = await settled(entries.getAllKeys());
                {script}
            }});"
        );
        js(&name, &script).await;
        let found = store.load(list_of(1, LIST), 0, 9).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{script} {found:?}");
    }
}

#[wasm_bindgen_test]
async fn st11_a_database_of_something_else_is_corrupt() {
    for script in [
        "(await open(2)).close();",
        "const request = indexedDB.open(name, 2);
         request.onupgradeneeded = () => request.result.createObjectStore('about');
         (await settled(request)).close();",
    ] {
        let name = fresh_name();
        js(&name, script).await;
        let found = try_open(&name).await.map(drop);
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
    }
}

// ── Browsers that fail ───────────────────────────────────────────────────────────────────────────────────────────

#[wasm_bindgen_test]
async fn st21_without_indexeddb_storage_is_missing() {
    for factory in [
        "undefined",
        "null",
        "({ open() { throw new DOMException('not here', 'SecurityError'); } })",
        "({ open() { return failing('InvalidStateError'); } })",
    ] {
        let failing = "const failing = (name) => {
            const request = { error: new DOMException('of a test', name) };
            setTimeout(() => request.onerror({ type: 'error' }));
            return request;
        };";
        let _patched = Patched::factory(&format!("(() => {{ {failing} return {factory}; }})()"));
        let found = try_open(&fresh_name()).await.map(drop);
        assert!(matches!(found, Err(StoreError::Missing(_))), "{factory} {found:?}");
    }
}

#[wasm_bindgen_test]
async fn st21_opening_is_tried_three_times() {
    for (failures, opens) in [(2, true), (3, false)] {
        let factory = format!(
            "(() => {{
                let left = {failures};
                return {{ open(...rest) {{
                    if (left-- <= 0) return real.open(...rest);
                    const request = {{ error: new DOMException('internal error', 'UnknownError') }};
                    setTimeout(() => request.onerror({{ type: 'error' }}));
                    return request;
                }} }};
            }})()"
        );
        let _patched = Patched::factory(&factory);
        let found = try_open(&fresh_name()).await.map(drop);
        assert_eq!(found.is_ok(), opens);
        assert!(opens || matches!(found, Err(StoreError::Io(_))), "{found:?}");
    }
}

#[wasm_bindgen_test]
async fn st21_an_opening_that_is_blocked_fails_in_time_and_blocks_nobody() {
    let name = fresh_name();
    // An older version that does not make way.
    js(&name, "globalThis.older = await open(1);").await;
    let hasty = Patched::hasty();
    let found = try_open(&name).await.map(drop);
    assert!(matches!(found, Err(StoreError::Io(_))), "{found:?}");
    drop(hasty);
    // What was asked for too late must not stay open: it would not hear of this deletion.
    js(&name, "older.close(); await remove();").await;
    commit(&open(&name).await, vec![append(1, 0, b"x")]).await.unwrap();
}

#[wasm_bindgen_test]
async fn st21_a_browser_that_never_answers_is_an_error() {
    let name = fresh_name();
    let _hasty = Patched::hasty();
    {
        let _patched = Patched::factory("({ open() { return {}; } })");
        assert!(matches!(try_open(&name).await, Err(StoreError::Io(_))));
    }
    let store = open(&name).await;
    {
        // Transactions whose end nobody hears of.
        let _patched = Patched::new(
            "const real = IDBDatabase.prototype.transaction;
            IDBDatabase.prototype.transaction = function (...rest) {
                return new Proxy(real.apply(this, rest), {
                    get: (target, key) => typeof target[key] === 'function' ? target[key].bind(target) : target[key],
                    set: () => true,
                });
            };
            return () => { IDBDatabase.prototype.transaction = real; };",
        );
        let found = commit(&store, vec![append(1, 0, b"x")]).await;
        assert!(matches!(found, Err(StoreError::Io(_))), "{found:?}");
    }
    commit(&store, vec![append(1, 0, b"x"), append(1, 1, b"y")]).await.unwrap();
    assert_eq!(all(&store, 1).await, [b"x", b"y"]);
}

#[wasm_bindgen_test]
async fn st10_a_full_quota_changes_nothing_and_passes() {
    let store = open(&fresh_name()).await;
    commit(&store, vec![append(1, 0, b"x")]).await.unwrap();
    {
        let _patched = Patched::new(
            "const real = IDBObjectStore.prototype.put;
            let left = 1;
            IDBObjectStore.prototype.put = function (...rest) {
                if (left-- > 0) return real.apply(this, rest);
                throw new DOMException('no space', 'QuotaExceededError');
            };
            return () => { IDBObjectStore.prototype.put = real; };",
        );
        let found = commit(&store, vec![append(1, 1, b"y"), append(1, 2, b"z")]).await;
        assert!(matches!(found, Err(StoreError::Full(_))), "{found:?}");
        assert_eq!(all(&store, 1).await, [b"x"]);
    }
    commit(&store, vec![append(1, 1, b"y")]).await.unwrap();
    assert_eq!(all(&store, 1).await, [b"x", b"y"]);
}

#[wasm_bindgen_test]
async fn st17_waiting_commits_of_one_class_share_a_transaction() {
    let store = open(&fresh_name()).await;
    let _patched = Patched::new(
        "const real = IDBDatabase.prototype.transaction;
        globalThis.begun = [];
        IDBDatabase.prototype.transaction = function (...rest) {
            begun.push(rest[2].durability ?? rest[1]);
            return real.apply(this, rest);
        };
        return () => { IDBDatabase.prototype.transaction = real; };",
    );
    let class = |i| if (200..300).contains(&i) { Flush::Relaxed } else { Flush::Strict };
    let results = join_all((0..500).map(|i| store.commit(vec![append(1, i, b"x")], class(i)))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(js("", "return begun.join();").await, "strict,relaxed,strict");
    assert_eq!(all(&store, 1).await.len(), 500);
    // Nothing is awaited between the requests of a large commit's lists either.
    let many =
        (100..1_100).map(|list| Write::Append { list: ListId { room: room(1), list }, index: 0, bytes: b"x".to_vec() });
    let many = many.collect();
    commit(&store, many).await.unwrap();
    assert_eq!(store.lists(room(1)).await.unwrap().len(), 1_001);
}
