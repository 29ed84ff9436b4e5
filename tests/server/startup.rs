//! What a start leaves behind and says, and how it fails.

use std::{fs, net::TcpListener, process::Command};

use serde_json::json;

use crate::process::{Setup, exists, until};

#[test]
fn the_ready_file_says_where_and_who() {
    let server = Setup::new().args(&["--announce", "/dns4/sync.example/tcp/443/wss", "/ip4/9.9.9.9/tcp/7"]).start();
    let (port, id) = (server.port(), server.peer_id());
    let own = format!("/ip4/127.0.0.1/tcp/{port}/ws/p2p/{id}");
    let announced = format!("/dns4/sync.example/tcp/443/wss/p2p/{id}");
    let expected = json!({
        "peerId": id,
        "http": format!("http://127.0.0.1:{port}"),
        "addresses": [own, announced, format!("/ip4/9.9.9.9/tcp/7/p2p/{id}")],
        "bootstrapPeers": [own, announced],
    });
    assert_eq!(server.ready, expected);
    // The ready file is for scripts and comes first; the line for a person follows.
    until("the URL", || server.stdout().ends_with('\n'));
    assert!(server.stdout().contains(&format!("http://127.0.0.1:{port} ")), "{}", server.stdout());
    assert_eq!(server.stdout().lines().count(), 1);
}

#[test]
fn the_peer_id_is_stable_over_restarts_and_its_file_private() {
    let first = Setup::new().start();
    let id = first.peer_id().to_owned();
    let key = first.setup.path("peersync-data/identity.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let bytes = fs::read(&key).unwrap();
    let mut again = Setup::new();
    again.dir = first.stop();
    let shown = again.run("key");
    assert_eq!(shown.status.code(), Some(2), "`key` has no --port");
    let second = again.start();
    assert_eq!(second.peer_id(), id);
    assert_eq!(fs::read(second.setup.path("peersync-data/identity.key")).unwrap(), bytes);
}

#[test]
fn key_creates_shows_and_is_what_serve_uses() {
    let setup = Setup::bare().args(&["--identity", "keys/me.key"]);
    let created = setup.run("key");
    let shown = setup.run("key");
    assert!(created.status.success() && shown.status.success());
    assert_eq!(created.stdout, shown.stdout);
    assert!(String::from_utf8(created.stderr).unwrap().starts_with("created"));
    assert!(String::from_utf8(shown.stderr).unwrap().starts_with("found"));
    let server = setup.args(&["--port", "0"]).start();
    assert_eq!(server.peer_id().as_bytes(), shown.stdout.trim_ascii_end());
}

#[test]
fn a_stale_ready_file_is_gone_before_the_server_listens() {
    let setup = Setup::new().file("ready.json", "{\"http\": \"http://127.0.0.1:1\"}");
    let ready = setup.path("ready.json");
    let fifo = setup.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Opening a named pipe without a writer blocks, and the identity is read before the server says anything: it is
    // held there with the port bound.
    let mut held = setup.args(&["--identity", "fifo"]).spawn();
    until("the old file to be gone", || !exists(&ready));
    held.kill().unwrap();
    held.wait().unwrap();
}

#[test]
fn a_busy_port_is_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let setup = Setup::bare().args(&["--port", &port]);
    let said = setup.refused();
    assert!(said.contains(&port) && said.contains("in use"), "{said}");
    assert!(!exists(&setup.path("peersync-data")), "a start that fails leaves nothing behind");
}

#[test]
fn an_address_of_another_machine_is_one_sentence() {
    assert!(Setup::new().args(&["--host", "192.0.2.1"]).refused().contains("192.0.2.1"));
}

#[test]
fn an_unusable_data_dir_is_one_sentence() {
    let said = Setup::new().file("taken", "").args(&["--data-dir", "taken"]).refused();
    assert!(said.contains("data directory taken"), "{said}");
    assert!(Setup::new().file("taken", "").args(&["--data-dir", "taken/deeper"]).refused().contains("taken/deeper"));
}

#[test]
fn a_data_dir_in_use_is_one_sentence() {
    let first = Setup::new().start();
    let dir = first.setup.path("peersync-data");
    let said = Setup::new().args(&["--data-dir", dir.to_str().unwrap()]).refused();
    assert!(said.contains("in use"), "{said}");
}

#[test]
fn a_file_that_is_no_key_or_no_store_is_one_sentence() {
    let said = Setup::new().file("id", "hello").args(&["--identity", "id"]).refused();
    assert!(said.contains("identity file id"), "{said}");
    let said = Setup::new().file("peersync-data/peersync.redb", "hello").refused();
    assert!(said.contains("store in peersync-data"), "{said}");
}

#[test]
fn a_ready_file_that_cannot_be_written_is_one_sentence() {
    let said = Setup::new().args(&["--ready-file", "no/such/folder/ready.json"]).refused();
    assert!(said.contains("ready file no/such/folder/ready.json"), "{said}");
}

#[test]
fn another_peers_address_cannot_be_announced() {
    let other = "/ip4/9.9.9.9/tcp/1/ws/p2p/12D3KooWQ7ir2LaZhdn8xXUGJKUHUgPNhWK8sXxCGfQ8HiN7soRY";
    assert!(Setup::new().args(&["--announce", other]).refused().contains("another peer"));
}
