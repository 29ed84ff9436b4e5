//! The real binary, and its `/metrics`.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// For anything that should take milliseconds; long, because the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    dir: TempDir,
    http: String,
    pub(crate) peer_id: String,
}

impl Server {
    /// On any free port, with an empty data directory.
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "0")
    }

    fn start_in(dir: TempDir, port: &str) -> Self {
        let ready_path = dir.path().join("ready.json");
        let _ = fs::remove_file(&ready_path);
        let mut child = Command::new(env!("CARGO_BIN_EXE_peersync"))
            .current_dir(dir.path())
            .env_clear()
            .args(["serve", "--port", port, "--ready-file", "ready.json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(dir.path().join("log.txt")).unwrap())
            .spawn()
            .unwrap();
        let mut ready = Value::Null;
        until("the server to listen", || {
            assert!(child.try_wait().unwrap().is_none(), "ended early: {}", log_of(&dir));
            fs::read(&ready_path).is_ok_and(|bytes| {
                ready = serde_json::from_slice(&bytes).unwrap();
                true
            })
        });
        let http = ready["http"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { child, dir, http, peer_id: ready["peerId"].as_str().unwrap().to_owned() }
    }

    /// Starts again what has ended, on the same port and with the same data.
    pub(crate) fn restart(self) -> Self {
        let mut old = self;
        let port = old.http.rsplit_once(':').unwrap().1.to_owned();
        Self::start_in(std::mem::replace(&mut old.dir, tempfile::tempdir().unwrap()), &port)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> String {
        format!("ws://{}/ws", self.http)
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(&mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut status = None;
        until("the server to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn log(&self) -> String {
        log_of(&self.dir)
    }

    /// Refused input so far, reasons that never occurred left out.
    pub(crate) fn refused(&self) -> BTreeMap<String, u64> {
        let text = self.metrics();
        let lines = text.lines().filter_map(|line| line.strip_prefix("peersync_refused_total{reason=\""));
        let counts = lines.map(|line| {
            let (reason, count) = line.split_once("\"} ").unwrap();
            (reason.to_owned(), count.parse().unwrap())
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix("peersync_")?.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().unwrap()
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.http).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("log.txt")).unwrap_or_default()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
