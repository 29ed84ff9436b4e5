//! What a client writes down beside its room: which writer it uses and how it left it, what the backend has of it, where
//! the backend was found. All of it can be lost but the first, and then no position is signed twice all the same.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{StreamExt, channel::mpsc};
use futures_timer::Delay;
use libp2p::PeerId;

use super::{ClientEvent, Shared, Status};
use crate::{
    base::{RoomId, Seq, WriterId, limits::REMEMBER_INTERVAL_MS},
    engine::Engine,
    node::{
        clock, identity,
        peers::Peers,
        spawn::spawn,
        watched::{News, Trouble, WatchedStore},
        writers::{Claim, Writers, hex},
    },
    storage::{self, Flush, Store, StoreError, StoreFuture, Write},
};

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) watched: Arc<WatchedStore>,
    writers: Writers,
    claim: Mutex<Claim>,
    /// What is written down of the acknowledgements.
    acked: Mutex<BTreeMap<WriterId, Seq>>,
    /// The author's secret, if the store keeps it.
    seed: Option<identity::Seed>,
    peers: Mutex<Peers>,
    synced_before: AtomicBool,
    asked_to_persist: AtomicBool,
}

impl Kept {
    pub(super) fn new(
        watched: Arc<WatchedStore>,
        writers: Writers,
        claim: Claim,
        acked: BTreeMap<WriterId, Seq>,
        seed: Option<identity::Seed>,
        peers: Peers,
        synced_before: bool,
    ) -> Self {
        Self {
            watched,
            writers,
            claim: claim.into(),
            acked: acked.into(),
            seed,
            peers: peers.into(),
            synced_before: synced_before.into(),
            asked_to_persist: AtomicBool::new(false),
        }
    }

    /// Whether what happens is kept on this device.
    pub(super) fn is_durable(&self) -> bool {
        self.watched.is_durable() && !self.watched.is_failing()
    }

    /// Whether the room was once here as the backend had it.
    pub(super) fn was_synced(&self) -> bool {
        self.synced_before.load(Relaxed)
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.watched) as Arc<dyn Store>
    }
}

impl Shared {
    /// Something may have changed that is to be written down in a while.
    pub(super) fn touch(&self) {
        // Full: it has been said already.
        let _ = lock(&self.touch).try_send(());
    }

    /// What was found damaged when the room was read.
    pub(super) fn damage(&self) -> Option<Trouble> {
        self.room.trouble().as_ref().map(Trouble::of)
    }

    pub(super) fn hear_of_store(self: &Arc<Self>, news: News) {
        match news {
            News::Fails(trouble) => self.tell_storage(Some(&trouble)),
            News::Works => self.tell_storage(None),
            News::Forgot => {
                let message = "the database was deleted; what this page has of the room is stored again".to_owned();
                self.tell(ClientEvent::Error { code: "STORAGE_FAILED", message });
                let shared = Arc::clone(self);
                spawn(async move { shared.note_again().await });
            }
        }
    }

    /// The store has lost what was in it. The room is stored anew, and so is who edits it: the next client here should
    /// be the same author.
    async fn note_again(&self) {
        let mut writes: Vec<_> = self.kept.seed.as_ref().map(identity::write).into_iter().collect();
        let acked = std::mem::take(&mut *lock(&self.kept.acked));
        let answer = {
            let claim = lock(&self.kept.claim);
            let acked = acked.get(&claim.writer).copied().unwrap_or(0);
            writes.push(self.kept.writers.acknowledged(&claim, acked, self.backend_bytes()));
            self.kept.watched.commit(writes, Flush::Strict)
        };
        self.log("who edits here", answer.await);
        self.kept.synced_before.store(false, Relaxed);
        self.touch();
    }

    pub(super) fn tell_storage(&self, trouble: Option<&Trouble>) {
        if let Some(Trouble { code, message }) = trouble {
            self.tell(ClientEvent::Error { code, message: message.clone() });
        }
        let durable = trouble.is_none() && self.kept.watched.is_durable();
        self.tell(ClientEvent::Storage { durable, reason: trouble.map(|trouble| trouble.code) });
    }

    /// The backend's address was reached: who answers there is remembered, and a change is told.
    pub(super) async fn reached(&self, peer: PeerId) {
        let address = self.target.address.to_string();
        let (changed, stored) = {
            let mut peers = lock(&self.kept.peers);
            let changed = peers.reached(&address, peer, clock::wall());
            (changed, peers.store(&self.kept.store(), &address))
        };
        if let Some(was) = changed {
            self.tell(ClientEvent::BackendChanged { was, now: peer });
        }
        stored.await;
    }

    /// It was not.
    pub(super) async fn missed(&self) {
        let address = self.target.address.to_string();
        let stored = {
            let mut peers = lock(&self.kept.peers);
            peers.missed(&address, clock::wall());
            peers.store(&self.kept.store(), &address)
        };
        stored.await;
    }

    /// Leaves the writer clean, if `keeps`, and stores nothing more. Behind all that was stored before it: an operation
    /// that does not get there makes the writer longer than what is stored of it, and so it is not continued.
    pub(super) fn leave(&self, keeps: bool) -> StoreFuture<()> {
        let backend = self.backend_bytes();
        self.room.read(|engine| {
            let mut claim = lock(&self.kept.claim);
            let head = engine.replica().next_seq() - 1;
            let acked = engine.acked().find(|id| id.writer == claim.writer).map_or(0, |id| id.seq);
            let write = self.kept.writers.leave(&claim, head, acked, backend);
            let answer = self.kept.watched.seal(if keeps { vec![write] } else { Vec::new() });
            claim.release();
            answer
        })
    }

    fn backend_bytes(&self) -> Vec<u8> {
        self.lock().last_backend.map(|peer| peer.to_bytes()).unwrap_or_default()
    }

    /// Writes down what has changed. Whether more is to be expected soon.
    async fn note_down(&self) -> bool {
        let (marks, pending, synced, saved) =
            self.room.read(|engine| (marks(engine), engine.pending(), engine.is_synced(), engine.is_saved()));
        self.note_acknowledged(&marks).await;
        if synced && saved && !self.kept.synced_before.swap(true, Relaxed) {
            let write = Write::Meta { key: synced_key(self.kept.writers.room()), value: Some(self.backend_bytes()) };
            self.log("that the room was synced", self.kept.watched.commit(vec![write], Flush::Relaxed).await);
        }
        let made = self.room.read(Engine::stats).ops_made > 0;
        if made && saved && self.kept.is_durable() && !self.kept.asked_to_persist.swap(true, Relaxed) {
            self.ask_to_persist().await;
        }
        let connected = self.lock().status == Status::Connected;
        !saved || (connected && (pending > 0 || !synced))
    }

    async fn note_acknowledged(&self, marks: &BTreeMap<WriterId, Seq>) {
        let backend = self.backend_bytes();
        for (writer, acked) in marks {
            if lock(&self.kept.acked).get(writer) == Some(acked) {
                continue;
            }
            let own = {
                let claim = lock(&self.kept.claim);
                let write = || self.kept.writers.acknowledged(&claim, *acked, backend.clone());
                // Called under the lock: what leaves the writer clean comes behind it.
                (claim.writer == *writer).then(|| self.kept.watched.commit(vec![write()], Flush::Relaxed))
            };
            let result = match own {
                Some(answer) => answer.await,
                None => self.kept.writers.acknowledged_of(*writer, *acked, backend.clone()).await,
            };
            if result.is_ok() {
                lock(&self.kept.acked).insert(*writer, *acked);
            }
            self.log("what the backend acknowledged", result);
        }
    }

    /// Asks the browser not to throw the database away when space is short. It may refuse, and may do so anyway.
    async fn ask_to_persist(&self) {
        if !matches!(self.kept.watched.meta(PERSIST_KEY).await, Ok(None)) {
            return;
        }
        let Some(granted) = storage::ask_to_persist().await else { return };
        tracing::debug!(granted, "asked the browser to keep the database");
        let write = Write::Meta { key: PERSIST_KEY.to_owned(), value: Some(vec![u8::from(granted)]) };
        self.log("that it was asked", self.kept.watched.commit(vec![write], Flush::Relaxed).await);
    }

    fn log(&self, what: &str, result: Result<(), StoreError>) {
        if let Err(error) = result {
            tracing::debug!(%error, room = ?self.kept.writers.room(), "cannot write down {what}");
        }
    }
}

/// Writes down what has changed a while after it was touched, until the client is gone.
pub(super) async fn remember(shared: Weak<Shared>, mut touches: mpsc::Receiver<()>) {
    while touches.next().await.is_some() {
        loop {
            Delay::new(Duration::from_millis(REMEMBER_INTERVAL_MS)).await;
            let Some(shared) = shared.upgrade() else { return };
            if shared.lock().status == Status::Closed || !shared.note_down().await {
                break;
            }
        }
    }
}

/// Whether the room was ever here as the backend had it.
pub(super) async fn was_synced(store: &Arc<dyn Store>, room: RoomId) -> Result<bool, StoreError> {
    Ok(storage::sound_meta(store.as_ref(), &synced_key(room)).await?.is_some())
}

/// What the backend has of each writer of this author here.
fn marks(engine: &Engine) -> BTreeMap<WriterId, Seq> {
    engine.acked().map(|id| (id.writer, id.seq)).collect()
}

const PERSIST_KEY: &str = "persist-asked";

fn synced_key(room: RoomId) -> String {
    format!("synced/{}", hex(&room.0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
