//! The transport and the store in a worker, where there is no `window`. Run by `npm run test:wasm`, as `tests/wasm` is.

#![cfg(all(wasm_browser, feature = "net"))]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../wasm/store.rs"]
mod store;
#[path = "../contract/suite.rs"]
mod suite;
#[path = "../wasm/support.rs"]
#[allow(dead_code)]
mod support;

use futures::{AsyncReadExt, AsyncWriteExt};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{dial, server_url, soon};

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn a_worker_dials_and_gets_its_echo() {
    let window = js_sys::Reflect::get(&js_sys::global(), &"window".into()).unwrap();
    assert!(window.is_undefined(), "this is no worker");
    let mut stream = dial(&server_url("/echo")).await.unwrap();
    let sent = vec![7; 1 << 20];
    let mut received = vec![0; sent.len()];
    stream.write_all(&sent).await.unwrap();
    soon("the echo", stream.read_exact(&mut received)).await.unwrap();
    assert!(received == sent);
}

#[wasm_bindgen_test]
async fn a_worker_learns_of_a_refused_port() {
    assert!(dial("ws://127.0.0.1:10/").await.is_err());
}
