//! Where the bytes of a store go: a seam, so that tests can make disks fail, lie and lose power.

use std::{
    fmt::Debug,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// A growable array of bytes that can be flushed. Every call may run concurrently with others.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the platform says; likewise for the others.
    fn size(&self) -> io::Result<u64>;
    /// Cuts or extends to `size` bytes; new ones are zero.
    ///
    /// # Errors
    /// See [`Disk::size`].
    fn resize(&self, size: u64) -> io::Result<()>;
    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// See [`Disk::size`]; also beyond the end.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// See [`Disk::size`].
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Resolves when everything written before survives a loss of power.
    ///
    /// # Errors
    /// See [`Disk::size`]. What was written before is then in doubt.
    fn sync(&self) -> io::Result<()>;
}

/// redb's header, which says what is the latest commit: the first bytes of the file.
const HEADER_BYTES: usize = 320;

/// A disk as redb sees it, each time it is opened. Locking stays with us: the file stays locked while redb is reopened
/// after an error.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) disk: Arc<dyn Disk>,
    /// The header at the last flush that worked.
    flushed: Arc<Mutex<Option<[u8; HEADER_BYTES]>>>,
}

impl Backend {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        let flushed = Arc::new(Mutex::new(header(&*disk)));
        Self { disk, flushed }
    }
}

fn header(disk: &dyn Disk) -> Option<[u8; HEADER_BYTES]> {
    let mut header = [0; HEADER_BYTES];
    disk.read(0, &mut header).is_ok().then_some(header)
}

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.disk.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.resize(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.disk.sync();
        match (&result, &*flushed) {
            (Ok(()), _) => *flushed = header(&*self.disk),
            // After a failed flush, pages that the kernel dropped can pass for written as long as it remembers them.
            // The commit that points to them must not be found when redb opens again: back to the one before it.
            (Err(_), Some(header)) => _ = self.disk.write(0, header),
            (Err(_), None) => {}
        }
        result
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}
