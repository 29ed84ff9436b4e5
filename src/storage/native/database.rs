//! One redb database that is reopened after errors, and never panics.
//!
//! After an I/O error redb refuses everything until it is opened anew. That happens here, at the next call, while the
//! file stays open and locked.

use std::{
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    super::{Entry, ListId, ListState, SCHEMA_VERSION, StoreError, Write},
    compaction,
    disk::{Backend, Disk},
    reading, tables,
};
use crate::base::{
    RoomId,
    limits::{STORE_CACHE_BYTES, STORE_COMPACT_MAX_BYTES, STORE_VERIFY_BYTES},
};

/// How often a call opens the database again because another thread's call just broke it.
const OPEN_ATTEMPTS: usize = 3;

/// What was dropped, as part of the file, before looking whether the file can be cut is worth reading it.
const LOOK_AFTER: u64 = 8;

/// Why a call failed, and whether redb has to be opened again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    reopen: bool,
}

#[derive(Debug)]
pub(super) struct Database {
    slot: RwLock<Slot>,
    schema: u32,
    /// Bytes of entries that were dropped since the file was last looked at for what could be cut.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Slot {
    /// None after an error: opened again at the next call. Declared first: dropped before the disk is let go.
    open: Option<redb::Database>,
    /// None once closed.
    disk: Option<Backend>,
}

impl Database {
    /// Opens what is on `disk`, or makes a new database if that is empty.
    ///
    /// Reads and verifies every page once, unless there are very many: redb trusts its pages afterwards, and a write
    /// that runs into a damaged one can abort the process (a panic in a destructor of redb's during a panic).
    pub(super) fn open(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let backend = Backend::new(disk.clone());
        let mut redb = open_redb(&backend)?;
        let schema = guard(|| {
            if disk.size().map_err(redb::Error::Io)? <= STORE_VERIFY_BYTES && !redb.check_integrity()? {
                tracing::warn!("the store's page bookkeeping was wrong and has been rebuilt; no entry was lost");
            }
            tables::schema(&redb)
        });
        let schema = match schema {
            Ok(schema) => schema,
            Err(failure) => {
                discard(Some(redb));
                return Err(failure.error);
            }
        };
        let slot = RwLock::new(Slot { open: Some(redb), disk: Some(backend) });
        let database = Self { slot, schema, dropped: AtomicU64::new(0) };
        database.cut(STORE_VERIFY_BYTES);
        Ok(database)
    }

    pub(super) const fn is_read_only(&self) -> bool {
        self.schema > SCHEMA_VERSION
    }

    /// Applies commits in order with one flush. An error is every commit's.
    pub(super) fn commit(&self, group: &[Vec<Write>]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if self.is_read_only() {
            return Err(StoreError::NewerSchema { found: self.schema, supported: SCHEMA_VERSION });
        }
        // A failed write may leave redb's bookkeeping in doubt, whatever the reason.
        let (results, dropped) = self.run(|redb| tables::commit(redb, group).map_err(Failure::fatal))?;
        self.dropped.fetch_add(dropped, Relaxed);
        Ok(results)
    }

    /// Makes the file smaller if so much was dropped that it may be worth it. Everyone waits meanwhile.
    pub(super) fn reclaim(&self) {
        let size = self.read_slot().disk.as_ref().and_then(|backend| backend.disk.size().ok());
        if size.is_some_and(|size| self.dropped.load(Relaxed) > size / LOOK_AFTER) {
            self.dropped.store(0, Relaxed);
            self.cut(STORE_COMPACT_MAX_BYTES);
        }
    }

    fn cut(&self, most: u64) {
        if self.is_read_only() {
            return;
        }
        let mut slot = self.write_slot();
        let Slot { open: Some(redb), disk: Some(backend) } = &mut *slot else { return };
        if let Err(failure) = guard(|| compaction::run(redb, &*backend.disk, most)) {
            // Nothing is lost, and the space is still there to be used.
            tracing::warn!(error = %failure.error, "the store's file could not be cut to what it holds");
            discard(slot.open.take());
        }
    }

    pub(super) fn lists(&self, room: RoomId) -> Result<Vec<ListState>, StoreError> {
        self.run(|redb| reading::lists(redb, room))
    }

    pub(super) fn load(&self, list: ListId, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.run(|redb| reading::load(redb, list, from, limit))
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(|redb| reading::meta(redb, key))
    }

    pub(super) fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.run(|redb| reading::keys(redb, prefix, limit))
    }

    /// Lets go of the disk. Every later call fails.
    pub(super) fn close(&self) {
        let mut slot = self.write_slot();
        discard(slot.open.take());
        slot.disk = None;
    }

    fn run<T>(&self, call: impl Fn(&redb::Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        for _ in 0..OPEN_ATTEMPTS {
            let slot = self.read_slot();
            let Some(redb) = &slot.open else {
                drop(slot);
                self.reopen()?;
                continue;
            };
            let result = guard(|| call(redb));
            drop(slot);
            return result.map_err(|failure| {
                if failure.reopen {
                    discard(self.write_slot().open.take());
                }
                failure.error
            });
        }
        Err(StoreError::Io("the disk keeps failing".to_owned()))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut slot = self.write_slot();
        if slot.open.is_none() {
            let backend = slot.disk.as_ref().ok_or(StoreError::Closed)?;
            slot.open = Some(open_redb(backend)?);
        }
        Ok(())
    }

    fn read_slot(&self) -> RwLockReadGuard<'_, Slot> {
        self.slot.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_slot(&self) -> RwLockWriteGuard<'_, Slot> {
        self.slot.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_redb(backend: &Backend) -> Result<redb::Database, StoreError> {
    let backend = backend.clone();
    let open = || Ok(redb::Builder::new().set_cache_size(STORE_CACHE_BYTES).create_with_backend(backend)?);
    guard(open).map_err(|failure| failure.error)
}

/// Closing writes too, and can stumble over damage; every acknowledged commit is on disk already.
fn discard(redb: Option<redb::Database>) {
    _ = guard(|| {
        drop(redb);
        Ok(())
    });
}

/// redb asserts what a damaged file can violate: such a panic is an error of the file, not of this process.
fn guard<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let error = StoreError::Corrupt(text.unwrap_or_else(|| "unreadable".to_owned()));
        Err(Failure { error, reopen: true })
    })
}

impl Failure {
    fn fatal(mut self) -> Self {
        self.reopen = true;
        self
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, reopen: false }
    }
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let text = error.to_string();
        match error {
            redb::Error::Io(io) => Self { error: io_error(io.kind(), text), reopen: true },
            redb::Error::PreviousIo | redb::Error::LockPoisoned(_) => {
                Self { error: StoreError::Io(text), reopen: true }
            }
            redb::Error::DatabaseAlreadyOpen => StoreError::Locked.into(),
            redb::Error::ValueTooLarge(_) => StoreError::Io(text).into(),
            _ => StoreError::Corrupt(text).into(),
        }
    }
}

fn io_error(kind: ErrorKind, text: String) -> StoreError {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreError::Full(text),
        // Beyond the end, or not what belongs there.
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => StoreError::Corrupt(text),
        _ => StoreError::Io(text),
    }
}
