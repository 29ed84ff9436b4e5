//! Clients of a server: the real ones, run in this process.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use peersync::node::{Client, ClientEvent, ClientOptions, Durability, Event};
use tokio::task::JoinHandle;

use crate::process::{DEADLINE, Server};

/// The document that editors write to.
const DOCUMENT: &str = "n";

/// Joins a room under a new name and waits until what the server has of it is here.
pub(crate) async fn join(server: &Server, room: &str) -> Client {
    let options = ClientOptions::new(format!("ws://{}/ws", server.authority()), room);
    let client = Client::open(options).await.unwrap();
    client.connect();
    heard(&client, |event| *event == Event::Synced(true)).await;
    client
}

pub(crate) async fn heard(client: &Client, wanted: impl Fn(&Event) -> bool) {
    let waiting = async {
        loop {
            if matches!(client.next_event().await, ClientEvent::Room(event) if wanted(&event)) {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the event in time");
}

/// The words that are in a room, by what the server tells a newcomer.
pub(crate) async fn words(server: &Server, room: &str) -> BTreeSet<String> {
    let client = join(server, room).await;
    let text = client.read(|engine| engine.replica().text(DOCUMENT));
    client.close().await;
    text.split_whitespace().map(str::to_owned).collect()
}

/// Words that were written, and those of them that the server said it has on disk.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) written: u64,
    pub(crate) acked: BTreeSet<String>,
}

/// Writes words to a room, each an operation, `in_flight` of them unacknowledged at most, and keeps books.
pub(crate) struct Editor {
    pub(crate) books: Arc<Mutex<Books>>,
    task: JoinHandle<()>,
}

impl Editor {
    /// Words begin with `name` and are `bytes` long at least.
    pub(crate) fn start(client: Client, name: String, bytes: usize, in_flight: usize) -> Self {
        let books = Arc::new(Mutex::new(Books::default()));
        let task = tokio::spawn(edit(client, name, bytes, in_flight, books.clone()));
        Self { books, task }
    }

    pub(crate) fn acked(&self) -> usize {
        self.books.lock().unwrap().acked.len()
    }

    pub(crate) fn is_idle(&self) -> bool {
        let books = self.books.lock().unwrap();
        books.acked.len() as u64 == books.written
    }

    /// Stops without a goodbye; the words that were acknowledged.
    pub(crate) async fn stop(self) -> BTreeSet<String> {
        self.task.abort();
        let _ = self.task.await;
        std::mem::take(&mut self.books.lock().unwrap().acked)
    }
}

async fn edit(client: Client, name: String, bytes: usize, in_flight: usize, books: Arc<Mutex<Books>>) {
    let mut sent = std::collections::VecDeque::new();
    let mut number = 0_u64;
    loop {
        while sent.len() < in_flight {
            number += 1;
            let word = format!("{name}.{number}.{}", "x".repeat(bytes));
            let edited = client.with(|engine, now| {
                let seq = engine.insert(now, DOCUMENT, 0, &format!("{word} "), None);
                // Otherwise edits within ten milliseconds of each other would travel as one operation.
                engine.commit_now(now);
                seq
            });
            sent.push_back((edited.unwrap(), word));
            books.lock().unwrap().written += 1;
        }
        if let ClientEvent::Room(Event::Acked { seq, durability: Durability::Backend, .. }) = client.next_event().await
        {
            while sent.front().is_some_and(|(first, _)| *first <= seq) {
                let (_, word) = sent.pop_front().unwrap();
                books.lock().unwrap().acked.insert(word);
            }
        }
    }
}
