//! How a server ends.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    client::{close_code, connect},
    process::{Setup, exists, until},
};

#[test]
fn sigterm_ends_it_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Setup::new().start();
        let mut socket = server.websocket("/ws", &[]).unwrap();
        let _silent = connect(server.authority());
        let start = Instant::now();
        server.signal(signal);
        assert_eq!(close_code(&mut socket), Some(1001), "told that the server goes away");
        assert_eq!(server.wait().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(!exists(&server.setup.path("ready.json")));
        assert!(server.stderr().contains("stopping"));
    }
}

#[test]
fn nobody_can_hold_it_up_and_a_second_signal_ends_it_at_once() {
    let mut server = Setup::new().start();
    // A socket that never answers the close, and a request that never ends.
    let _mute = server.websocket("/ws", &[]).unwrap();
    let mut half = connect(server.authority());
    std::io::Write::write_all(&mut half, b"GET / HTTP/1.1\r\n").unwrap();
    server.signal("-TERM");
    until("it to begin", || server.stderr().contains("stopping"));
    server.signal("-TERM");
    let status = server.wait();
    // Unless it was faster than the second signal.
    assert!(status.code() == Some(1) || status.code() == Some(0), "{status}");
    assert!(!exists(&server.setup.path("ready.json")));
}

#[test]
fn a_crash_leaves_an_identity_and_a_store_to_start_from() {
    let mut server = Setup::new().start();
    assert_eq!(server.get("/readyz").status, 200);
    let id = server.peer_id().to_owned();
    server.signal("-KILL");
    server.wait();
    assert!(exists(&server.setup.path("ready.json")), "nobody was there to remove it");
    let mut again = Setup::new();
    std::mem::swap(&mut again.dir, &mut server.setup.dir);
    fs::remove_file(again.path("ready.json")).unwrap();
    let again = again.start();
    assert_eq!(again.peer_id(), id);
    assert_eq!(again.get("/readyz").status, 200);
}
