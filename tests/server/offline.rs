//! A client with a store of its own on disk: what it does without the server survives it, and arrives once (SPEC K).

use std::{
    future::ready,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use libp2p::PeerId;
use peersync::{
    base::{AuthorId, RoomId, WriterId},
    engine::Engine,
    node::{Client, ClientEvent, ClientOptions, Persistence, Status},
    storage::{Entry, Flush, ListId, ListState, Store, StoreError, StoreFuture, Write, native::RedbStore},
};
use tempfile::TempDir;

use crate::process::{DEADLINE, Server, Setup};

const ROOM: &str = "garden";

/// Nothing listens there.
const NOWHERE: &str = "ws://127.0.0.1:9/ws";

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "waited too long for {what}");
}

/// A device: one store, which is open as long as a client is.
struct Device {
    dir: TempDir,
}

impl Device {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Waits for a client before this one to let go of the store.
    async fn store(&self) -> Arc<RedbStore> {
        let mut store = None;
        until("the store", || {
            store = RedbStore::open(self.path()).ok();
            store.is_some()
        })
        .await;
        Arc::new(store.unwrap())
    }

    async fn open(&self, address: &str) -> Client {
        open_on(self.store().await, address).await
    }
}

async fn open_on(store: Arc<dyn Store>, address: &str) -> Client {
    let persistence = Persistence::Store(store);
    Client::open(ClientOptions { persistence, ..ClientOptions::new(address, ROOM) }).await.unwrap()
}

/// What a client tells until it tells something of storage: the last errors' codes, and whether it is durable.
async fn storage_event(client: &Client) -> (Vec<&'static str>, bool, Option<&'static str>) {
    let mut codes = Vec::new();
    let heard = async {
        loop {
            match client.next_event().await {
                ClientEvent::Error { code, .. } if code.starts_with("STORAGE") => codes.push(code),
                ClientEvent::Storage { durable, reason } => return (durable, reason),
                _ => {}
            }
        }
    };
    let (durable, reason) = tokio::time::timeout(DEADLINE, heard).await.unwrap();
    (codes, durable, reason)
}

fn address(server: &Server) -> String {
    format!("ws://{}/ws", server.authority())
}

/// Another device, with nothing, that has what the server has.
async fn witness(server: &Server) -> Client {
    let client = Client::open(ClientOptions::new(address(server), ROOM)).await.unwrap();
    client.connect();
    until("the witness", || client.read(Engine::is_synced)).await;
    client
}

fn type_at_end(client: &Client, text: &str) {
    client.with(|engine, now| {
        let at = engine.replica().text_len("n");
        engine.insert(now, "n", at, text, None).unwrap();
        engine.commit_now(now);
    });
}

fn text(client: &Client) -> String {
    client.read(|engine| engine.replica().text("n"))
}

fn writer(client: &Client) -> WriterId {
    client.read(|engine| engine.replica().writer())
}

fn operations(client: &Client) -> u64 {
    client.read(Engine::stats).ops
}

async fn stored(client: &Client) {
    until("the store", || client.read(Engine::is_saved)).await;
}

async fn at_the_backend(client: &Client) {
    until("the backend", || client.sync_state().pending == 0).await;
}

#[test]
fn k1_what_a_client_left_behind_without_closing_arrives_once_and_under_a_new_writer_goes_on() {
    in_runtime(async {
        let device = Device::new();
        let first = device.open(NOWHERE).await;
        for letter in ["a", "b", "c"] {
            type_at_end(&first, letter);
        }
        stored(&first).await;
        let (writer_then, author) = (writer(&first), first.author());
        assert_eq!(first.sync_state().pending, 3);
        drop(first);

        let server = Setup::new().start();
        let second = device.open(&address(&server)).await;
        assert_eq!(text(&second), "abc", "before anything is dialed");
        assert_eq!(second.author(), author);
        assert_ne!(writer(&second), writer_then);
        type_at_end(&second, "d");
        second.connect();
        at_the_backend(&second).await;

        let witness = witness(&server).await;
        until("the text", || text(&witness) == "abcd").await;
        assert_eq!(operations(&witness), 4);
        // A third time: nothing is sent again, nothing counts twice.
        second.close().await;
        drop(second);
        let third = device.open(&address(&server)).await;
        third.connect();
        until("the state", || third.read(Engine::is_synced)).await;
        at_the_backend(&third).await;
        assert_eq!((text(&third), operations(&third)), ("abcd".to_owned(), 4));
        assert_eq!((text(&witness), operations(&witness)), ("abcd".to_owned(), 4));
        third.close().await;
        witness.close().await;
    });
}

#[test]
fn k1_a_client_that_was_closed_goes_on_under_the_same_writer() {
    in_runtime(async {
        let device = Device::new();
        let server = Setup::new().start();
        let mut writers = Vec::new();
        for letter in ["a", "b", "c"] {
            let client = device.open(&address(&server)).await;
            client.connect();
            // Edits before, while and after it connects.
            type_at_end(&client, letter);
            until("the state", || client.read(Engine::is_synced)).await;
            type_at_end(&client, letter);
            writers.push(writer(&client));
            client.close().await;
            assert_eq!(client.sync_state().pending, 0);
        }
        assert!(writers.iter().all(|writer| *writer == writers[0]), "{writers:?}");
        let witness = witness(&server).await;
        assert_eq!((text(&witness), operations(&witness)), ("aabbcc".to_owned(), 6));
        witness.close().await;
    });
}

#[test]
fn k3_a_page_that_goes_for_good_leaves_its_writer_clean_and_stores_nothing_more() {
    in_runtime(async {
        let device = Device::new();
        let first = device.open(NOWHERE).await;
        let writer_then = writer(&first);
        type_at_end(&first, "a");
        first.page_hides(true);
        type_at_end(&first, "b");
        assert_eq!(first.status(), Status::Disconnected);
        first.page_hides(false);
        assert_eq!(first.status(), Status::Closed);
        // Too late: as if it had never been.
        type_at_end(&first, "c");
        first.close().await;
        drop(first);
        let second = device.open(NOWHERE).await;
        assert_eq!((writer(&second), text(&second)), (writer_then, "ab".to_owned()));
        type_at_end(&second, "d");
        assert_eq!(text(&second), "abd");
        stored(&second).await;
        second.close().await;
    });
}

#[test]
fn k7_what_the_backend_acknowledged_is_known_offline() {
    in_runtime(async {
        let device = Device::new();
        let server = Setup::new().start();
        let client = device.open(&address(&server)).await;
        assert!(!client.was_synced());
        client.connect();
        type_at_end(&client, "a");
        at_the_backend(&client).await;
        // Longer than it waits to write that down.
        until("the note", || client.was_synced()).await;
        client.close().await;
        drop(client);
        let client = device.open(NOWHERE).await;
        assert!(client.was_synced());
        assert_eq!(client.sync_state().pending, 0);
        type_at_end(&client, "b");
        assert_eq!(client.sync_state().pending, 1);
        client.close().await;
    });
}

#[test]
fn k8_another_backend_at_the_same_address_is_told() {
    in_runtime(async {
        let device = Device::new();
        let server = Setup::new().start();
        let (port, was) = (server.port().to_string(), server.peer_id().to_owned());
        let client = device.open(&address(&server)).await;
        client.connect();
        type_at_end(&client, "a");
        at_the_backend(&client).await;
        client.close().await;
        drop(client);
        drop(server.stop());

        let server = Setup::bare().args(&["--port", &port]).start();
        let client = device.open(&address(&server)).await;
        client.connect();
        let heard = async {
            loop {
                if let ClientEvent::BackendChanged { was, now } = client.next_event().await {
                    return (was.to_string(), now.to_string());
                }
            }
        };
        let changed = tokio::time::timeout(DEADLINE, heard).await.unwrap();
        assert_eq!(changed, (was, server.peer_id().to_owned()));
        // What the first one had says nothing of this one: it gets everything.
        at_the_backend(&client).await;
        let witness = witness(&server).await;
        until("the text", || text(&witness) == "a").await;
        client.close().await;
        witness.close().await;
    });
}

#[test]
fn k4_a_writer_whose_records_are_damaged_is_not_continued() {
    in_runtime(async {
        let device = Device::new();
        let server = Setup::new().start();
        let client = device.open(&address(&server)).await;
        client.connect();
        for letter in ["a", "b", "c"] {
            type_at_end(&client, letter);
        }
        at_the_backend(&client).await;
        let damaged = writer(&client);
        client.close().await;
        drop(client);
        // The second of three; the third cannot follow.
        let store = device.store().await;
        let list = ListId { room: RoomId::open(ROOM), list: damaged.0 };
        store.commit(vec![Write::Append { list, index: 1, bytes: vec![0; 40] }], Flush::Strict).await.unwrap();
        drop(store);

        let client = device.open(&address(&server)).await;
        assert_eq!(storage_event(&client).await, (vec!["STORAGE_CORRUPT"], false, Some("STORAGE_CORRUPT")));
        assert_ne!(writer(&client), damaged);
        assert_eq!(text(&client), "a", "what is readable");
        type_at_end(&client, "d");
        client.connect();
        // The rest comes from the backend, what was made meanwhile goes there, and then all of it is stored anew.
        assert_eq!(storage_event(&client).await, (vec![], true, None));
        at_the_backend(&client).await;
        stored(&client).await;
        let whole = text(&client);
        assert_eq!(whole.len(), 4, "{whole}");
        client.close().await;
        drop(client);
        let client = device.open(NOWHERE).await;
        assert_eq!(text(&client), whole);
        assert!(client.sync_state().durable);
        client.close().await;
        let witness = witness(&server).await;
        assert_eq!((text(&witness), operations(&witness)), (whole, 4));
        witness.close().await;
    });
}

#[test]
fn k9_a_full_disk_is_told_keeps_nobody_from_editing_and_is_caught_up_with() {
    in_runtime(async {
        let device = Device::new();
        let server = Setup::new().start();
        let store = Arc::new(Faulty::new(device.store().await));
        let client = open_on(Arc::clone(&store) as Arc<dyn Store>, &address(&server)).await;
        client.connect();
        type_at_end(&client, "a");
        stored(&client).await;
        assert!(client.sync_state().durable);
        store.full.store(true, SeqCst);
        type_at_end(&client, "b");
        assert_eq!(storage_event(&client).await, (vec!["STORAGE_FULL"], false, Some("STORAGE_FULL")));
        assert!(!client.sync_state().durable);
        type_at_end(&client, "c");
        // It is sent all the same.
        let witness = witness(&server).await;
        until("the text", || text(&witness) == "abc").await;
        store.full.store(false, SeqCst);
        assert_eq!(storage_event(&client).await, (vec![], true, None));
        until("the store", || client.sync_state().unsaved == 0).await;
        assert!(client.sync_state().durable);
        // Full again, and for good: closing does not wait for it.
        store.full.store(true, SeqCst);
        type_at_end(&client, "d");
        tokio::time::timeout(Duration::from_secs(10), client.close()).await.unwrap();
        witness.close().await;
    });
}

#[test]
fn k11_a_damaged_note_is_forgotten_and_the_room_is_there_all_the_same() {
    in_runtime(async {
        let device = Device::new();
        let server = Setup::new().start();
        let store = Arc::new(Faulty::new(device.store().await));
        let address = address(&server);
        let open = || open_on(Arc::clone(&store) as Arc<dyn Store>, &address);
        let client = open().await;
        client.connect();
        type_at_end(&client, "a");
        at_the_backend(&client).await;
        until("the note that it was synced", || client.was_synced()).await;
        client.close().await;
        let keys = store.keys("", 100).await.unwrap();
        for kind in ["identity", "writer/", "peer/", "synced/"] {
            let key = keys.iter().find(|key| key.starts_with(kind)).unwrap();
            let author = open_and_close(open().await).await;
            *store.damaged.lock().unwrap() = Some(key.clone());
            let other = open_and_close(open().await).await;
            assert_eq!(author != other, kind == "identity");
            *store.damaged.lock().unwrap() = None;
            assert_eq!(open_and_close(open().await).await, other, "it is the author from now on");
        }
    });
}

#[test]
fn c3_a_stranger_at_the_address_is_told_whenever_one_asks() {
    in_runtime(async {
        let server = Setup::new().start();
        let address = format!("{}/p2p/{}", address(&server), PeerId::random());
        let client = Client::open(ClientOptions::new(address, ROOM)).await.unwrap();
        for _ in 0..2 {
            client.connect();
            let told = async {
                loop {
                    if let ClientEvent::Error { code, .. } = client.next_event().await {
                        return code;
                    }
                }
            };
            assert_eq!(tokio::time::timeout(DEADLINE, told).await.unwrap(), "PEER_ID_MISMATCH");
            until("the end", || client.status() == Status::Disconnected).await;
        }
        client.close().await;
    });
}

async fn open_and_close(client: Client) -> AuthorId {
    assert_eq!(text(&client), "a");
    assert!(client.sync_state().durable);
    client.close().await;
    client.author()
}

/// A store whose disk may be full, and of which a value may be damaged.
#[derive(Debug)]
struct Faulty {
    store: Arc<RedbStore>,
    full: AtomicBool,
    damaged: Mutex<Option<String>>,
}

impl Faulty {
    fn new(store: Arc<RedbStore>) -> Self {
        Self { store, full: AtomicBool::new(false), damaged: Mutex::default() }
    }
}

impl Store for Faulty {
    fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>> {
        self.store.lists(room)
    }

    fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
        self.store.load(list, from, limit)
    }

    fn commit(&self, writes: Vec<Write>, flush: Flush) -> StoreFuture<()> {
        if self.full.load(SeqCst) {
            return Box::pin(ready(Err(StoreError::Full("no space left".to_owned()))));
        }
        self.store.commit(writes, flush)
    }

    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        if self.damaged.lock().unwrap().as_deref() == Some(key) {
            return Box::pin(ready(Err(StoreError::Corrupt(format!("the value of {key}")))));
        }
        self.store.meta(key)
    }

    fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>> {
        self.store.keys(prefix, limit)
    }

    fn is_durable(&self) -> bool {
        true
    }
}
