//! The file of a store: private, locked, and never seen half created.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{StorageBackend as _, backends::FileBackend};

use super::{super::StoreError, disk::Disk};

const NAME: &str = "peersync.redb";

/// An open, locked file, perhaps still under a temporary name.
pub(super) struct StoreFile {
    pub(super) disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Where it lies until it holds a whole store.
    unpublished: Option<PathBuf>,
}

/// Opens or creates the file of a store in `dir`.
///
/// A new one begins under another name: cut off in the middle of its creation it would be a damaged store, not a
/// missing one.
pub(super) fn open(dir: &Path) -> Result<StoreFile, StoreError> {
    create_dir(dir).map_err(|e| failed("create the directory", dir, &e))?;
    let path = dir.join(NAME);
    if let Some(file) = open_existing(&path)? {
        return StoreFile::new(file, dir, None);
    }
    let unpublished = dir.join(format!("{NAME}.new"));
    let file = private().create(true).truncate(false).open(&unpublished);
    let file = file.map_err(|e| failed("create", &unpublished, &e))?;
    lock(&file, &unpublished)?;
    // Whoever held the lock until now may have published a store.
    if let Some(file) = open_existing(&path)? {
        _ = fs::remove_file(&unpublished);
        return StoreFile::new(file, dir, None);
    }
    file.set_len(0).map_err(|e| failed("empty", &unpublished, &e))?;
    StoreFile::new(file, dir, Some(unpublished))
}

impl StoreFile {
    fn new(file: File, dir: &Path, unpublished: Option<PathBuf>) -> Result<Self, StoreError> {
        let lock = file.try_clone().map_err(|e| failed("use a file in", dir, &e))?;
        let backend = FileBackend::new(file).map_err(|e| StoreError::Io(e.to_string()))?;
        Ok(Self { disk: Arc::new(FileDisk { backend, lock }), dir: dir.to_owned(), unpublished })
    }

    /// Gives a new store, now whole, its name, durably.
    pub(super) fn publish(self) -> Result<(), StoreError> {
        let Some(unpublished) = self.unpublished else { return Ok(()) };
        let path = self.dir.join(NAME);
        fs::rename(&unpublished, &path).map_err(|e| failed("create", &path, &e))?;
        sync_dir(&self.dir).map_err(|e| failed("flush the directory", &self.dir, &e))
    }
}

fn open_existing(path: &Path) -> Result<Option<File>, StoreError> {
    match private().open(path) {
        Ok(file) => lock(&file, path).map(|()| Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("open", path, &e)),
    }
}

fn lock(file: &File, path: &Path) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(e)) => Err(failed("lock", path, &e)),
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Io(format!("cannot {what} {}: {error}", path.display()))
}

/// Readable and writable, by this user only: rooms may hold anything.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A new name survives a loss of power only after its directory was flushed. Windows neither needs nor offers it.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// A file, with the positional reads and writes that redb has for each platform.
#[derive(Debug)]
struct FileDisk {
    backend: FileBackend,
    lock: File,
}

impl Drop for FileDisk {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a process forked just now, until that closes its copy.
        _ = self.lock.unlock();
    }
}

impl Disk for FileDisk {
    fn size(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.backend.set_len(size)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.backend.write(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.backend.sync_data()
    }
}
