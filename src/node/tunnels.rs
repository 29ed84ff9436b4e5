//! Connections that come through another node's (SPEC §13.3): a page carries those of the other tabs. What comes
//! through is a connection like any other, with a handshake of its own.

use std::{
    collections::BTreeMap,
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, multiaddr::Protocol, swarm::ConnectionId};

use crate::base::{limits::MAX_TUNNELS, note};

/// The protocol of tunnels.
pub(crate) const UPLINK_PROTOCOL: StreamProtocol = StreamProtocol::new("/peersync/uplink/1.0.0");

/// What the server says first when it has taken a tunnel.
pub(crate) const TUNNEL_TAKEN: u8 = 1;

/// Where peers are that came by a connection of their own, by peer.
#[derive(Debug, Default)]
pub(crate) struct Direct {
    peers: Mutex<BTreeMap<PeerId, BTreeMap<ConnectionId, Multiaddr>>>,
}

impl Direct {
    /// What came through a tunnel carries nobody: tunnels do not nest.
    pub(crate) fn connected(&self, peer: PeerId, id: ConnectionId, address: &Multiaddr) {
        if !address.iter().any(|part| part == Protocol::P2pCircuit) {
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            peers.entry(peer).or_default().insert(id, address.clone());
        }
    }

    pub(crate) fn closed(&self, peer: PeerId, id: ConnectionId) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = peers.get_mut(&peer) {
            connections.remove(&id);
            if connections.is_empty() {
                peers.remove(&peer);
            }
        }
    }

    fn address(&self, peer: PeerId) -> Option<Multiaddr> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(&peer).and_then(|connections| connections.values().next()).cloned()
    }
}

/// Tunnels that peers open to this node.
pub struct Tunnels {
    incoming: libp2p_stream::IncomingStreams,
    direct: Arc<Direct>,
    open: Arc<OpenTunnels>,
}

impl Tunnels {
    pub(crate) fn new(incoming: libp2p_stream::IncomingStreams, direct: Arc<Direct>) -> Self {
        Self { incoming, direct, open: Arc::default() }
    }

    /// The next tunnel of a peer that may have one more. `None` when the node is gone. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Tunnel> {
        loop {
            let (carrier, stream) = self.incoming.next().await?;
            let place = OpenTunnel::enter(&self.open, carrier);
            match self.direct.address(carrier).zip(place) {
                Some((carried_by, place)) => {
                    let remote = carried_by.clone().with(Protocol::P2p(carrier)).with(Protocol::P2pCircuit);
                    return Some(Tunnel { carried_by, remote, io: TunnelStream { stream, _place: place } });
                }
                None => note!(%carrier, "tunnel refused"),
            }
        }
    }
}

impl fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnels").finish_non_exhaustive()
    }
}

/// A tunnel that has not been taken yet. Dropping it refuses.
#[derive(Debug)]
pub struct Tunnel {
    /// Where the carrier is.
    pub carried_by: Multiaddr,
    /// As what the connection that comes through is to be known.
    pub remote: Multiaddr,
    io: TunnelStream,
}

impl Tunnel {
    /// Tells the carrier that it is taken.
    ///
    /// # Errors
    /// The carrier is gone.
    pub async fn take(mut self) -> io::Result<TunnelStream> {
        self.io.stream.write_all(&[TUNNEL_TAKEN]).await?;
        self.io.stream.flush().await?;
        Ok(self.io)
    }
}

/// The bytes of a tunnel.
pub struct TunnelStream {
    stream: Stream,
    _place: OpenTunnel,
}

impl AsyncRead for TunnelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl fmt::Debug for TunnelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelStream").finish_non_exhaustive()
    }
}

type OpenTunnels = Mutex<BTreeMap<PeerId, usize>>;

/// One tunnel's place in its carrier's count.
struct OpenTunnel {
    open: Arc<OpenTunnels>,
    carrier: PeerId,
}

impl OpenTunnel {
    fn enter(open: &Arc<OpenTunnels>, carrier: PeerId) -> Option<Self> {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(carrier).or_default();
        (*count < MAX_TUNNELS).then(|| {
            *count += 1;
            Self { open: Arc::clone(open), carrier }
        })
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.carrier) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.carrier);
            }
        }
    }
}
