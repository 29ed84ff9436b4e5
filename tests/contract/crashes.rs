//! A workload of 200 commits, cut off at every write and flush of it. One run records what reaches the disk, and after
//! how much of that each commit was acknowledged; what a crash leaves is made from the record.
//!
//! Whole with `PEERSYNC_CRASH_ROUNDS=1000000 cargo test --release --test contract crashes -- --nocapture`.

use std::{
    io,
    sync::{Arc, Mutex},
};

use futures::executor::block_on;
use peersync::storage::{
    ListState, MemoryStore, Store, Write,
    native::{Disk, RedbStore},
};

use crate::{disk::SimDisk, support::*};

const COMMITS: u64 = 200;
const SECTOR: usize = 512;

/// What a crash leaves of what was written.
#[derive(Debug, Clone, Copy)]
enum Crash {
    /// All of it: the process stopped.
    Stop,
    /// What was flushed: the power failed.
    Power,
    /// All of it, and a part of the write that was under way.
    Torn,
}

#[test]
fn st3_a_crash_at_any_write_or_flush_keeps_every_acknowledged_commit() {
    let history = History::of((0..COMMITS).collect(), workload);
    assert_eq!(history.commits.len() as u64, COMMITS);
    let disk = Arc::new(Recorder::default());
    let store = RedbStore::open_on(disk.clone()).unwrap();
    let begin = disk.len();
    let mut acknowledged = Vec::new();
    for writes in &history.commits {
        commit(&store, writes.clone()).unwrap();
        acknowledged.push(disk.len());
    }
    drop(store);
    disk.crash(begin, rounds(50), |point, image, at| {
        let acked = acknowledged.iter().filter(|len| **len <= point).count();
        check(image, &history, acked, at);
    });
}

/// It opens, has every commit that was acknowledged and at most the one after, and goes on.
fn check(image: Vec<u8>, history: &History, acked: usize, at: &str) {
    let store = RedbStore::open_on(Arc::new(SimDisk::with(image))).unwrap_or_else(|e| panic!("{at}: {e}"));
    let found = dump(&store).unwrap_or_else(|e| panic!("{at}: {e}"));
    let expected = &history.dumps[acked..history.dumps.len().min(acked + 2)];
    assert!(expected.contains(&found), "{at}: not what the first {acked} commits make: {}", found.outline());
    commit(&store, vec![append(9, 0, b"on")]).unwrap_or_else(|e| panic!("{at}: {e}"));
}

/// Appends to several lists, with values, cuts at both ends, and now and then a room's log folded into a snapshot.
fn workload(i: u64, model: &MemoryStore) -> Vec<Write> {
    let mut rng = Rng(i);
    let n = rng.below(2) as u8;
    let states = block_on(model.lists(room(n))).unwrap();
    let end = |list| states.iter().find(|state| state.list == list).map_or(0, |state| state.end);
    let put = |list, index, bytes| Write::Append { list: list_of(n, list), index, bytes };
    match i % 20 {
        3 => vec![meta("writer/1", Some(&i.to_be_bytes())), put(1, end(1), rng.bytes(300))],
        11 => vec![meta("writer/1", None)],
        7 => vec![Write::Trim { list: list_of(n, 1), before: end(1) / 2 }],
        13 => vec![Write::Truncate { list: list_of(n, LIST), from: end(LIST).saturating_sub(2) }],
        19 => {
            let trims = states.iter().filter(|state| state.list != 0);
            let trims = trims.map(|ListState { list, end, .. }| Write::Trim { list: list_of(n, *list), before: *end });
            let snapshot = [put(0, 0, rng.bytes(20_000)), put(0, 1, rng.bytes(400))];
            [Write::Truncate { list: list_of(n, 0), from: 0 }].into_iter().chain(snapshot).chain(trims).collect()
        }
        _ => (0..=rng.below(2))
            .map(|k| put([1, LIST, 9][k as usize], end([1, LIST, 9][k as usize]), rng.bytes(600)))
            .collect(),
    }
}

/// A disk that remembers everything that was done to it.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    disk: SimDisk,
    done: Mutex<Vec<Done>>,
}

#[derive(Debug)]
enum Done {
    Write(u64, Vec<u8>),
    Resize(u64),
    Sync,
}

impl Recorder {
    pub(crate) fn len(&self) -> usize {
        self.done.lock().unwrap().len()
    }

    fn push(&self, done: Done) {
        self.done.lock().unwrap().push(done);
    }

    /// Crashes in every way at each write and flush from `begin` on, or at a sample of them, and lets `check` see what
    /// each leaves.
    pub(crate) fn crash(&self, begin: usize, sample: u64, check: impl Fn(usize, Vec<u8>, &str)) {
        let points = (self.len() - begin) as u64;
        let chosen: Vec<u64> =
            if sample >= points { (0..points).collect() } else { (0..sample).map(|i| Rng(i).below(points)).collect() };
        let mut crashes = 0;
        for point in &chosen {
            for crash in [Crash::Stop, Crash::Power, Crash::Torn] {
                let Some(image) = self.image(begin + *point as usize, crash) else { continue };
                check(begin + *point as usize, image, &format!("{crash:?} at {point}"));
                crashes += 1;
            }
        }
        println!("{crashes} crashes at {} of {points} writes and flushes", chosen.len());
    }

    /// What a crash leaves that comes when `point` has not been done yet; `None` if it leaves the same as another.
    fn image(&self, point: usize, crash: Crash) -> Option<Vec<u8>> {
        let done = self.done.lock().unwrap();
        let kept = match crash {
            Crash::Stop | Crash::Torn => point,
            Crash::Power => done[..point].iter().rposition(|done| matches!(done, Done::Sync)).unwrap_or(0),
        };
        let mut image = Vec::new();
        for done in &done[..kept] {
            done.to(&mut image, usize::MAX);
        }
        if matches!(crash, Crash::Torn) {
            let Done::Write(_, bytes) = &done[point] else { return None };
            // A page is cut at a sector, what is smaller than one is not written at all or whole.
            let sectors = bytes.len().div_ceil(SECTOR) as u64;
            done[point].to(&mut image, Rng(point as u64).below(sectors + 1) as usize * SECTOR);
        }
        Some(image)
    }
}

impl Done {
    fn to(&self, image: &mut Vec<u8>, at_most: usize) {
        match self {
            Self::Resize(size) => image.resize(*size as usize, 0),
            Self::Write(offset, bytes) => {
                let (from, len) = (*offset as usize, bytes.len().min(at_most));
                image.resize(image.len().max(from + len), 0);
                image[from..from + len].copy_from_slice(&bytes[..len]);
            }
            Self::Sync => {}
        }
    }
}

impl Disk for Recorder {
    fn size(&self) -> io::Result<u64> {
        self.disk.size()
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.push(Done::Resize(size));
        self.disk.resize(size)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.push(Done::Write(offset, bytes.to_vec()));
        self.disk.write(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.push(Done::Sync);
        self.disk.sync()
    }
}
