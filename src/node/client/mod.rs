//! One room through one backend: connects, stays connected, edits, tells what happens. What `BrowserSyncClient` and
//! native clients are made of.

mod dial;
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
use libp2p::{Multiaddr, PeerId, identity::Keypair};

pub use options::{ClientError, ClientEvent, ClientOptions, Status, TabsOptions};

use super::{Node, NodeConfig, NodeLimits, Role, clock, room::Room, spawn::spawn, tabs::link_room};
use crate::{
    base::{
        AuthorId, RoomId,
        limits::{CLOSE_FLUSH_MS, DRAIN_POLL_MS, MAX_CLIENT_EVENTS, MAX_TOKEN_BYTES},
    },
    engine::Engine,
    storage::MemoryStore,
    transport::{
        self, TransportCounters,
        tabs::{Uplink, UplinkConfig, UplinkTransport},
        websocket::WsAddress,
    },
};

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
    nudge: Mutex<mpsc::Sender<Nudge>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Target {
    address: Multiaddr,
    peer: Option<PeerId>,
}

#[derive(Debug)]
struct State {
    status: Status,
    running: bool,
    backend: Option<PeerId>,
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
    /// Makes a client; nothing is dialed before [`Client::connect`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open(options: ClientOptions) -> Result<Self, ClientError> {
        let address: WsAddress = options.address.parse().map_err(|error| ClientError::Address(format!("{error}")))?;
        if options.token.len() > MAX_TOKEN_BYTES {
            return Err(ClientError::TokenTooLong { max: MAX_TOKEN_BYTES });
        }
        let identity = |error: &dyn std::fmt::Display| ClientError::Identity(error.to_string());
        let author_seed = match options.author_seed {
            Some(seed) => seed,
            None => clock::random_seed().map_err(|error| identity(&error))?,
        };
        // The node's identity is its own: two tabs of one author must not collide.
        let node_seed = clock::random_seed().map_err(|error| identity(&error))?;
        let keypair = Keypair::ed25519_from_bytes(node_seed).map_err(|error| identity(&error))?;
        let counters = TransportCounters::new();
        let uplink = options
            .tabs
            .as_ref()
            .filter(|tabs| tabs.share_uplink)
            .map(|tabs| Uplink::new(UplinkConfig { db_name: tabs.db_name.clone(), address: address.url() }));
        let raw = UplinkTransport::new(uplink.clone());
        let transport = transport::authenticate(raw, &keypair, &counters).map_err(|error| identity(&error))?;
        let store = options.store.unwrap_or_else(|| Arc::new(MemoryStore::default()));
        let limits = NodeLimits { max_connections: 64, ..NodeLimits::default() };
        let config = NodeConfig { keypair, author_seed, role: Role::Client, store, announce: Vec::new(), limits };
        let node = Node::start(config, transport, &[]).map_err(|error| identity(&error))?;
        let id = RoomId::open(&options.room);
        let room = node.rooms.get(id, options.token, true, None).await;
        let room = room.map_err(|error| ClientError::Room(error.to_string()))?;
        let author = room.read(|engine| engine.replica().signer().author());
        let target = Target { address: address.to_multiaddr(), peer: address.peer() };
        let (nudge, nudges) = mpsc::channel(8);
        let state = State {
            status: Status::Disconnected,
            running: false,
            backend: None,
            reconnects: 0,
            events: VecDeque::new(),
            waker: None,
        };
        let tabs = tabs::Tabs::new(uplink);
        if let Some(TabsOptions { db_name, .. }) = options.tabs {
            tabs.run(link_room(Arc::clone(&room), id, node.peer_id(), db_name));
        }
        let shared = Arc::new(Shared {
            node,
            room,
            tabs,
            author,
            counters,
            target,
            nudge: Mutex::new(nudge),
            state: Mutex::new(state),
        });
        let client = Self { shared };
        let weak = Arc::downgrade(&client.shared);
        spawn(async move {
            // Holds the client only while it is wanted: see `run`.
            if let Some(nudges) = dial::wait_for_start(nudges).await
                && let Some(shared) = weak.upgrade()
            {
                dial::run(shared, nudges).await;
            }
        });
        Ok(client)
    }

    /// Starts dialing and stays connected. Idempotent.
    pub fn connect(&self) {
        {
            let mut state = self.shared.lock();
            if state.running || state.status == Status::Closed {
                return;
            }
            state.running = true;
        }
        self.shared.tabs.share_uplink(Arc::downgrade(&self.shared));
        self.shared.set_status(Status::Connecting);
        self.wake();
    }

    /// The network or the tab is back: dial now, do not wait.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// Sends what is unsent, for a bounded time, and ends. Idempotent.
    pub async fn close(&self) {
        let was = self.shared.lock().status;
        if was == Status::Closed {
            return;
        }
        if was == Status::Connected {
            self.shared.room.with(|engine, now| engine.commit_now(now));
            let mut waited = 0;
            while waited < CLOSE_FLUSH_MS && self.shared.room.read(Engine::pending) > 0 {
                Delay::new(Duration::from_millis(DRAIN_POLL_MS)).await;
                waited += DRAIN_POLL_MS;
            }
        }
        self.shared.set_status(Status::Closed);
        let (done, stopped) = oneshot::channel();
        let sent = {
            let mut nudge = self.shared.nudge.lock().unwrap_or_else(PoisonError::into_inner);
            nudge.try_send(Nudge::Close(done)).is_ok()
        };
        if sent {
            let _ = stopped.await;
        }
        self.shared.tabs.leave();
        self.shared.room.close_links();
        self.shared.node.shutdown().await;
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
    pub fn with<T>(&self, act: impl FnOnce(&mut Engine, crate::base::Timestamp) -> T) -> T {
        self.shared.room.with(act)
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
    pub fn stats(&self) -> super::NodeStats {
        self.shared.node.stats()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut nudge = self.nudge.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = nudge.try_send(Nudge::Wake);
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
