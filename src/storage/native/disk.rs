//! Where the bytes of a store go: a seam, so that tests can make disks fail, lie and lose power.

use std::{fmt::Debug, io, sync::Arc};

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

/// A disk as redb sees it. Locking stays with us: the file stays locked while redb is reopened after an error.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<dyn Disk>);

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.resize(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
