//! Where a node keeps what it must not forget: one trait, and a contract suite every store passes (`tests/contract`).
//!
//! A room is a set of append-only lists. The entries of a list are numbered without holes; a list may begin later than
//! at 0, when what was before has been folded into something else. The bytes of an entry are opaque here.

#[cfg(wasm_browser)]
pub mod browser;
mod lengths;
mod memory;
#[cfg(not(wasm_browser))]
pub mod native;
mod queue;
mod rows;
mod schema1;

use std::{future::Future, pin::Pin, sync::Arc};

use thiserror::Error;

use crate::base::RoomId;

pub use memory::MemoryStore;

/// Version of the layout of every store. A store of a newer schema opens read-only and says so.
pub const SCHEMA_VERSION: u32 = 2;

/// What a store answers, later.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// One append-only list of a room. What the numbers mean belongs to the engine: 0 is the room's own (snapshot, proofs),
/// any other is a writer's operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListId {
    /// The room.
    pub room: RoomId,
    /// The list's number there.
    pub list: u64,
}

/// What a list holds: entries `first..end`. What was before `first` was folded into something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListState {
    /// The list's number in its room.
    pub list: u64,
    /// Its first entry.
    pub first: u64,
    /// Where the next entry goes. Never 0: a list without entries, past or present, is not there.
    pub end: u64,
}

/// One stored entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in the list, from 0.
    pub index: u64,
    /// The entry, opaque to the store.
    pub bytes: Vec<u8>,
}

/// One change. The changes of one [`Store::commit`] become visible and durable together or not at all. A list that is
/// not there has `first` = `end` = 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Adds an entry at the end of a list, or replaces the one already at `index`. Before `first` it changes nothing:
    /// that entry was trimmed. An index beyond the end would leave a hole: the commit is refused with
    /// [`StoreError::Hole`].
    Append {
        /// The list.
        list: ListId,
        /// Position, from 0.
        index: u64,
        /// The entry.
        bytes: Vec<u8>,
    },
    /// Drops every entry of a list from `from` on (a log is rewritten after an equivocation). Nothing if the list does
    /// not reach there. From `first` or before: the list is forgotten, and with it where it began.
    Truncate {
        /// The list.
        list: ListId,
        /// First index to drop.
        from: u64,
    },
    /// Drops every entry of a list before `before`, where it begins from now on; nothing if it begins there or later
    /// already. A list that ends sooner, or is not there yet, continues at `before`.
    Trim {
        /// The list.
        list: ListId,
        /// First index to keep.
        before: u64,
    },
    /// Sets (`Some`) or removes (`None`) a value of this node's own.
    Meta {
        /// The key, ASCII.
        key: String,
        /// The value.
        value: Option<Vec<u8>>,
    },
}

/// What a commit must survive before it resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// A loss of power.
    Strict,
    /// A crash of the process. A loss of power may take it, and what was committed so before it. A store may flush
    /// strictly all the same.
    Relaxed,
}

/// A durable (or, in memory, pretended) home for rooms. Cheap to share; every call may run concurrently with others.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Every list of `room`, ascending by number.
    fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>>;
    /// Entries of `list` from index `from` on, or from its first if that is later, in order, at most `limit` of them.
    /// Fewer than `limit`: that was all. Sees every commit that has resolved, and of each commit all or nothing.
    fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>>;
    /// Makes `writes` durable, all or none. Commits are applied in the order in which they were called, polled or
    /// not; concurrent ones may share one flush to disk (group commit). Resolves only after that flush.
    ///
    /// [`StoreError::Hole`], [`StoreError::NewerSchema`] and [`StoreError::Closed`] changed nothing. After any other
    /// error the writes are there or not, as after a crash: make the same commit again (which is harmless unless it
    /// truncates a list after appending to it), or load what is there.
    ///
    /// Dropping the future does not undo a commit that the store has accepted. A store whose queue is full accepts
    /// later: until then dropping the future withdraws the commit.
    fn commit(&self, writes: Vec<Write>, flush: Flush) -> StoreFuture<()>;
    /// A value of this node's own.
    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>>;
    /// Keys of values of this node's own that begin with `prefix`, ascending, at most `limit` of them.
    fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>>;
    /// Whether a commit survives a crash of this process. False for memory.
    fn is_durable(&self) -> bool;
}

/// A value of a node's own that can be drawn anew: one that is damaged is as good as none, and is written over.
///
/// # Errors
/// Any [`StoreError`] but [`StoreError::Corrupt`].
pub(crate) async fn sound_meta(store: &dyn Store, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    match store.meta(key).await {
        Err(StoreError::Corrupt(error)) => {
            tracing::warn!(%error, key, "a stored value is damaged, and forgotten");
            Ok(None)
        }
        other => other,
    }
}

/// The platform's database of this name, for pages; `seed` is random. A native program opens its own.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Missing`] where there is none.
#[cfg(wasm_browser)]
pub(crate) async fn open_named(name: &str, seed: [u8; 32]) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(browser::IndexedDbStore::open(name, seed).await?))
}

/// The platform's database of this name, for pages; `seed` is random. A native program opens its own.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Missing`] where there is none.
#[cfg(not(wasm_browser))]
#[expect(clippy::unused_async, reason = "the browser's waits")]
pub(crate) async fn open_named(_: &str, _: [u8; 32]) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Missing("this platform has no database of its own".to_owned()))
}

/// Asks the platform not to throw databases away when space is short. Whether it agreed; `None` if it cannot be asked.
#[cfg(wasm_browser)]
pub(crate) async fn ask_to_persist() -> Option<bool> {
    browser::ask_to_persist().await
}

/// Asks the platform not to throw databases away when space is short. Whether it agreed; `None` if it cannot be asked.
#[cfg(not(wasm_browser))]
#[expect(clippy::unused_async, reason = "the browser's waits")]
pub(crate) async fn ask_to_persist() -> Option<bool> {
    None
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
    /// The commit would leave a hole in a list, most often because the commit before it failed. It changed nothing.
    #[error("entry {index} would leave a hole, {list:?} ends at {end}")]
    Hole {
        /// The list.
        list: ListId,
        /// The index asked for.
        index: u64,
        /// Where the list ends.
        end: u64,
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
    /// The platform has no store, or does not let this page have one.
    #[error("there is no storage: {0}")]
    Missing(String),
}
