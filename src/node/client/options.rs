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
    /// Secret of the author; if `None`, the one that the store keeps, which is made on first use.
    pub author_seed: Option<[u8; 32]>,
    /// Shown to the backend.
    pub token: Vec<u8>,
    /// Where the room is kept.
    pub persistence: Persistence,
    /// Which other tabs of this origin to work with; none if `None`. Of no effect outside browsers.
    pub tabs: Option<TabsOptions>,
}

impl ClientOptions {
    /// A room at a backend, kept in memory, with an author of its own, and without other tabs.
    #[must_use]
    pub fn new(address: impl Into<String>, room: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            room: room.into(),
            author_seed: None,
            token: Vec::new(),
            persistence: Persistence::Memory,
            tabs: None,
        }
    }
}

/// Where a client keeps its room.
#[derive(Clone, Debug)]
pub enum Persistence {
    /// Nowhere: it is gone with the client.
    Memory,
    /// In this store. Clients of one process may share it.
    Store(Arc<dyn Store>),
    /// In the platform's database of this name. If there is none, or it cannot be used, in memory, and that is told
    /// ([`ClientEvent::Storage`]).
    Named(String),
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Dialing.
    Connecting,
    /// There is one.
    Connected,
    /// Not asked to connect yet, waiting to dial again, or given up.
    #[default]
    Disconnected,
    /// [`super::Client::close`] was called.
    Closed,
}

/// What is where, at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncState {
    /// Own operations that this device does not keep yet.
    pub unsaved: u64,
    /// Own operations that the backend has not acknowledged as durable.
    pub pending: u64,
    /// For how long the oldest of these has been waiting, milliseconds.
    pub oldest_pending_ms: Option<u64>,
    /// Whether this device keeps anything: there is a durable store, and it works.
    pub durable: bool,
}

/// What happens to a client, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// The status changed.
    Status(Status),
    /// A session with this backend is open.
    Connected(PeerId),
    /// The backend's address has never been pinned to an identity, and another one than last time answers there: what
    /// the last one acknowledged says nothing about this one.
    BackendChanged {
        /// Who answered last time.
        was: PeerId,
        /// Who does now.
        now: PeerId,
    },
    /// The session ended.
    Disconnected(String),
    /// It will be dialed again.
    Reconnecting {
        /// Counted from 1 since the last stable connection.
        attempt: u32,
        /// When.
        delay_ms: u64,
    },
    /// From now on this device keeps what happens, or does not.
    Storage {
        /// Whether it does.
        durable: bool,
        /// Why it does not: a `STORAGE_…` code of SPEC §9.
        reason: Option<&'static str>,
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
    /// The room cannot be opened, not even in memory.
    #[error("cannot open the room: {0}")]
    Room(String),
}
