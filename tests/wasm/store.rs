//! The rules of every store (`tests/contract/suite.rs`) over IndexedDB.

use std::{cell::Cell, sync::Arc};

use peersync::storage::browser::IndexedDbStore;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::suite::{self, Shared};

thread_local! {
    static DATABASES: Cell<u32> = const { Cell::new(0) };
}

/// A name that no other test uses.
pub fn fresh_name() -> String {
    format!("test-{}", DATABASES.replace(DATABASES.get() + 1))
}

pub async fn open(name: &str) -> IndexedDbStore {
    // Random enough: each call gives another.
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&DATABASES.replace(DATABASES.get() + 1).to_be_bytes());
    IndexedDbStore::open(name, seed).await.unwrap()
}

macro_rules! contract {
    ($($rule:ident)*) => {
        $(#[wasm_bindgen_test] async fn $rule() { suite::$rule(Arc::new(open(&fresh_name()).await)).await; })*
    };
}

suite::for_each_rule!(contract);

#[wasm_bindgen_test]
async fn st3_reopening_indexeddb_keeps_everything() {
    let name = fresh_name();
    suite::st3_reopening_keeps_everything(async || {
        let store: Shared = Arc::new(open(&name).await);
        store
    })
    .await;
}
