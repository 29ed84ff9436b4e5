//! The libp2p swarm: which protocols it speaks, and the loop that drives it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    channel::{mpsc, oneshot},
    select,
};
use libp2p::{
    Multiaddr, PeerId, Swarm,
    connection_limits::{self, ConnectionLimits},
    identify,
    identity::Keypair,
    ping,
    swarm::{ConnectionId, DialError, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
};

use super::{
    config::{NodeLimits, Role},
    stats::Totals,
    tunnels::Direct,
};
use crate::base::{
    limits::{PING_INTERVAL_MS, PING_TIMEOUT_MS},
    note,
};

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) stream: libp2p_stream::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(keypair: &Keypair, role: Role, limits: NodeLimits) -> Self {
        let (interval, timeout) = (Duration::from_millis(PING_INTERVAL_MS), Duration::from_millis(PING_TIMEOUT_MS));
        let agent = format!("peersync/{}", env!("CARGO_PKG_VERSION"));
        let identify = identify::Config::new("/peersync/1.0.0".to_owned(), keypair.public()).with_agent_version(agent);
        // Handshakes under way count as well: half of all at most.
        let pending = (limits.max_connections / 2).max(8);
        let limits = ConnectionLimits::default()
            .with_max_established(Some(limits.max_connections))
            .with_max_established_per_peer(Some(limits.max_connections_per_peer))
            .with_max_pending_incoming(Some(if role == Role::Backend { pending } else { 0 }))
            .with_max_pending_outgoing(Some(64));
        Self {
            limits: connection_limits::Behaviour::new(limits),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(interval).with_timeout(timeout)),
            stream: libp2p_stream::Behaviour::new(),
        }
    }
}

/// A dialed connection.
#[derive(Debug)]
pub(crate) struct Dialed {
    /// Whom the handshake proved to be there.
    pub(crate) peer: PeerId,
    /// Resolves with a reason when the connection is gone.
    pub(crate) closed: oneshot::Receiver<String>,
}

pub(crate) enum Command {
    Dial { address: Multiaddr, peer: Option<PeerId>, answer: oneshot::Sender<Result<Dialed, DialError>> },
    Disconnect(PeerId),
    Stop(oneshot::Sender<()>),
}

/// Drives the swarm until it is told to stop or nobody can tell it anything.
pub(crate) async fn run(
    mut swarm: Swarm<Behaviour>,
    mut commands: mpsc::Receiver<Command>,
    totals: Arc<Totals>,
    direct: Arc<Direct>,
) {
    let mut dials: BTreeMap<ConnectionId, oneshot::Sender<Result<Dialed, DialError>>> = BTreeMap::new();
    let mut watched: BTreeMap<ConnectionId, oneshot::Sender<String>> = BTreeMap::new();
    loop {
        select! {
            command = commands.next().fuse() => match command {
                Some(Command::Dial { address, peer, answer }) => {
                    let options: DialOpts = match peer {
                        Some(peer) => DialOpts::peer_id(peer).addresses(vec![address])
                            .condition(libp2p::swarm::dial_opts::PeerCondition::Always).build(),
                        None => DialOpts::unknown_peer_id().address(address).build(),
                    };
                    let id = options.connection_id();
                    match swarm.dial(options) {
                        Ok(()) => drop(dials.insert(id, answer)),
                        Err(error) => drop(answer.send(Err(error))),
                    }
                }
                Some(Command::Disconnect(peer)) => drop(swarm.disconnect_peer_id(peer)),
                Some(Command::Stop(done)) => {
                    let peers: Vec<PeerId> = swarm.connected_peers().copied().collect();
                    for peer in peers {
                        let _ = swarm.disconnect_peer_id(peer);
                    }
                    while swarm.network_info().num_peers() > 0 {
                        swarm.next().await;
                    }
                    let _ = done.send(());
                    return;
                }
                None => return,
            },
            event = swarm.select_next_some() => {
                note_direct(&event, &direct);
                on_event(&mut swarm, event, &mut dials, &mut watched, &totals);
            }
        }
    }
}

fn note_direct(event: &SwarmEvent<BehaviourEvent>, direct: &Direct) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
            direct.connected(*peer_id, *connection_id, endpoint.get_remote_address());
        }
        SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => direct.closed(*peer_id, *connection_id),
        _ => {}
    }
}

fn on_event(
    swarm: &mut Swarm<Behaviour>,
    event: SwarmEvent<BehaviourEvent>,
    dials: &mut BTreeMap<ConnectionId, oneshot::Sender<Result<Dialed, DialError>>>,
    watched: &mut BTreeMap<ConnectionId, oneshot::Sender<String>>,
    totals: &Totals,
) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
            Totals::rise(&totals.connections);
            if let Some(answer) = dials.remove(&connection_id) {
                let (gone, closed) = oneshot::channel();
                watched.insert(connection_id, gone);
                drop(answer.send(Ok(Dialed { peer: peer_id, closed })));
            }
        }
        SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
            Totals::fall(&totals.connections);
            if let Some(gone) = watched.remove(&connection_id) {
                let reason = cause.map_or_else(|| "closed".to_owned(), |cause| cause.to_string());
                drop(gone.send(reason));
            }
        }
        SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
            if let Some(answer) = dials.remove(&connection_id) {
                drop(answer.send(Err(error)));
            }
        }
        SwarmEvent::IncomingConnectionError { error, .. } => note!(%error, "incoming connection failed"),
        // libp2p only reports a missed heartbeat; a half-open connection is of no use to anyone.
        SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { connection, result: Err(error), .. }))
            if !matches!(error, ping::Failure::Unsupported) =>
        {
            note!(%error, "heartbeat missed");
            swarm.close_connection(connection);
        }
        _ => {}
    }
}
