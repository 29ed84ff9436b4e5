//! What the server's end does to edits: by `kill -9`, and by SIGTERM.

use std::{sync::Arc, time::Duration};

use peersync::{
    engine::Engine,
    node::{Client, ClientEvent, Durability, Event, Status},
};
use tokio::sync::Mutex;

use crate::{
    rig::{join, saved, type_at_end, until},
    server::Server,
};

fn text(client: &Client) -> String {
    client.read(|engine| engine.replica().text("n"))
}

/// A client that types tokens `<0>`, `<1>`, …, one operation each, and what it was told.
struct Typist {
    client: Client,
    /// The operation of each token.
    typed: Vec<u64>,
    /// Up to here everything is acknowledged by the backend.
    acked: Arc<Mutex<u64>>,
}

impl Typist {
    async fn join(server: &Server) -> Self {
        let client = join(server).await;
        let acked = Arc::new(Mutex::new(0));
        let (told, listener) = (Arc::clone(&acked), client.clone());
        tokio::spawn(async move {
            loop {
                let event = listener.next_event().await;
                match event {
                    ClientEvent::Room(Event::Acked { seq, durability: Durability::Backend, .. }) => {
                        *told.lock().await = seq;
                    }
                    ClientEvent::Status(Status::Closed) => return,
                    _ => {}
                }
            }
        });
        Self { client, typed: Vec::new(), acked }
    }

    async fn types(&mut self, count: usize) {
        for _ in 0..count {
            let seq = type_at_end(&self.client, &format!("<{}>", self.typed.len()));
            self.client.with(|engine, now| engine.commit_now(now));
            self.typed.push(seq);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// The tokens of which the backend has said that it stored them.
    async fn safe(&self) -> Vec<String> {
        let acked = *self.acked.lock().await;
        let safe = self.typed.iter().enumerate().filter(|(_, seq)| **seq <= acked);
        safe.map(|(at, _)| format!("<{at}>")).collect()
    }

    fn all(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.typed.len()).map(|at| format!("<{at}>"))
    }
}

fn expect_once(text: &str, tokens: impl IntoIterator<Item = String>) {
    for token in tokens {
        assert_eq!(text.matches(&token).count(), 1, "{token} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_g3_edits_go_on_over_a_killed_server_and_each_is_there_once() {
    let mut server = Server::start();
    let mut typist = Typist::join(&server).await;
    let reader = join(&server).await;
    typist.types(100).await;
    server.end("-KILL");
    typist.types(50).await;
    assert!(typist.client.read(Engine::pending) >= 50);
    let server = server.restart();
    typist.types(50).await;
    saved(&typist.client).await;
    let late = join(&server).await;
    expect_once(&text(&late), typist.all());
    assert_eq!(text(&late), text(&typist.client));
    until("the reader to be back", || text(&reader) == text(&late)).await;
    assert!(server.refused().is_empty(), "{:?}", server.refused());
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_what_was_acknowledged_is_there_after_a_kill_without_its_author() {
    let mut server = Server::start();
    let mut typist = Typist::join(&server).await;
    typist.types(200).await;
    server.end("-KILL");
    // Whatever was told until now is a promise; the author does not come back to keep it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let safe = typist.safe().await;
    typist.client.close().await;
    assert!(safe.len() > 20, "only {} edits were acknowledged", safe.len());
    let server = server.restart();
    expect_once(&text(&join(&server).await), safe);
}

#[tokio::test(flavor = "multi_thread")]
async fn h11_a_stopping_server_loses_nothing_it_acknowledged() {
    let mut server = Server::start();
    let mut typist = Typist::join(&server).await;
    typist.types(50).await;
    let stopping = tokio::task::spawn_blocking(move || {
        assert_eq!(server.end("-TERM").code(), Some(0));
        server
    });
    typist.types(100).await;
    let server = stopping.await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let safe = typist.safe().await;
    assert!(safe.len() >= 20, "only {} edits were acknowledged", safe.len());
    let server = server.restart();
    saved(&typist.client).await;
    let late = join(&server).await;
    expect_once(&text(&late), typist.all());
    assert_eq!(text(&late), text(&typist.client));
}
