//! What a page finds again: rooms in IndexedDB, without any connection (SPEC K).

use std::time::Duration;

use futures_timer::Delay;
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{DEAD, Opened, construct, evaluate, json, settle, value};

/// A client of `room` in a database of its own, unless `name` is given again.
async fn open_in(name: &str, room: &str) -> Opened {
    let log = Array::new();
    let options = format!("{{ url: '{DEAD}', room: '{room}', dbName: '{name}' }}");
    let client = construct(&options, &log).await.unwrap();
    Opened { client, log }
}

/// A name that no other run has used.
fn fresh() -> String {
    value("'test-' + crypto.randomUUID()").as_string().unwrap()
}

async fn delete(name: &str) {
    let deleting = format!(
        "new Promise((done, fail) => {{
            const request = indexedDB.deleteDatabase('{name}');
            request.onsuccess = done;
            request.onerror = fail;
        }})"
    );
    let promise = evaluate(&deleting, &JsValue::NULL, &JsValue::NULL).unwrap();
    wasm_bindgen_futures::JsFuture::from(js_sys::Promise::from(promise)).await.unwrap();
}

const STORED: &str = "c.syncStatus().unsaved === 0";
const WRITERS: &str =
    "[...new Set(log.filter(({ type, id }) => type === 'text' && id).map(({ id }) => id.split('_')[0]))].join()";

#[wasm_bindgen_test]
async fn k1_a_page_finds_again_what_it_had_before_anything_is_dialed() {
    let name = fresh();
    let first = open_in(&name, "r").await;
    assert_eq!(first.get("[c.syncStatus().mode, c.syncStatus().pending, c.arrived()]"), r#"["indexeddb",0,false]"#);
    first.run("c.textInsert('t', 0, 'kept')").unwrap();
    first.run("c.recordSet('shapes', 'a', { x: 1 })").unwrap();
    first.run("c.mapSet('m', 'k', [1, 2])").unwrap();
    first.until("the store", STORED).await;
    settle().await;
    let (author, writer) = (first.get("c.author()"), first.get(WRITERS));
    first.wait_for("c.close()").await;
    first.run("c.free()").unwrap();

    let second = open_in(&name, "r").await;
    assert_eq!(
        second.get("[c.textString('t'), c.recordValues('shapes').length, c.mapGet('m', 'k'), c.status()]"),
        r#"["kept",1,[1,2],"disconnected"]"#
    );
    assert_eq!(second.get("c.author()"), author);
    assert!(second.get("c.syncStatus().pending").parse::<u32>().unwrap() > 0);
    // Under the same writer, since the first one was closed.
    second.run("c.textInsert('t', 4, '!')").unwrap();
    settle().await;
    assert_eq!(second.get(WRITERS), writer);
    second.until("the store", STORED).await;
    // Freed without a close, as a page that crashes: its writer is not continued, what it wrote is there.
    let third = open_in(&name, "r").await;
    assert_eq!(third.get("c.textString('t')"), "\"kept!\"");
    third.run("c.textInsert('t', 5, '?')").unwrap();
    settle().await;
    assert_ne!(third.get(WRITERS), writer);
    for opened in [&second, &third] {
        opened.wait_for("c.close()").await;
        opened.run("c.free()").unwrap();
    }
    delete(&name).await;
}

#[wasm_bindgen_test]
async fn k1_two_clients_at_once_share_an_author_and_no_writer() {
    let name = fresh();
    let first = open_in(&name, "r").await;
    first.run("c.textInsert('t', 0, 'x')").unwrap();
    first.wait_for("c.close()").await;
    first.run("c.free()").unwrap();
    let (one, other) = (open_in(&name, "r").await, open_in(&name, "r").await);
    for opened in [&one, &other] {
        opened.run("c.textInsert('t', 0, 'y')").unwrap();
    }
    settle().await;
    assert_eq!(one.get("c.author()"), other.get("c.author()"));
    assert_ne!(one.get(WRITERS), other.get(WRITERS));
    assert_ne!(one.get("c.peerId()"), other.get("c.peerId()"));
    for opened in [&one, &other] {
        opened.wait_for("c.close()").await;
        opened.run("c.free()").unwrap();
    }
    delete(&name).await;
}

#[wasm_bindgen_test]
async fn k6_first_clients_at_once_are_one_author() {
    let name = fresh();
    let (one, other) = futures::join!(open_in(&name, "a"), open_in(&name, "b"));
    assert_eq!(one.get("c.author()"), other.get("c.author()"));
    for opened in [&one, &other] {
        opened.wait_for("c.close()").await;
        opened.run("c.free()").unwrap();
    }
    delete(&name).await;
}

#[wasm_bindgen_test]
async fn k3_a_page_that_goes_for_good_ends_its_client() {
    let name = fresh();
    let first = open_in(&name, "r").await;
    first.run("[c.textInsert('t', 0, 'a'), c.pagehide(true), c.textInsert('t', 1, 'b')]").unwrap();
    settle().await;
    let writer = first.get(WRITERS);
    first.run("c.pagehide(false)").unwrap();
    assert_eq!(first.get("c.status()"), "\"closed\"");
    first.refuses("CLOSED", &[("c.textInsert('t', 0, 'late')", ""), ("c.undo()", "")]);
    first.wait_for("c.close()").await;
    settle().await;
    let second = open_in(&name, "r").await;
    assert_eq!(second.get("c.textString('t')"), "\"ab\"");
    second.run("c.textInsert('t', 2, 'c')").unwrap();
    settle().await;
    assert_eq!(second.get(WRITERS), writer);
    second.wait_for("c.close()").await;
    for opened in [&first, &second] {
        opened.run("c.free()").unwrap();
    }
    delete(&name).await;
}

#[wasm_bindgen_test]
async fn k9_without_a_database_the_room_is_in_memory_and_that_is_told_with_its_reason() {
    // A database of something else.
    let name = fresh();
    let making = format!(
        "new Promise((done) => {{
            const request = indexedDB.open('{name}', 1000);
            request.onsuccess = () => {{ request.result.close(); done(); }};
        }})"
    );
    let promise = value(&making);
    wasm_bindgen_futures::JsFuture::from(js_sys::Promise::from(promise)).await.unwrap();
    let opened = open_in(&name, "r").await;
    assert_eq!(opened.get("c.syncStatus().mode"), "\"memory\"");
    opened.until("the event", "log.some(({ type }) => type === 'storage')").await;
    let told = opened.events("storage");
    assert!(told.starts_with(r#"[{"type":"storage","mode":"memory","reason":"STORAGE_"#), "{told}");
    assert!(json(&opened.log).contains(r#"{"type":"error","code":"STORAGE_"#), "{}", json(&opened.log));
    opened.run("c.textInsert('t', 0, 'still edits')").unwrap();
    opened.wait_for("c.close()").await;
    opened.run("c.free()").unwrap();
    delete(&name).await;
}

#[wasm_bindgen_test]
async fn k9_memory_that_was_asked_for_is_no_failure() {
    let log = Array::new();
    let options = format!("{{ url: '{DEAD}', room: 'r', persistence: 'memory' }}");
    let client = construct(&options, &log).await.unwrap();
    let opened = Opened { client, log };
    settle().await;
    assert_eq!(opened.get("[c.syncStatus().mode, log.length]"), r#"["memory",0]"#);
}

#[wasm_bindgen_test]
async fn k10_the_browser_is_asked_once_to_keep_the_database() {
    value(
        "(() => {
            const manager = Object.getPrototypeOf(navigator.storage);
            const real = manager.persist;
            globalThis.asked = 0;
            globalThis.restorePersist = () => { manager.persist = real; };
            manager.persist = () => { globalThis.asked += 1; return Promise.resolve(false); };
        })()",
    );
    let name = fresh();
    for letter in ["a", "b"] {
        let opened = open_in(&name, "r").await;
        assert_eq!(opened.get("asked"), if letter == "a" { "0" } else { "1" });
        opened.run(&format!("c.textInsert('t', 0, '{letter}')")).unwrap();
        opened.until("being asked", "asked > 0").await;
        // Longer than it takes to look again.
        Delay::new(Duration::from_millis(1_500)).await;
        assert_eq!(opened.get("asked"), "1");
        opened.wait_for("c.close()").await;
        opened.run("c.free()").unwrap();
    }
    value("restorePersist()");
    delete(&name).await;
}
