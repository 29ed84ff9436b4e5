//! The server's key file: a libp2p protobuf-encoded Ed25519 key pair, readable by its owner only. Losing it changes
//! the peer id; whoever reads it can pose as this server.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use libp2p::{PeerId, identity::Keypair};
use thiserror::Error;

use super::plain;

/// An identity from a key file.
#[derive(Clone)]
pub struct Identity {
    keypair: Keypair,
    author_seed: [u8; 32],
    created: bool,
}

impl Identity {
    /// Reads the key in `path`, or makes one there if nothing is.
    ///
    /// # Errors
    /// A file that cannot be read or written, or that holds no Ed25519 key pair.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        match fs::read(path) {
            Ok(bytes) => Self::decode(path, bytes, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(IdentityError::Unreadable { path: path.to_owned(), reason: plain(&error) }),
        }
    }

    /// The transport identity.
    #[must_use]
    pub fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The name others know this server by.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    /// Secret of the author as which a server signs: its node's own.
    #[must_use]
    pub fn author_seed(&self) -> [u8; 32] {
        self.author_seed
    }

    /// Whether the key was made just now.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.created
    }

    fn create(path: &Path) -> Result<Self, IdentityError> {
        let unwritable = |error: io::Error| IdentityError::Unwritable { path: path.to_owned(), reason: plain(&error) };
        let keypair = Keypair::generate_ed25519();
        let bytes = keypair.to_protobuf_encoding().map_err(|_| IdentityError::NotAKey { path: path.to_owned() })?;
        match write_new(path, &bytes) {
            Ok(()) => Self::decode(path, bytes, true),
            // Another process was faster; its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::decode(path, fs::read(path).map_err(unwritable)?, false)
            }
            Err(error) => Err(unwritable(error)),
        }
    }

    fn decode(path: &Path, bytes: Vec<u8>, created: bool) -> Result<Self, IdentityError> {
        let not_a_key = || IdentityError::NotAKey { path: path.to_owned() };
        let keypair = Keypair::from_protobuf_encoding(&bytes).map_err(|_| not_a_key())?;
        let ed25519 = keypair.clone().try_into_ed25519().map_err(|_| not_a_key())?;
        let secret = ed25519.secret();
        let mut author_seed = [0; 32];
        author_seed.copy_from_slice(secret.as_ref());
        if !created {
            warn_if_readable_by_others(path);
        }
        Ok(Self { keypair, author_seed, created })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer_id())
    }
}

/// Puts `bytes` into a file that must not exist yet; whoever sees the file sees all of it.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = folder.join(name);
    let written = write_private(&draft, bytes).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    written?;
    // The name must survive a crash too, or the next start would make another identity.
    fs::File::open(folder)?.sync_all()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "the identity file is open to other users of this machine: chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_path: &Path) {}

/// Why there is no identity.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file is there and cannot be read.
    #[error("cannot read the identity file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// No file, and none can be made.
    #[error("cannot write the identity file {}: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file holds something else.
    #[error("the identity file {} is not a libp2p Ed25519 key", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_keeps_its_peer_id_and_shows_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/identity.key");
        let made = Identity::load_or_create(&path).unwrap();
        let read = Identity::load_or_create(&path).unwrap();
        assert!(made.is_new() && !read.is_new());
        assert_eq!(made.peer_id(), read.peer_id());
        assert_eq!(format!("{read:?}"), format!("Identity({})", made.peer_id()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn the_author_is_the_node() {
        use crate::base::{Ed25519, Signer as _};
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(&dir.path().join("k")).unwrap();
        let public = identity.keypair().public().try_into_ed25519().unwrap().to_bytes();
        assert_eq!(Ed25519::from_seed(identity.author_seed()).author().0, public);
    }

    #[test]
    fn another_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        fs::write(&path, b"not a key").unwrap();
        assert!(matches!(Identity::load_or_create(&path), Err(IdentityError::NotAKey { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"not a key");
    }
}
