//! Where a node keeps what it must not forget: one trait, and a contract suite every store passes (`tests/contract`).
//!
//! A room is an append-only list of entries, numbered from 0 without holes, in the order in which this node
//! delivered them. The bytes of an entry are opaque here.

mod lengths;
mod memory;
#[cfg(not(wasm_browser))]
pub mod native;

use std::{future::Future, pin::Pin};

use thiserror::Error;

use crate::base::RoomId;

pub use memory::MemoryStore;

/// Version of the layout of every store. A store of a newer schema opens read-only and says so.
pub const SCHEMA_VERSION: u32 = 1;

/// What a store answers, later.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// One stored entry of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in the room's list, from 0.
    pub index: u64,
    /// The entry, opaque to the store.
    pub bytes: Vec<u8>,
}

/// One change. The changes of one [`Store::commit`] become visible and durable together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Adds an entry at the end of a room, or replaces the one already at `index`. An index beyond the end would
    /// leave a hole: the commit is refused with [`StoreError::Hole`].
    Append {
        /// The room.
        room: RoomId,
        /// Position, from 0.
        index: u64,
        /// The entry.
        bytes: Vec<u8>,
    },
    /// Drops every entry of a room from `from` on (a log is rewritten after an equivocation). Nothing if the room
    /// is not that long.
    Truncate {
        /// The room.
        room: RoomId,
        /// First index to drop.
        from: u64,
    },
    /// Sets (`Some`) or removes (`None`) a value of this node's own.
    Meta {
        /// The key, ASCII.
        key: String,
        /// The value.
        value: Option<Vec<u8>>,
    },
}

/// A durable (or, in memory, pretended) home for rooms. Cheap to share; every call may run concurrently with others.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Entries of `room` from index `from` on, in order, at most `limit` of them. Fewer than `limit`: that was all.
    /// Sees every commit that has resolved, and of each commit all or nothing.
    fn load(&self, room: RoomId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>>;
    /// Makes `writes` durable, all or none. Commits are applied in the order in which they were called, polled or
    /// not; concurrent ones may share one flush to disk (group commit). Resolves only after that flush. An error
    /// acknowledges nothing: the writes may be kept or not, and making them again is harmless.
    ///
    /// Dropping the future does not undo a commit that the store has accepted. A store whose queue is full accepts
    /// later: until then dropping the future withdraws the commit.
    fn commit(&self, writes: Vec<Write>) -> StoreFuture<()>;
    /// A value of this node's own.
    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>>;
    /// Whether a commit survives a crash of this process. False for memory.
    fn is_durable(&self) -> bool;
}

/// Why a store could not.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or quota is full. Later commits may succeed.
    #[error("storage is full: {0}")]
    Full(String),
    /// Written by a newer peersync: readable, not writable.
    #[error("the store has schema {found}, this peersync writes {supported}: it is open read-only")]
    NewerSchema {
        /// The schema in the file.
        found: u32,
        /// The newest this build writes.
        supported: u32,
    },
    /// The commit would leave a hole in a room, most often because the commit before it failed. It changed nothing.
    #[error("entry {index} of {room:?} would leave a hole, the room has {len} entries")]
    Hole {
        /// The room.
        room: RoomId,
        /// The index asked for.
        index: u64,
        /// The entries the room has.
        len: u64,
    },
    /// The file is not a store, or damaged.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Another process has it open.
    #[error("the store is in use by another process")]
    Locked,
    /// Anything else the platform says.
    #[error("storage failed: {0}")]
    Io(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}
