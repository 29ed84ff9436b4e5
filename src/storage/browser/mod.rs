//! The browser's store: IndexedDB, one database per name, in a window or a worker. <https://w3c.github.io/IndexedDB/>.
//!
//! One local task owns the connection and does what callers queue up, in order; commits that wait together share one
//! transaction (group commit). Several pages may have the same database open: what a list holds is read inside the
//! transaction that changes it. No JavaScript object leaves the task.

mod connection;
mod opening;
mod persist;
mod request;
mod tables;
mod upgrade;
mod worker;

use std::{fmt, sync::Arc};

pub(crate) use persist::ask_to_persist;

use futures::{channel::oneshot, future::Shared};

use self::worker::{Job, Read};
use super::{
    Entry, Flush, ListId, ListState, Store, StoreError, StoreFuture, Write,
    queue::{self, Queue},
};
use crate::base::RoomId;

/// A [`Store`] in one database. Dropping it closes the connection when what was accepted is done, without waiting.
///
/// A connection that the browser closed, because the user deleted the database or another page upgrades it, is opened
/// again at the next call. If the database is then a new one, the first commit that appends is refused with
/// [`StoreError::Hole`], wherever it appends: what was stored is gone.
pub struct IndexedDbStore {
    jobs: Arc<Queue<Job>>,
    finished: Shared<oneshot::Receiver<()>>,
}

impl IndexedDbStore {
    /// Opens the database `name`, making or upgrading it as needed. `seed` is random: it tells a database that is made
    /// now from one of that name that was deleted.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no IndexedDB or this page may not use it, [`StoreError::NewerSchema`],
    /// [`StoreError::Corrupt`] for a database of something else, [`StoreError::Full`], or [`StoreError::Io`], also
    /// when the browser does not answer (`STORE_OPEN_TIMEOUT_MS`).
    pub fn open(name: &str, seed: [u8; 32]) -> StoreFuture<Self> {
        let (answer, opened) = oneshot::channel();
        wasm_bindgen_futures::spawn_local(worker::run(name.to_owned(), seed, answer));
        Box::pin(async move { opened.await.unwrap_or(Err(StoreError::Closed)) })
    }

    /// Finishes every call so far, then closes the connection; other calls from here on fail with
    /// [`StoreError::Closed`]. Dropping the future does not undo the close. Safe to repeat.
    pub fn close(&self) -> StoreFuture<()> {
        self.jobs.close();
        let finished = self.finished.clone();
        Box::pin(async move {
            // The task drops its end after it has closed the connection.
            _ = finished.await;
            Ok(())
        })
    }
}

impl Store for IndexedDbStore {
    fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>> {
        queue::ask(&self.jobs, |answer| Job::Read(Read::Lists { room, answer }))
    }

    fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
        queue::ask(&self.jobs, |answer| Job::Read(Read::Load { list, from, limit, answer }))
    }

    fn commit(&self, writes: Vec<Write>, flush: Flush) -> StoreFuture<()> {
        queue::ask(&self.jobs, |answer| Job::Commit { writes, flush, answer })
    }

    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        queue::ask(&self.jobs, |answer| Job::Read(Read::Meta { key: key.to_owned(), answer }))
    }

    fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>> {
        queue::ask(&self.jobs, |answer| Job::Read(Read::Keys { prefix: prefix.to_owned(), limit, answer }))
    }

    fn is_durable(&self) -> bool {
        true
    }
}

impl fmt::Debug for IndexedDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedDbStore").finish_non_exhaustive()
    }
}

impl Drop for IndexedDbStore {
    fn drop(&mut self) {
        self.jobs.close();
    }
}
