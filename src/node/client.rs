//! One room through one backend: connects, stays connected, edits, tells what happens. What `BrowserSyncClient` and
//! native clients are made of.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    channel::{mpsc, oneshot},
    future::{Fuse, poll_fn},
    select_biased,
};
use futures_timer::Delay;
use libp2p::{Multiaddr, PeerId, identity::Keypair, swarm::DialError};
use thiserror::Error;

use super::{Node, NodeConfig, NodeLimits, Role, SYNC_PROTOCOL, clock, room::Room, spawn::spawn, swarm::Dialed};
use crate::{
    base::{
        AuthorId, RoomId,
        limits::{CLOSE_FLUSH_MS, DRAIN_POLL_MS, MAX_CLIENT_EVENTS, MAX_TOKEN_BYTES, WAKE_PROBE_MS},
        note,
    },
    engine::{Engine, Event},
    mesh::{Redial, RedialAction},
    storage::{MemoryStore, Store},
    transport::{
        self, TransportCounters,
        websocket::{WebSocketTransport, WsAddress},
    },
};

/// What to join, and as whom.
#[derive(Debug)]
pub struct ClientOptions {
    /// The backend: `ws://host:port/path` or a multiaddr, with or without `/p2p/…`.
    pub address: String,
    /// Name of the (open) room.
    pub room: String,
    /// Secret of the author; a fresh one if `None`.
    pub author_seed: Option<[u8; 32]>,
    /// Shown to the backend.
    pub token: Vec<u8>,
    /// Where the room is kept; in memory if `None`.
    pub store: Option<Arc<dyn Store>>,
}

/// Whether there is a session with the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Dialing.
    Connecting,
    /// There is one.
    Connected,
    /// Not asked to connect yet, waiting to dial again, or given up.
    Disconnected,
    /// [`Client::close`] was called.
    Closed,
}

/// What happens to a client, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// The status changed.
    Status(Status),
    /// A session with this backend is open.
    Connected(PeerId),
    /// The session ended.
    Disconnected(String),
    /// It will be dialed again.
    Reconnecting {
        /// Counted from 1 since the last stable connection.
        attempt: u32,
        /// When.
        delay_ms: u64,
    },
    /// Something about the room.
    Room(Event),
    /// Something failed. Fatal ones end the dialing.
    Error {
        /// A code of SPEC §9.
        code: &'static str,
        /// For people.
        message: String,
    },
}

/// Why a client cannot be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is none that this node can dial.
    #[error("{0}")]
    Address(String),
    /// No backend would read the token.
    #[error("token must be at most {max} bytes of UTF-8")]
    TokenTooLong {
        /// The limit.
        max: usize,
    },
    /// The identity or the platform's randomness failed.
    #[error("cannot make an identity: {0}")]
    Identity(String),
    /// The room's store failed.
    #[error("cannot open the room: {0}")]
    Room(String),
}

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
        let transport = transport::authenticate(WebSocketTransport::new(), &keypair, &counters)
            .map_err(|error| identity(&error))?;
        let store = options.store.unwrap_or_else(|| Arc::new(MemoryStore::default()));
        let limits = NodeLimits { max_connections: 64, ..NodeLimits::default() };
        let config = NodeConfig { keypair, author_seed, role: Role::Client, store, announce: Vec::new(), limits };
        let node = Node::start(config, transport, &[]).map_err(|error| identity(&error))?;
        let room = node.rooms.get(RoomId::open(&options.room), options.token, true).await;
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
        let shared = Arc::new(Shared {
            node,
            room,
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
            if let Some(nudges) = wait_for_start(nudges).await
                && let Some(shared) = weak.upgrade()
            {
                run(shared, nudges).await;
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
        self.shared.set_status(Status::Connecting);
        self.wake();
    }

    /// The network or the tab is back: dial now, do not wait.
    pub fn wake(&self) {
        if self.shared.lock().running {
            let mut nudge = self.shared.nudge.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = nudge.try_send(Nudge::Wake);
        }
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

    fn set_status(&self, status: Status) {
        {
            let mut state = self.lock();
            if state.status == status || state.status == Status::Closed {
                return;
            }
            state.status = status;
        }
        self.tell(ClientEvent::Status(status));
    }
}

/// The first nudge starts the loop; a dropped client ends the wait.
async fn wait_for_start(mut nudges: mpsc::Receiver<Nudge>) -> Option<mpsc::Receiver<Nudge>> {
    match nudges.next().await? {
        Nudge::Wake => Some(nudges),
        Nudge::Close(done) => {
            let _ = done.send(());
            None
        }
    }
}

/// Dials, serves the session, dials again; until closed, or until the address turns out to be another peer's.
async fn run(shared: Arc<Shared>, mut nudges: mpsc::Receiver<Nudge>) {
    let seed = clock::random_seed().unwrap_or_default();
    let mut redial = Redial::new(clock::now(), seed);
    loop {
        let pause = match redial.poll(clock::now()) {
            RedialAction::Dial => {
                match attempt(&shared, &mut redial, &mut nudges).await {
                    Attempt::Again => {}
                    Attempt::Stop => return,
                }
                continue;
            }
            RedialAction::Wait(at) => at.since(clock::now()),
            // Far less than a browser's timer can count.
            RedialAction::Rest => 60_000,
        };
        let mut delay = Delay::new(Duration::from_millis(pause)).fuse();
        select_biased! {
            nudge = nudges.next() => match nudge {
                Some(Nudge::Wake) => redial.nudge(clock::now()),
                Some(Nudge::Close(done)) => {
                    let _ = done.send(());
                    return;
                }
                None => return,
            },
            () = delay => {}
        }
    }
}

enum Attempt {
    Again,
    Stop,
}

async fn attempt(shared: &Arc<Shared>, redial: &mut Redial, nudges: &mut mpsc::Receiver<Nudge>) -> Attempt {
    shared.set_status(Status::Connecting);
    // Neither is armed before somebody wakes the client.
    let (mut nudged, mut heard) = (false, 0);
    let mut probe = Fuse::<Delay>::terminated();
    let mut session = std::pin::pin!(session(shared).fuse());
    let ended = loop {
        select_biased! {
            ended = session => break ended,
            nudge = nudges.next() => match nudge {
                // A dial that hangs on the old network is not waited out; a session must show that it lives.
                Some(Nudge::Wake) if shared.lock().status == Status::Connected => {
                    heard = shared.counters.bytes_received();
                    probe = Delay::new(Duration::from_millis(WAKE_PROBE_MS)).fuse();
                }
                Some(Nudge::Wake) => nudged = true,
                Some(Nudge::Close(done)) => {
                    let _ = done.send(());
                    return Attempt::Stop;
                }
                None => return Attempt::Stop,
            },
            () = probe => {
                if shared.counters.bytes_received() == heard {
                    nudged = true;
                    break Ended::Lost { reason: "nothing was heard after waking up".to_owned(), since: clock::now() };
                }
            }
        }
    };
    let deaf = shared.lock().backend.filter(|_| nudged);
    if let Some(peer) = deaf {
        shared.room.forget_links();
        shared.node.disconnect(peer).await;
    }
    shared.lock().backend = None;
    let now = clock::now();
    let reason = match ended {
        Ended::Fatal { code, message } => {
            redial.stop();
            shared.tell(ClientEvent::Error { code, message });
            shared.lock().running = false;
            shared.set_status(Status::Disconnected);
            return Attempt::Stop;
        }
        Ended::NotConnected(message) => {
            shared.tell(ClientEvent::Error { code: "CONNECTION_FAILED", message: message.clone() });
            message
        }
        Ended::Lost { reason, since } => {
            redial.connected(since);
            shared.tell(ClientEvent::Disconnected(reason.clone()));
            reason
        }
    };
    note!(reason, "no session with the backend");
    shared.set_status(Status::Disconnected);
    let (attempt, mut delay_ms) = redial.lost(now);
    if nudged {
        redial.nudge(now);
        delay_ms = 0;
    }
    shared.lock().reconnects += 1;
    shared.tell(ClientEvent::Reconnecting { attempt, delay_ms });
    Attempt::Again
}

enum Ended {
    Fatal { code: &'static str, message: String },
    NotConnected(String),
    Lost { reason: String, since: crate::base::Timestamp },
}

/// One connection and its session, from dial to end.
async fn session(shared: &Arc<Shared>) -> Ended {
    note!(address = %shared.target.address, "dialing");
    let dialed = shared.node.dial(shared.target.address.clone(), shared.target.peer).await;
    let Dialed { peer, closed } = match dialed {
        Ok(dialed) => dialed,
        Err(DialError::WrongPeerId { obtained, .. }) => {
            let message = format!("the address answers as {obtained}, not as the peer it names");
            return Ended::Fatal { code: "PEER_ID_MISMATCH", message };
        }
        Err(error) => return Ended::NotConnected(describe(&error)),
    };
    let opened = shared.node.control.clone().open_stream(peer, SYNC_PROTOCOL).await;
    let stream = match opened {
        Ok(stream) => stream,
        Err(error) => {
            shared.node.disconnect(peer).await;
            return Ended::NotConnected(error.to_string());
        }
    };
    let since = clock::now();
    shared.lock().backend = Some(peer);
    shared.set_status(Status::Connected);
    shared.tell(ClientEvent::Connected(peer));
    let reason = {
        let mut serving = std::pin::pin!(shared.room.serve(peer, stream, true, None).fuse());
        let mut closed = closed.fuse();
        select_biased! {
            reason = closed => reason.unwrap_or_else(|_| "closed".to_owned()),
            () = serving => "the session ended".to_owned(),
        }
    };
    // A session that was cut off in the middle of `serve` must still be taken off the engine.
    shared.room.forget_links();
    shared.node.disconnect(peer).await;
    Ended::Lost { reason, since }
}

/// A dial error without libp2p's nesting.
fn describe(error: &DialError) -> String {
    match error {
        DialError::Transport(errors) => {
            errors.first().map_or_else(|| error.to_string(), |(address, error)| format!("{address}: {}", root(error)))
        }
        other => other.to_string(),
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
