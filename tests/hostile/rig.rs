//! A server, an honest witness who edits, and a hostile peer in the same room; and the proof that nobody was harmed.

use std::{collections::BTreeMap, time::Duration};

use libp2p::PeerId;
use peersync::{
    base::{Hash, RoomId, WriterId},
    node::{Client, ClientEvent, ClientOptions, Event, Status},
    wire::OpSource as _,
};

use crate::{
    ops::Forger,
    peer::{Hostile, Session, soon},
    server::Server,
};

const ROOM: &str = "hostile";

pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) witness: Client,
    pub(crate) hostile: Hostile,
    pub(crate) forger: Forger,
    /// Reasons that honest peers may add to while they repair, so that their number is left open.
    pub(crate) open: &'static [&'static str],
}

impl Rig {
    /// The witness has typed `honest`, and that is stored.
    pub(crate) async fn start() -> Self {
        let server = Server::start();
        let witness = join(&server).await;
        type_at_end(&witness, "honest");
        saved(&witness).await;
        let hostile = Hostile::connect(&server).await;
        let rig = Self { server, witness, hostile, forger: Forger::new(room()), open: &[] };
        rig.counted(&[]).await;
        rig
    }

    /// The hostile peer's session, in good standing.
    pub(crate) async fn session(&self) -> Session {
        self.hostile.join(room(), &self.forger.signer).await
    }

    /// The witness's writer: its head's position and header hash, and its Yjs client id.
    pub(crate) fn victim(&self) -> Victim {
        self.witness.read(|engine| {
            let replica = engine.replica();
            let writer = replica.writer();
            let head = replica.log().head(writer);
            let id = peersync::base::OpId { writer, seq: head };
            let (hash, _) = replica.log().context(id).unwrap();
            Victim { writer, head, hash, client: writer.yjs_client_id(room(), replica.signer().author()) }
        })
    }

    /// Waits until exactly these refusals were counted, under these reasons and no others.
    pub(crate) async fn counted(&self, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let mut seen = BTreeMap::new();
        for _ in 0..400 {
            seen = self.server.refused();
            seen.retain(|reason, _| !self.open.contains(&reason.as_str()));
            if seen.iter().any(|(reason, count)| expected.get(reason).is_none_or(|wanted| count > wanted)) {
                break;
            }
            if seen == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("counted {seen:?}, not {expected:?}; log: {}", self.server.log());
    }

    /// Nothing has changed for anybody: the honest text is there, the witness edits on over the same connection, its
    /// edit is stored, and whoever joins now gets exactly that. And nothing more was counted on the way.
    pub(crate) async fn unharmed(self, counted: &[(&str, u64)]) {
        self.unharmed_with("honest", counted).await;
    }

    /// [`Rig::unharmed`] where valid operations of the hostile peer made the text `before`.
    pub(crate) async fn unharmed_with(self, before: &str, counted: &[(&str, u64)]) {
        self.counted(counted).await;
        shows(&self.witness, before).await;
        let (_, _, reconnects) = self.witness.traffic();
        assert_eq!((self.witness.status(), reconnects), (Status::Connected, 0), "the witness was disturbed");
        type_at_end(&self.witness, " and well");
        saved(&self.witness).await;
        let late = join(&self.server).await;
        let text = format!("{before} and well");
        assert_eq!(late.read(|engine| engine.replica().text("n")), text);
        assert_eq!(self.witness.read(|engine| engine.replica().text("n")), text);
        let state =
            |client: &Client| client.read(|engine| (engine.replica().state_hash(), engine.stats().apply_failures));
        assert_eq!(state(&late), state(&self.witness));
        assert_eq!(state(&late).1, 0, "the document refused what had been inspected");
        self.counted(counted).await;
        late.close().await;
        self.witness.close().await;
    }

    /// Waits until the witness is told that an author signed twice.
    pub(crate) async fn witness_is_told_of_equivocation(&self) {
        let author = peersync::base::Signer::author(&self.forger.signer);
        soon("the report", async {
            loop {
                if let ClientEvent::Room(Event::Equivocation { author: reported, writer }) =
                    self.witness.next_event().await
                {
                    assert_eq!((reported, writer), (author, self.forger.writer));
                    return;
                }
            }
        })
        .await;
    }
}

pub(crate) struct Victim {
    pub(crate) writer: WriterId,
    pub(crate) head: u64,
    pub(crate) hash: Hash,
    pub(crate) client: u64,
}

pub(crate) fn room() -> RoomId {
    RoomId::open(ROOM)
}

/// A client that has everything the server had.
pub(crate) async fn join(server: &Server) -> Client {
    let options =
        ClientOptions::new(format!("{}/p2p/{}", server.address(), server.peer_id.parse::<PeerId>().unwrap()), ROOM);
    let client = Client::open(options).await.unwrap();
    client.connect();
    until("joining", || client.read(peersync::engine::Engine::is_synced)).await;
    client
}

pub(crate) fn type_at_end(client: &Client, text: &str) -> u64 {
    client.with(|engine, now| {
        let at = engine.replica().text_len("n");
        engine.insert(now, "n", at, text, None).unwrap()
    })
}

/// Waits until the backend has everything of the client on disk.
pub(crate) async fn saved(client: &Client) {
    until("the acknowledgement", || client.read(peersync::engine::Engine::pending) == 0).await;
}

/// Waits until the client shows `text`.
pub(crate) async fn shows(client: &Client, text: &str) {
    until(text, || client.read(|engine| engine.replica().text("n")) == text).await;
}

pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    soon(what, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
