//! How a client comes to be: its store, its author, its writer, its room. Nothing is dialed.

use std::{collections::BTreeMap, sync::Arc};

use futures::{channel::mpsc, future::pending};
use libp2p::identity::Keypair;

use super::{
    Client, ClientError, ClientOptions, Persistence, Shared, State, Target, dial,
    keep::{self, Kept},
    tabs::Tabs,
};
use crate::{
    base::{Ed25519, NodeId, OpId, RoomId, Signer, WriterId, limits::MAX_TOKEN_BYTES},
    node::{
        Node, NodeConfig, NodeLimits, Role, clock, identity, locks,
        peers::Peers,
        room::Room,
        rooms::RoomError,
        spawn::spawn,
        tabs::{keep_room, link_room},
        watched::{Trouble, WatchedStore},
        writers::{Claim, ClaimError, Note, Writers, hex},
    },
    storage::{self, MemoryStore, Store, StoreError},
    transport::{
        self, TransportCounters,
        tabs::{Uplink, UplinkConfig, UplinkTransport},
        websocket::WsAddress,
    },
};

pub(super) async fn open(options: ClientOptions) -> Result<Client, ClientError> {
    let address: WsAddress = options.address.parse().map_err(|error| ClientError::Address(format!("{error}")))?;
    if options.token.len() > MAX_TOKEN_BYTES {
        return Err(ClientError::TokenTooLong { max: MAX_TOKEN_BYTES });
    }
    let store = match &options.persistence {
        Persistence::Memory => Ok(memory()),
        Persistence::Store(store) => Ok(Arc::clone(store)),
        Persistence::Named(name) => {
            let seed = clock::random_seed().map_err(|error| ClientError::Identity(error.to_string()))?;
            storage::open_named(name, seed).await
        }
    };
    let opened = match store {
        Ok(store) => open_in(&options, &address, store).await,
        Err(error) => Err(OpenError::Store(error)),
    };
    let (shared, trouble) = match opened {
        Ok(shared) => (shared, None),
        // Better a room that is gone with the page than none.
        Err(OpenError::Store(error)) => {
            let trouble = Trouble::of(&error);
            tracing::warn!(%error, "the store cannot be used; the room is kept in memory");
            (open_in(&options, &address, memory()).await.map_err(OpenError::lasting)?, Some(trouble))
        }
        Err(OpenError::Client(error)) => return Err(error),
    };
    Ok(start(shared, trouble))
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

/// A client on its way to being one.
struct Opened {
    shared: Shared,
    nudges: mpsc::Receiver<super::Nudge>,
    touches: mpsc::Receiver<()>,
}

async fn open_in(options: &ClientOptions, address: &WsAddress, store: Arc<dyn Store>) -> Result<Opened, OpenError> {
    let database = &match &options.persistence {
        Persistence::Named(name) => name.clone(),
        // What clients of one process share.
        Persistence::Memory | Persistence::Store(_) => format!("{:p}", Arc::as_ptr(&store)),
    };
    let author_seed = match options.author_seed {
        Some(seed) => seed,
        None => identity::author_seed(&store, database).await?,
    };
    let author = Ed25519::from_seed(author_seed).author();
    let durable = store.is_durable();
    let watched = Arc::new(WatchedStore::new(store));
    let store: Arc<dyn Store> = Arc::clone(&watched) as Arc<dyn Store>;
    let room_id = RoomId::open(&options.room);
    let counters = TransportCounters::new();
    let uplink = options.tabs.as_ref().filter(|tabs| tabs.share_uplink);
    let uplink = uplink.map(|tabs| UplinkConfig { db_name: tabs.db_name.clone(), address: address.url() });
    let uplink = uplink.map(Uplink::new);
    let node = start_node(author_seed, Arc::clone(&store), &counters, uplink.clone())?;
    let writers = Writers::new(Arc::clone(&store), database, room_id, author);
    let notes = writers.remembered().await?;
    let acked: BTreeMap<_, _> = notes.iter().map(|(writer, note)| (*writer, note.acked)).collect();
    let peers = Peers::load(&store).await?;
    let (room, claim) = open_room(&node, &writers, room_id, options, writers.claim(&notes).await?).await?;
    if let Some((backend, marks)) = acknowledged(&notes) {
        room.with(|engine, _| engine.restore_acked(backend, marks));
    }
    if let Some(error) = room.trouble() {
        watched.suspect(Trouble::of(&error));
    }
    let synced_before = keep::was_synced(&store, room_id).await?;
    let target = Target { address: address.to_multiaddr(), peer: address.peer() };
    let (nudge, nudges) = mpsc::channel(8);
    let (touch, touches) = mpsc::channel(1);
    let seed = options.author_seed.is_none().then_some(identity::Seed(author_seed));
    let kept = Kept::new(watched, writers, claim, acked, seed, peers, synced_before);
    let tabs = Tabs::new(uplink);
    if let Some(options) = &options.tabs {
        // Only now: others may get what is made here, and its writer is on disk as in use.
        tabs.run(link_room(Arc::clone(&room), room_id, node.peer_id(), options.db_name.clone()));
    }
    // What is in memory, for want of anything else as well, is nobody else's, and is not folded.
    if durable {
        fold_stored(&tabs, &room, room_id, &options.persistence, database).await;
    }
    let shared = Shared {
        node,
        room,
        tabs,
        author,
        counters,
        target,
        kept,
        nudge: nudge.into(),
        touch: touch.into(),
        state: State::default().into(),
    };
    Ok(Opened { shared, nudges, touches })
}

/// Folds what is stored of the room, if it is this client's turn.
async fn fold_stored(tabs: &Tabs, room: &Arc<Room>, id: RoomId, persistence: &Persistence, database: &str) {
    match persistence {
        Persistence::Named(name) => tabs.run(keep_room(Arc::clone(room), id, name.clone())),
        Persistence::Store(_) => {
            let name = format!("peersync/keeper/{database}/{}", hex(&id.0));
            // Whoever shares the store, and comes later, does not.
            let Some(lock) = locks::try_lock(&name, false).await else { return };
            room.with(|engine, _| engine.set_keeper(true));
            tabs.run(async move {
                let _lock = lock;
                pending::<()>().await;
            });
        }
        Persistence::Memory => {}
    }
}

/// The node's identity is its own: two tabs of one author must not collide.
fn start_node(
    author_seed: [u8; 32],
    store: Arc<dyn Store>,
    counters: &Arc<TransportCounters>,
    uplink: Option<Uplink>,
) -> Result<Node, ClientError> {
    let identity = |error: &dyn std::fmt::Display| ClientError::Identity(error.to_string());
    let node_seed = clock::random_seed().map_err(|error| identity(&error))?;
    let keypair = Keypair::ed25519_from_bytes(node_seed).map_err(|error| identity(&error))?;
    let raw = UplinkTransport::new(uplink);
    let transport = transport::authenticate(raw, &keypair, counters).map_err(|error| identity(&error))?;
    let limits = NodeLimits { max_connections: 64, ..NodeLimits::default() };
    let config = NodeConfig { keypair, author_seed, role: Role::Client, store, announce: Vec::new(), limits };
    Node::start(config, transport, &[]).map_err(|error| identity(&error))
}

/// The room under the claimed writer, or under a new one if the store gave back less of that writer than it had signed.
async fn open_room(
    node: &Node,
    writers: &Writers,
    id: RoomId,
    options: &ClientOptions,
    claim: Claim,
) -> Result<(Arc<Room>, Claim), OpenError> {
    let get = |writer| node.rooms.get(id, options.token.clone(), true, Some(writer));
    let room = get(claim.writer).await?;
    let signed = room.read(|engine| engine.replica().next_seq() - 1);
    if claim.resumed.unwrap_or(0) == signed {
        return Ok((room, claim));
    }
    tracing::warn!(signed, "what a writer signed is not all there; it is not continued");
    node.rooms.forget(id).await;
    let claim = writers.draw().await?;
    Ok((get(claim.writer).await?, claim))
}

/// What the backend of the last life has said to have; what other backends have says nothing of it.
fn acknowledged(notes: &BTreeMap<WriterId, Note>) -> Option<(NodeId, Vec<OpId>)> {
    let told = || notes.iter().filter(|(_, note)| !note.backend.is_empty());
    let (_, latest) = told().max_by_key(|(_, note)| note.at)?;
    let marks = told().filter(|(_, note)| note.backend == latest.backend);
    let marks = marks.map(|(writer, note)| OpId { writer: *writer, seq: note.acked });
    Some((NodeId(latest.backend.clone()), marks.collect()))
}

fn start(opened: Opened, trouble: Option<Trouble>) -> Client {
    let Opened { shared, nudges, touches } = opened;
    let client = Client { shared: Arc::new(shared) };
    let weak = Arc::downgrade(&client.shared);
    client.shared.kept.watched.listen(Box::new(move |news| {
        if let Some(shared) = weak.upgrade() {
            shared.hear_of_store(news);
        }
    }));
    if let Some(trouble) = trouble.or_else(|| client.shared.damage()) {
        client.shared.tell_storage(Some(&trouble));
    }
    let weak = Arc::downgrade(&client.shared);
    spawn(async move {
        // Holds the client only while it is wanted: see `dial::run`.
        if let Some(nudges) = dial::wait_for_start(nudges).await
            && let Some(shared) = weak.upgrade()
        {
            dial::run(shared, nudges).await;
        }
    });
    spawn(keep::remember(Arc::downgrade(&client.shared), touches));
    client
}

/// Why it did not work: what memory can help, and what it cannot.
enum OpenError {
    Store(StoreError),
    Client(ClientError),
}

impl OpenError {
    /// When memory did not help either.
    fn lasting(self) -> ClientError {
        match self {
            Self::Store(error) => ClientError::Room(error.to_string()),
            Self::Client(error) => error,
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ClientError> for OpenError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<ClaimError> for OpenError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Store(error) => Self::Store(error),
            ClaimError::Random(error) => Self::Client(ClientError::Identity(error.to_string())),
        }
    }
}

impl From<RoomError> for OpenError {
    fn from(error: RoomError) -> Self {
        match error {
            RoomError::Store(error) => Self::Store(error),
            other => Self::Client(ClientError::Room(other.to_string())),
        }
    }
}
