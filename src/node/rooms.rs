//! The rooms that a node has in memory: opened when somebody asks, unloaded when nobody is left.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::AtomicBool,
        atomic::AtomicU64,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use futures::{FutureExt, lock::Mutex as AsyncMutex, select_biased};
use futures_timer::Delay;
use libp2p::{PeerId, Stream};
use thiserror::Error;

use super::{
    clock,
    config::{NodeConfig, Role},
    link::{ReadError, read_frame},
    room::{Room, refuse_early},
    stats::{NodeStats, Totals},
};
use crate::{
    base::{
        Ed25519, NodeId, Refusal, RoomId, WriterId,
        limits::{DRAIN_POLL_MS, HELLO_TIMEOUT_MS, MAX_OPEN_ROOMS, ROOM_IDLE_MS},
    },
    engine::{Engine, EngineConfig, Stats},
    storage::StoreError,
    wire::peek_room,
};

#[derive(Debug)]
pub(crate) struct Rooms {
    config: NodeConfig,
    totals: Arc<Totals>,
    /// Held while a room is loaded, so that no room is opened twice.
    open: AsyncMutex<BTreeMap<RoomId, Arc<Room>>>,
    sessions: Mutex<BTreeMap<PeerId, u32>>,
    stopping: AtomicBool,
    /// Figures of the open rooms at the last look, for `stats` which cannot wait for the lock.
    live: Mutex<Stats>,
    serving: AtomicU64,
}

impl Rooms {
    pub(crate) fn new(config: NodeConfig, totals: Arc<Totals>) -> Self {
        Self {
            config,
            totals,
            open: AsyncMutex::new(BTreeMap::new()),
            sessions: Mutex::default(),
            stopping: AtomicBool::new(false),
            live: Mutex::default(),
            serving: AtomicU64::new(0),
        }
    }

    /// The room, loaded if it is not in memory. `listened`: its events are fetched by somebody. `writer`: under which
    /// it edits, a new one if `None`.
    pub(crate) async fn get(
        &self,
        id: RoomId,
        token: Vec<u8>,
        listened: bool,
        writer: Option<WriterId>,
    ) -> Result<Arc<Room>, RoomError> {
        let mut open = self.open.lock().await;
        if self.stopping.load(SeqCst) {
            return Err(RoomError::Stopping);
        }
        if let Some(room) = open.get(&id) {
            return Ok(Arc::clone(room));
        }
        if open.len() >= MAX_OPEN_ROOMS {
            self.unload(&mut open, 1);
        }
        if open.len() >= MAX_OPEN_ROOMS {
            return Err(RoomError::TooMany);
        }
        let backend = self.config.role == Role::Backend;
        let engine_config = EngineConfig {
            room: id,
            node: NodeId(self.config.keypair.public().to_peer_id().to_bytes()),
            backend,
            documents: !backend,
            persists: self.config.store.is_durable(),
            token,
        };
        let writer = match writer {
            Some(writer) => writer,
            None => clock::random_writer()?,
        };
        let signer = Box::new(Ed25519::from_seed(self.config.author_seed));
        let engine = Engine::new(engine_config, writer, signer);
        let (store, totals) = (Arc::clone(&self.config.store), Arc::clone(&self.totals));
        let (room, restored) = Room::open(engine, id, store, totals, listened).await?;
        if restored.damaged > 0 {
            room.note_trouble(StoreError::Corrupt(format!("{} stored entries cannot be read", restored.damaged)));
        }
        open.insert(id, Arc::clone(&room));
        Totals::rise(&self.totals.rooms);
        Ok(room)
    }

    /// Serves one incoming session stream.
    pub(crate) async fn accept(self: Arc<Self>, peer: PeerId, mut stream: Stream) {
        let first = {
            let mut patience = Delay::new(Duration::from_millis(HELLO_TIMEOUT_MS)).fuse();
            let mut reading = std::pin::pin!(read_frame(&mut stream).fuse());
            select_biased! { frame = reading => frame, () = patience => Err(ReadError::Refused(Refusal::BadHello)) }
        };
        let first = match first {
            Ok(first) => first,
            Err(ReadError::Refused(reason)) => return refuse_early(&self.totals, stream, reason).await,
            Err(ReadError::Ended) => return,
        };
        let Some(id) = peek_room(&first) else {
            return refuse_early(&self.totals, stream, Refusal::BadHello).await;
        };
        if !self.enter(peer) {
            return refuse_early(&self.totals, stream, Refusal::TooManySessions).await;
        }
        match self.get(id, Vec::new(), false, None).await {
            Ok(room) => room.serve(peer, stream, false, Some(first)).await,
            Err(error) => {
                tracing::warn!(%error, "a room cannot be opened");
                refuse_early(&self.totals, stream, Refusal::RoomUnavailable).await;
            }
        }
        self.leave(peer);
    }

    fn enter(&self, peer: PeerId) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sessions.entry(peer).or_default();
        let room = *count < self.config.limits.max_rooms_per_peer;
        *count += u32::from(room);
        if room {
            self.serving.fetch_add(1, Relaxed);
        }
        room
    }

    fn leave(&self, peer: PeerId) {
        self.serving.fetch_sub(1, Relaxed);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sessions.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                sessions.remove(&peer);
            }
        }
    }

    pub(crate) fn stats(&self) -> NodeStats {
        if let Some(open) = self.open.try_lock() {
            let mut sum = Stats::default();
            for room in open.values() {
                add(&mut sum, room.read(Engine::stats));
            }
            *self.live.lock().unwrap_or_else(PoisonError::into_inner) = sum;
        }
        self.totals.snapshot(*self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a room out of memory at once; whoever holds it still may use it.
    pub(crate) async fn forget(&self, id: RoomId) {
        if self.open.lock().await.remove(&id).is_some() {
            Totals::fall(&self.totals.rooms);
        }
    }

    /// No new rooms; ends sessions. A backend waits until everything it accepted is stored, however long that takes.
    pub(crate) async fn drain(&self) {
        self.stopping.store(true, SeqCst);
        let rooms: Vec<Arc<Room>> = self.open.lock().await.values().cloned().collect();
        for room in &rooms {
            room.close_links();
        }
        while self.config.role == Role::Backend && !rooms.iter().all(|room| room.read(Engine::is_saved)) {
            Delay::new(Duration::from_millis(DRAIN_POLL_MS)).await;
        }
    }

    async fn unload_idle(&self) {
        self.unload(&mut *self.open.lock().await, ROOM_IDLE_MS);
    }

    /// Drops rooms that nobody was in for `idle_ms`. The store has them.
    fn unload(&self, open: &mut BTreeMap<RoomId, Arc<Room>>, idle_ms: u64) {
        open.retain(|_, room| {
            // Two holders at least while a session or commit runs.
            let used = Arc::strong_count(room) > 1 || room.idle_ms() < idle_ms;
            let keep = used || (idle_ms >= ROOM_IDLE_MS && room.fold_before_rest());
            if !keep {
                self.totals.absorb(room.read(Engine::stats));
                Totals::fall(&self.totals.rooms);
            }
            keep
        });
    }
}

fn add(sum: &mut Stats, other: Stats) {
    sum.log_bytes += other.log_bytes;
    sum.ops_accepted += other.ops_accepted;
    sum.frames_received += other.frames_received;
    sum.frames_sent += other.frames_sent;
}

/// Unloads rooms that nobody uses, until the node is gone.
pub(crate) async fn sweep(rooms: Weak<Rooms>) {
    loop {
        Delay::new(Duration::from_millis(ROOM_IDLE_MS / 2)).await;
        let Some(rooms) = rooms.upgrade() else { return };
        rooms.unload_idle().await;
    }
}

/// Why a room is not available.
#[derive(Debug, Error)]
pub(crate) enum RoomError {
    #[error("the node is shutting down")]
    Stopping,
    #[error("{MAX_OPEN_ROOMS} rooms are open already")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no source of randomness: {0}")]
    Random(#[from] getrandom::Error),
}
