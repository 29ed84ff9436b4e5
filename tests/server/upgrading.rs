//! A server that finds what an earlier version stored. `../contract/fixtures/schema1.redb` was written by it.

use std::fs;

use crate::{member::words, process::Setup};

const FIXTURE: &[u8] = include_bytes!("../contract/fixtures/schema1.redb");

#[test]
fn st18_a_server_tells_newcomers_what_schema_1_had() {
    let setup = Setup::new();
    fs::create_dir_all(setup.path("peersync-data")).unwrap();
    fs::write(setup.path("peersync-data/peersync.redb"), FIXTURE).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut server = setup.start();
    for _ in 0..2 {
        let found = runtime.block_on(words(&server, "garden"));
        let has = |name: &str| found.iter().any(|word| word.contains(name));
        assert!((0..30).step_by(3).all(|i| has(&format!("a{i}")) && has(&format!("b{}", i + 1))), "{found:?}");
        assert!(has("late") && (has("one") != has("two")), "of what was signed twice, one: {found:?}");
        assert!(runtime.block_on(words(&server, "shed")).contains("from"));
        server = server.kill().start();
    }
}
