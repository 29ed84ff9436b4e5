//! `--ready-file`: tells scripts that the server listens, and where. Written whole or not at all, removed on a clean
//! exit; one left behind by a crash is removed by the next start, before it listens.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// What the file says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready<'a> {
    /// This server's peer id.
    pub(super) peer_id: &'a str,
    /// URL of the HTTP port.
    pub(super) http: &'a str,
    /// Every address, with `/p2p`.
    pub(super) addresses: &'a [String],
    /// The addresses that a browser can dial.
    pub(super) bootstrap_peers: &'a [String],
}

/// The file of one run. Removed when dropped.
#[derive(Debug)]
pub(super) struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    /// Takes the place, removing what an earlier run left.
    pub(super) fn claim(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self { path: path.to_owned() }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Says it.
    pub(super) fn write(&self, ready: &Ready<'_>) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(ready)?;
        json.push(b'\n');
        let mut draft = self.path.clone().into_os_string();
        draft.push(format!(".{}.new", std::process::id()));
        fs::write(&draft, json)?;
        fs::rename(&draft, &self.path).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // Nobody is left to be told of a failure, and the next start tries again.
        let _ = fs::remove_file(&self.path);
    }
}
