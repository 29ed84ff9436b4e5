//! The server's store: redb, embedded, one file `peersync.redb`.
//!
//! One writer thread owns every change and flushes once for all commits that queued up meanwhile (group commit); one
//! reader thread serves loads. Callers only wait for channels, on whatever executor they run. No type of redb leaves
//! this folder.

mod compaction;
mod database;
mod disk;
mod file;
mod migration;
mod reading;
mod rows;
mod tables;
mod worker;

use std::{
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use futures::{FutureExt as _, channel::oneshot, future::Shared};

use self::{
    database::Database,
    worker::{Commit, Read},
};
use super::{
    Entry, Flush, ListId, ListState, Store, StoreError, StoreFuture, Write,
    queue::{self, Queue},
};
use crate::base::{RoomId, limits::STORE_QUEUE};

pub use disk::Disk;

/// A [`Store`] in one file. Dropping it flushes what was accepted and blocks until that is done; [`RedbStore::close`]
/// does the same without blocking.
#[derive(Debug)]
pub struct RedbStore {
    commits: Arc<Queue<Commit>>,
    reads: Arc<Queue<Read>>,
    threads: Vec<JoinHandle<()>>,
    finished: Shared<oneshot::Receiver<()>>,
    read_only: bool,
}

impl RedbStore {
    /// Opens `dir/peersync.redb`, creating both as needed, readable by this user only. Blocks while it verifies what
    /// is there, up to a second or two for a large file (`STORE_VERIFY_BYTES`).
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another store has the file open, [`StoreError::Corrupt`] if it is none of ours,
    /// [`StoreError::Io`] with a sentence naming the path otherwise.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let file = file::open(dir)?;
        let database = Database::open(file.disk.clone())?;
        file.publish()?;
        Self::start(database)
    }

    /// Opens a store on any disk, for tests of failing ones.
    ///
    /// # Errors
    /// As [`RedbStore::open`], but for locking, which is up to the disk.
    pub fn open_on(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        Self::start(Database::open(disk)?)
    }

    /// Whether the file was written by a newer peersync: loads work, commits fail with [`StoreError::NewerSchema`].
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Flushes every commit called so far, then releases the file; other calls from here on fail with
    /// [`StoreError::Closed`]. Dropping the future does not undo the close. Safe to repeat.
    pub fn close(&self) -> StoreFuture<()> {
        self.stop();
        let finished = self.finished.clone();
        Box::pin(async move {
            // The writer drops its end after it has released the file.
            _ = finished.await;
            Ok(())
        })
    }

    /// Accepts nothing more; the threads end when they have done what is queued.
    fn stop(&self) {
        self.commits.close();
        self.reads.close();
    }

    fn start(database: Database) -> Result<Self, StoreError> {
        let read_only = database.is_read_only();
        let database = Arc::new(database);
        let (running, finished) = oneshot::channel();
        let mut store = Self {
            commits: Arc::new(Queue::new(STORE_QUEUE)),
            // A read that nobody waits for any more need not happen.
            reads: Arc::new(Queue::new(0)),
            threads: Vec::new(),
            finished: finished.shared(),
            read_only,
        };
        let (commits, shared) = (store.commits.clone(), database.clone());
        store.spawn("peersync-store-write", move || worker::write(&commits, &shared, running))?;
        let reads = store.reads.clone();
        store.spawn("peersync-store-read", move || worker::read(&reads, &database))?;
        Ok(store)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(spawned.map_err(|e| StoreError::Io(format!("cannot start a thread: {e}")))?);
        Ok(())
    }
}

impl Store for RedbStore {
    fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>> {
        queue::ask(&self.reads, |answer| Read::Lists { room, answer })
    }

    fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
        queue::ask(&self.reads, |answer| Read::Load { list, from, limit, answer })
    }

    /// Always strict: commits that queue up share a flush as it is.
    fn commit(&self, writes: Vec<Write>, _: Flush) -> StoreFuture<()> {
        queue::ask(&self.commits, |answer| Commit::new(writes, answer))
    }

    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        queue::ask(&self.reads, |answer| Read::Meta { key: key.to_owned(), answer })
    }

    fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>> {
        queue::ask(&self.reads, |answer| Read::Keys { prefix: prefix.to_owned(), limit, answer })
    }

    fn is_durable(&self) -> bool {
        true
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // Nothing to tell anyone: a worker catches what can panic below it.
            _ = thread.join();
        }
    }
}
