//! What a node is started with.

use std::sync::Arc;

use libp2p::{Multiaddr, identity::Keypair};

use crate::storage::Store;

/// What a node is to the rooms it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Edits, and keeps what it sees.
    Client,
    /// Serves every room it is asked for, acknowledges after its commit, refuses stamps far ahead of its clock.
    Backend,
}

/// A node's identity, role and bounds.
#[derive(Debug)]
pub struct NodeConfig {
    /// The transport identity: one per tab or process.
    pub keypair: Keypair,
    /// Secret of the author (Ed25519 seed). A backend's is its node's.
    pub author_seed: [u8; 32],
    /// What it is to its rooms.
    pub role: Role,
    /// Where rooms are kept.
    pub store: Arc<dyn Store>,
    /// Addresses told to others beside those it listens on.
    pub announce: Vec<Multiaddr>,
    /// Bounds on what peers may hold.
    pub limits: NodeLimits,
}

/// Bounds on connections and rooms. Defaults: `reliability` figures for a small server.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// Established connections in total. More: the newcomer is closed.
    pub max_connections: u32,
    /// Established connections of one peer id.
    pub max_connections_per_peer: u32,
    /// Rooms one peer may be in: fewer than the streams of a connection, which ping and identify share.
    pub max_rooms_per_peer: u32,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self { max_connections: 5_000, max_connections_per_peer: 4, max_rooms_per_peer: 48 }
    }
}
