//! One room through one backend: connects, stays connected, edits, tells what happens. What `BrowserSyncClient` and
//! native clients are made of.

mod dial;
mod keep;
mod open;
mod options;
mod tabs;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use futures::{
    FutureExt,
    channel::{mpsc, oneshot},
    future::poll_fn,
    select_biased,
};
use futures_timer::Delay;
use libp2p::{Multiaddr, PeerId};

pub use options::{ClientError, ClientEvent, ClientOptions, Persistence, Status, SyncState, TabsOptions};

use super::{Node, NodeStats, clock, room::Room, spawn::spawn};
use crate::{
    base::{
        AuthorId, Timestamp,
        limits::{CLOSE_FLUSH_MS, DRAIN_POLL_MS, MAX_CLIENT_EVENTS},
    },
    engine::Engine,
    transport::TransportCounters,
};

use keep::Kept;

/// A client of one room.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    node: Node,
    room: Arc<Room>,
    author: AuthorId,
    counters: Arc<TransportCounters>,
    target: Target,
    tabs: tabs::Tabs,
    kept: Kept,
    nudge: Mutex<mpsc::Sender<Nudge>>,
    touch: Mutex<mpsc::Sender<()>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Target {
    address: Multiaddr,
    peer: Option<PeerId>,
}

#[derive(Debug, Default)]
struct State {
    status: Status,
    running: bool,
    /// Why it dials no more.
    fatal: Option<(&'static str, String)>,
    backend: Option<PeerId>,
    /// The backend of the present or last session.
    last_backend: Option<PeerId>,
    reconnects: u64,
    events: VecDeque<ClientEvent>,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Nudge {
    Wake,
    Close(oneshot::Sender<()>),
}

impl Client {
    /// Makes a client of what this device has of the room; nothing is dialed before [`Client::connect`]. A store that
    /// cannot be used is told ([`ClientEvent::Storage`]), and the room is kept in memory.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open(options: ClientOptions) -> Result<Self, ClientError> {
        open::open(options).await
    }

    /// Starts dialing and stays connected. Idempotent. Where dialing has been given up for good, that is told again.
    pub fn connect(&self) {
        let fatal = {
            let mut state = self.shared.lock();
            if state.running || state.status == Status::Closed {
                return;
            }
            state.running = state.fatal.is_none();
            state.fatal.clone()
        };
        if let Some((code, message)) = fatal {
            self.shared.tell(ClientEvent::Error { code, message });
            return;
        }
        self.shared.tabs.share_uplink(Arc::downgrade(&self.shared));
        self.shared.set_status(Status::Connecting);
        self.wake();
    }

    /// The network or the tab is back: dial now, do not wait.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// Sends and stores what is not yet, for a bounded time each, and ends. What is edited afterwards is neither sent
    /// nor stored. Idempotent.
    pub async fn close(&self) {
        let was = self.shared.lock().status;
        if was == Status::Closed {
            return;
        }
        self.shared.room.with(Engine::commit_now);
        if was == Status::Connected {
            self.wait(|shared| shared.room.read(Engine::pending) == 0).await;
        }
        self.shared.set_status(Status::Closed);
        let (done, stopped) = oneshot::channel();
        if self.shared.nudge(Nudge::Close(done)) {
            let _ = stopped.await;
        }
        self.shared.tabs.leave();
        self.shared.room.close_links();
        self.wait(|shared| !shared.kept.is_durable() || shared.room.read(Engine::is_saved)).await;
        let keeps = self.shared.room.read(Engine::is_saved);
        if let Err(error) = self.shared.leave(keeps).await {
            tracing::debug!(%error, "the writer is not left clean");
        }
        self.shared.node.shutdown().await;
    }

    /// The page is going away. `persisted`: it may come back as it is, and then [`Client::wake`] is all it takes.
    /// Otherwise nothing can be waited for: what is stored is stored in this order, and the client has ended when this
    /// returns, so that what it would sign from here on can never meet what a later client signs as the same writer. A
    /// page that comes back all the same needs a new client.
    pub fn page_hides(&self, persisted: bool) {
        if self.shared.lock().status == Status::Closed {
            return;
        }
        self.shared.room.with(Engine::commit_now);
        if persisted {
            return;
        }
        self.shared.set_status(Status::Closed);
        self.shared.tabs.leave();
        self.shared.room.close_links();
        let left = self.shared.leave(true);
        let shared = Arc::clone(&self.shared);
        spawn(async move {
            let (done, _) = oneshot::channel();
            shared.nudge(Nudge::Close(done));
            let _ = left.await;
            shared.node.shutdown().await;
        });
    }

    /// Waits until `done`, for a bounded time.
    async fn wait(&self, done: impl Fn(&Shared) -> bool) {
        let mut waited = 0;
        while waited < CLOSE_FLUSH_MS && !done(&self.shared) {
            Delay::new(Duration::from_millis(DRAIN_POLL_MS)).await;
            waited += DRAIN_POLL_MS;
        }
    }

    /// The next event; waits for it.
    pub async fn next_event(&self) -> ClientEvent {
        let own = poll_fn(|context| {
            let mut state = self.shared.lock();
            match state.events.pop_front() {
                Some(event) => Poll::Ready(event),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        let room = self.shared.room.next_event();
        select_biased! { event = own.fuse() => event, event = Box::pin(room).fuse() => ClientEvent::Room(event) }
    }

    /// Uses the room's engine; what it wants done is done before this returns.
    pub fn with<T>(&self, act: impl FnOnce(&mut Engine, Timestamp) -> T) -> T {
        let result = self.shared.room.with(act);
        self.shared.touch();
        result
    }

    /// Reads the room's engine.
    pub fn read<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        self.shared.room.read(look)
    }

    /// Whether there is a session.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.lock().status
    }

    /// What is stored where.
    #[must_use]
    pub fn sync_state(&self) -> SyncState {
        let status = self.shared.room.read(|engine| engine.sync_status(clock::now()));
        SyncState {
            unsaved: status.unsaved,
            pending: status.pending,
            oldest_pending_ms: status.oldest_pending_ms,
            durable: self.shared.kept.is_durable() && !status.failing,
        }
    }

    /// Whether this device once had the room as the backend had it: what is here is not just what was made here.
    #[must_use]
    pub fn was_synced(&self) -> bool {
        self.shared.kept.was_synced()
    }

    /// The backend of the present session.
    #[must_use]
    pub fn backend(&self) -> Option<PeerId> {
        self.shared.lock().backend
    }

    /// This node's transport identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.shared.node.peer_id()
    }

    /// On whose behalf it edits.
    #[must_use]
    pub fn author(&self) -> AuthorId {
        self.shared.author
    }

    /// WebSocket payload bytes sent and received, and how often it connected again.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64, u64) {
        let counters = &self.shared.counters;
        (counters.bytes_sent(), counters.bytes_received(), self.shared.lock().reconnects)
    }

    /// Figures of the node.
    #[must_use]
    pub fn stats(&self) -> NodeStats {
        self.shared.node.stats()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody is there to take it.
    fn nudge(&self, nudge: Nudge) -> bool {
        self.nudge.lock().unwrap_or_else(PoisonError::into_inner).try_send(nudge).is_ok()
    }

    fn tell(&self, event: ClientEvent) {
        let mut state = self.lock();
        if state.events.len() >= MAX_CLIENT_EVENTS {
            state.events.pop_front();
        }
        state.events.push_back(event);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn wake(&self) {
        if self.lock().running {
            self.nudge(Nudge::Wake);
        }
    }

    fn set_status(&self, status: Status) {
        {
            let mut state = self.lock();
            if state.status == status || state.status == Status::Closed {
                return;
            }
            state.status = status;
        }
        self.tabs.set_connected(status == Status::Connected);
        self.tell(ClientEvent::Status(status));
    }
}
