//! What only a browser can show. Run by `npm run test:wasm`, which starts `echo-server.mjs` and names it in
//! `PEERSYNC_TEST_WS` at compile time.

#![cfg(all(wasm_browser, feature = "net"))]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod engine;
mod fake_socket;
mod indexeddb;
mod page;
mod schema1;
mod speed;
mod store;
#[path = "../contract/suite.rs"]
mod suite;
mod support;
mod tabs;
mod transport;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
