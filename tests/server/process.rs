//! Starts the binary and waits for what it says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// For anything that should take milliseconds; long, because the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A folder to run in and what to say there.
pub(crate) struct Setup {
    pub(crate) dir: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Setup {
    /// `peersync serve` on any free port, with a ready file.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), args: Vec::new(), env: Vec::new() }.args(&["--port", "0"])
    }

    pub(crate) fn bare() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), args: Vec::new(), env: Vec::new() }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peersync"));
        command.current_dir(self.dir.path()).env_clear().arg(subcommand).args(&self.args).stdin(Stdio::null());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it says that it listens.
    pub(crate) fn start(self) -> Server {
        let ready_path = self.path("ready.json");
        let log = self.path("stderr.txt");
        let mut server = Server { child: self.spawn(), ready: Value::Null, setup: self };
        until("the server to listen", || {
            assert!(server.child.try_wait().unwrap().is_none(), "ended early: {}", fs::read_to_string(&log).unwrap());
            fs::read(&ready_path).is_ok_and(|bytes| {
                server.ready = serde_json::from_slice(&bytes).unwrap();
                true
            })
        });
        server
    }

    /// Starts the server without waiting for anything.
    pub(crate) fn spawn(&self) -> Child {
        self.command("serve")
            .args(["--ready-file", "ready.json"])
            .stdout(fs::File::create(self.path("stdout.txt")).unwrap())
            .stderr(fs::File::create(self.path("stderr.txt")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Runs to the end a command that is expected to end by itself.
    pub(crate) fn run(&self, subcommand: &str) -> Output {
        self.command(subcommand).output().unwrap()
    }

    /// Expects that the server does not start, and returns the one sentence.
    pub(crate) fn refused(&self) -> String {
        let output = self.run("serve");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
        assert!(said.starts_with("peersync: ") && output.stdout.is_empty(), "{said}");
        said
    }
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) setup: Setup,
}

impl Server {
    /// `127.0.0.1:1234`.
    pub(crate) fn authority(&self) -> &str {
        self.ready["http"].as_str().unwrap().strip_prefix("http://").unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.authority().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub(crate) fn peer_id(&self) -> &str {
        self.ready["peerId"].as_str().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Stops it and gives its folder back for another start.
    pub(crate) fn stop(mut self) -> TempDir {
        self.signal("-TERM");
        assert_eq!(self.wait().code(), Some(0));
        std::mem::replace(&mut self.setup.dir, tempfile::tempdir().unwrap())
    }

    /// Ends it at once, and gives back what starts it again with what is on disk.
    pub(crate) fn kill(mut self) -> Setup {
        self.signal("-KILL");
        self.wait();
        fs::remove_file(self.setup.path("ready.json")).unwrap();
        std::mem::replace(&mut self.setup, Setup::bare())
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.setup.path("stderr.txt")).unwrap()
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.setup.path("stdout.txt")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `done` says so.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
