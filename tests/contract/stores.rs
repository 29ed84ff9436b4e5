//! Runs the rules of every store over each native one.

use std::sync::Arc;

use futures::executor::block_on;
use peersync::storage::{MemoryStore, native::RedbStore};
use tempfile::tempdir;

use crate::{
    disk::SimDisk,
    suite::{self, Shared},
};

fn memory() -> Shared {
    Arc::new(MemoryStore::new())
}

fn redb() -> Shared {
    Arc::new(RedbStore::open_on(Arc::new(SimDisk::default())).unwrap())
}

macro_rules! contract {
    ($($rule:ident)*) => {
        mod over_memory { $(#[test] fn $rule() { super::block_on(super::suite::$rule(super::memory())); })* }
        mod over_redb { $(#[test] fn $rule() { super::block_on(super::suite::$rule(super::redb())); })* }
    };
}

suite::for_each_rule!(contract);

#[test]
fn st3_reopening_redb_keeps_everything() {
    let dir = tempdir().unwrap();
    block_on(suite::st3_reopening_keeps_everything(async || {
        let store: Shared = Arc::new(RedbStore::open(dir.path()).unwrap());
        store
    }));
}
