//! The libp2p swarm and the driver: the only place where clocks, randomness, timers and tasks meet the cores.

mod client;
mod clock;
mod config;
mod identity;
mod keeping;
mod link;
mod locks;
mod peers;
mod room;
mod rooms;
mod spawn;
mod stats;
mod swarm;
mod tabs;
mod tunnels;
mod watched;
mod writers;

pub use client::{Client, ClientError, ClientEvent, ClientOptions, Persistence, Status, SyncState, TabsOptions};
pub use clock::random_seed;
pub use config::{NodeConfig, NodeLimits, Role};
pub use stats::{Counter, NodeStats};
pub use tunnels::{Tunnel, TunnelStream, Tunnels};

/// What bindings need of the cores, so that they depend on this module alone.
pub use crate::{
    engine::{Durability, Engine, Envelope, Event, Origin, Restored, Stats as RoomStats, SyncStatus, envelopes},
    sync::{
        Attributes, Change, DeletePolicy, Delta, EditError, Fields, ListChange, ListDelta, MapChange, Place,
        RecordChange, RecordError, RecordWrite, RecordsChange, Replica, TextChange, Value,
    },
    wire::Reader,
};

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::SeqCst},
    time::Duration,
};

use futures::{
    SinkExt, StreamExt,
    channel::{mpsc, oneshot},
};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm,
    core::{muxing::StreamMuxerBox, transport::Boxed},
    swarm::{Config, DialError},
};
use thiserror::Error;

use rooms::Rooms;
use spawn::spawn;
use stats::Totals;
use swarm::{Behaviour, Command, Dialed};
use tunnels::{Direct, UPLINK_PROTOCOL};

use crate::base::{
    AuthorId, NodeId, WallTime,
    limits::{COMMAND_QUEUE, IDLE_CONNECTION_MS},
};

/// The protocol of room sessions.
pub(crate) const SYNC_PROTOCOL: StreamProtocol = StreamProtocol::new("/peersync/sync/1.0.0");

/// What every platform's transport becomes before the swarm sees it: authenticated, multiplexed.
pub type PeerTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// A running node. Cheap to clone; it stops when the last clone is dropped.
#[derive(Clone)]
pub struct Node {
    peer_id: PeerId,
    commands: mpsc::Sender<Command>,
    control: libp2p_stream::Control,
    rooms: Arc<Rooms>,
    direct: Arc<Direct>,
    stopping: Arc<AtomicBool>,
}

impl Node {
    /// Starts a node on `transport`, listening on `listen`. Must be called inside a tokio runtime (native).
    ///
    /// # Errors
    /// [`NodeError::Listen`] when the transport refuses a listen address.
    pub fn start(config: NodeConfig, transport: PeerTransport, listen: &[Multiaddr]) -> Result<Self, NodeError> {
        let peer_id = config.keypair.public().to_peer_id();
        let behaviour = Behaviour::new(&config.keypair, config.role, config.limits);
        let mut control = behaviour.stream.new_control();
        let executor = |task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| spawn(task);
        let settings =
            Config::with_executor(executor).with_idle_connection_timeout(Duration::from_millis(IDLE_CONNECTION_MS));
        let mut swarm = Swarm::new(transport, behaviour, peer_id, settings);
        for address in listen {
            swarm
                .listen_on(address.clone())
                .map_err(|error| NodeError::Listen { address: address.clone(), reason: error.to_string() })?;
        }
        for address in &config.announce {
            swarm.add_external_address(address.clone());
        }
        let totals = Arc::new(Totals::default());
        let backend = config.role == Role::Backend;
        let rooms = Arc::new(Rooms::new(config, Arc::clone(&totals)));
        if backend && let Ok(mut incoming) = control.accept(SYNC_PROTOCOL) {
            let rooms = Arc::clone(&rooms);
            spawn(rooms::sweep(Arc::downgrade(&rooms)));
            spawn(async move {
                while let Some((peer, stream)) = incoming.next().await {
                    spawn(Arc::clone(&rooms).accept(peer, stream));
                }
            });
        }
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let direct = Arc::default();
        spawn(swarm::run(swarm, receiver, totals, Arc::clone(&direct)));
        Ok(Self { peer_id, commands, control, rooms, direct, stopping: Arc::default() })
    }

    /// This node's transport identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Counters and gauges of this moment.
    #[must_use]
    pub fn stats(&self) -> NodeStats {
        self.rooms.stats()
    }

    /// Whether the swarm is still driven: false after [`Node::shutdown`], or after a bug ended it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.commands.is_closed()
    }

    /// Stops taking sessions, waits until what was accepted is durable, closes every connection. Idempotent.
    pub async fn shutdown(&self) {
        if self.stopping.swap(true, SeqCst) {
            return;
        }
        self.rooms.drain().await;
        let (done, stopped) = oneshot::channel();
        if self.commands.clone().send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    /// From now on peers may carry the connections of others over theirs: what comes is for the caller to admit, and to
    /// hand to the transport. `None` if somebody has them already.
    #[must_use]
    pub fn tunnels(&self) -> Option<Tunnels> {
        let incoming = self.control.clone().accept(UPLINK_PROTOCOL).ok()?;
        Some(Tunnels::new(incoming, Arc::clone(&self.direct)))
    }

    async fn dial(&self, address: Multiaddr, peer: Option<PeerId>) -> Result<Dialed, DialError> {
        let (answer, dialed) = oneshot::channel();
        let command = Command::Dial { address, peer, answer };
        self.commands.clone().send(command).await.map_err(|_| DialError::Aborted)?;
        dialed.await.unwrap_or(Err(DialError::Aborted))
    }

    async fn disconnect(&self, peer: PeerId) {
        let _ = self.commands.clone().send(Command::Disconnect(peer)).await;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("peer_id", &self.peer_id).finish_non_exhaustive()
    }
}

/// The libp2p name of an author: the `PeerId` of its key. Empty if the bytes are no key.
#[must_use]
pub fn author_name(author: AuthorId) -> String {
    let key = libp2p::identity::ed25519::PublicKey::try_from_bytes(&author.0);
    key.map(|key| libp2p::identity::PublicKey::from(key).to_peer_id().to_string()).unwrap_or_default()
}

/// What this machine believes the time to be.
#[must_use]
pub fn wall_time() -> WallTime {
    clock::wall()
}

/// The libp2p name of a node. Empty if the bytes are no `PeerId`.
#[must_use]
pub fn node_name(node: &NodeId) -> String {
    PeerId::from_bytes(&node.0).map(|peer| peer.to_string()).unwrap_or_default()
}

/// Why a node could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The transport refused the address.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// The transport's words.
        reason: String,
    },
}
