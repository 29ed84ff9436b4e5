//! What a client is made with, what it tells, and why it cannot.

use std::sync::Arc;

use libp2p::PeerId;
use thiserror::Error;

use crate::{engine::Event, storage::Store};

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
    /// Which other tabs of this origin to work with; none if `None`. Of no effect outside browsers.
    pub tabs: Option<TabsOptions>,
}

/// What to share with other tabs of the same origin.
#[derive(Clone, Debug)]
pub struct TabsOptions {
    /// Name of the database: tabs of one work together.
    pub db_name: String,
    /// One WebSocket for all of them.
    pub share_uplink: bool,
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
