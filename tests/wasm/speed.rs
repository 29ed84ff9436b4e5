//! How fast the browser's store is, and the same in plain JavaScript. Prints, judges nothing.

use futures::future::join_all;
use peersync::storage::{Flush, Store};
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

use crate::{
    page::js,
    store::{fresh_name, open},
    suite::{LIST, append, list_of},
};

/// Nothing but the browser's own part.
const RAW: &str = "
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore('entries');
    const db = await settled(request);
    const begun = performance.now();
    const transaction = db.transaction('entries', 'readwrite', { durability: 'relaxed' });
    const done = new Promise((resolve) => { transaction.oncomplete = resolve; });
    const store = transaction.objectStore('entries');
    for (let i = 0; i < 10000; i++) {
        const key = new Uint8Array(48); new DataView(key.buffer).setUint32(44, i);
        store.put(new Uint8Array(208), key);
    }
    console.log('raw: 10000 puts asked for: ' + (performance.now() - begun));
    transaction.commit();
    await done;
    console.log('raw: 10000 puts: ' + (performance.now() - begun));
    const start = performance.now();
    const all = await settled(db.transaction('entries').objectStore('entries').getAll());
    console.log('raw: getAll of ' + all.length + ': ' + (performance.now() - start));
";

fn now() -> f64 {
    let performance = js_sys::Reflect::get(&js_sys::global(), &"performance".into()).unwrap();
    let now = js_sys::Reflect::get(&performance, &"now".into()).unwrap();
    js_sys::Function::from(now).call0(&performance).unwrap().as_f64().unwrap()
}

#[wasm_bindgen_test]
#[ignore = "a measurement"]
async fn speed_of_commits_and_loads() {
    let store = open(&fresh_name()).await;
    let bytes = [7; 200];
    for (n, flush) in [(1, Flush::Strict), (2, Flush::Relaxed)] {
        let begun = now();
        let mut each = Vec::new();
        for i in 0..1_000 {
            let start = now();
            store.commit(vec![append(n, i, &bytes)], flush).await.unwrap();
            each.push(now() - start);
        }
        each.sort_by(f64::total_cmp);
        console_log!(
            "1000 commits of 200 bytes, {flush:?}, one after another: {:.0} ms, p50 {:.2} p99 {:.2} ms",
            now() - begun,
            each[500],
            each[990]
        );
        let begun = now();
        let all = join_all((1_000..2_000).map(|i| store.commit(vec![append(n, i, &bytes)], flush))).await;
        assert!(all.iter().all(Result::is_ok));
        console_log!("1000 commits of 200 bytes, {flush:?}, at once: {:.0} ms", now() - begun);
    }
    let begun = now();
    store.commit((0..10_000).map(|i| append(3, i, &bytes)).collect(), Flush::Relaxed).await.unwrap();
    console_log!("one commit of 10000 entries: {:.0} ms", now() - begun);
    for _ in 0..3 {
        let begun = now();
        let found = store.load(list_of(3, LIST), 0, usize::MAX).await.unwrap();
        assert_eq!(found.len(), 10_000);
        console_log!("load of 10000 entries: {:.0} ms", now() - begun);
    }
    let begun = now();
    let lists: Vec<_> = (0..1_000)
        .map(|list| peersync::storage::Write::Append { list: list_of(4, list), index: 0, bytes: bytes.to_vec() })
        .collect();
    store.commit(lists, Flush::Relaxed).await.unwrap();
    console_log!("one commit to 1000 lists: {:.0} ms", now() - begun);
    let begun = now();
    let lists = store.lists(list_of(4, 0).room).await.unwrap();
    console_log!("lists of 1000: {:.0} ms", now() - begun);
    for state in &lists {
        store.load(list_of(4, state.list), 0, usize::MAX).await.unwrap();
    }
    console_log!("load of 1000 lists of one entry: {:.0} ms", now() - begun);
    let begun = now();
    join_all(lists.iter().map(|state| store.load(list_of(4, state.list), 0, usize::MAX))).await;
    console_log!("the same at once: {:.0} ms", now() - begun);
    js("raw", RAW).await;
}
