//! The disk of a server fills up under load and is freed again. On a disk of memory of a few megabytes; where this
//! user may not mount one, the test says so and does nothing.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    member::{Editor, join, words},
    process::{Server, Setup, until},
};

const DISK: &str = "24m";
const WORD_BYTES: usize = 30_000;

/// A small disk. Unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"]).arg(path).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn st10_a_server_whose_disk_fills_up_acknowledges_nothing_says_so_and_recovers_by_itself() {
    let setup = Setup::new();
    let Some(disk) = SmallDisk::mount(&setup.path("peersync-data")) else {
        println!("skipped: this user may not mount a disk of memory");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = setup.start();
    let editor = runtime.block_on(async { Editor::start(join(&server, "full").await, "w".to_owned(), WORD_BYTES, 8) });
    until("the first acknowledgements", || editor.acked() > 10);
    assert_eq!(server.get("/readyz").status, 200);

    disk.fill();
    until("the store to fail", || server.metric("store_failures_total") > 0);
    let failed = Instant::now();
    until("the probe to say so", || server.get("/readyz").status == 503);
    println!("/readyz says so after {:?}", failed.elapsed());
    assert!(failed.elapsed() < Duration::from_secs(1), "{:?}", failed.elapsed());
    assert!(server.stderr().contains("storage is full"), "{}", server.stderr());
    let acked = stalled(&server, &editor);

    // Reading goes on: whoever comes now is told what was acknowledged.
    let there = runtime.block_on(words(&server, "full"));
    assert!(editor.books.lock().unwrap().acked.is_subset(&there));
    assert_eq!((editor.acked(), server.get("/readyz").status), (acked, 503));
    // And so it is on disk: a copy of the file has it.
    let copy = Setup::new();
    fs::create_dir_all(copy.path("peersync-data")).unwrap();
    for name in ["peersync.redb", "identity.key"] {
        fs::copy(disk.0.join(name), copy.path("peersync-data").join(name)).unwrap();
    }
    let there = runtime.block_on(words(&copy.start(), "full"));
    assert!(editor.books.lock().unwrap().acked.is_subset(&there), "acknowledged, and not on disk");

    disk.free();
    let freed = Instant::now();
    until("acknowledgements again", || editor.acked() > acked + 20);
    until("the probe to be ready", || server.get("/readyz").status == 200);
    println!("{} acknowledged before; goes on {:?} after there is space", acked, freed.elapsed());
    let words_acked = runtime.block_on(editor.stop());
    let server = server.kill().start();
    let there = runtime.block_on(words(&server, "full"));
    assert!(words_acked.is_subset(&there), "something acknowledged was lost");
}

/// Waits until nothing is acknowledged any more although there is something to acknowledge and the server tries.
fn stalled(server: &Server, editor: &Editor) -> usize {
    loop {
        let (acked, failures) = (editor.acked(), server.metric("store_failures_total"));
        until("another attempt", || server.metric("store_failures_total") > failures + 1 || editor.acked() > acked);
        thread::sleep(Duration::from_millis(500));
        if editor.acked() == acked && !editor.is_idle() {
            return acked;
        }
    }
}
