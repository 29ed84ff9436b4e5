//! A disk in memory that fails, lies and loses power on demand.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    sync::{Mutex, MutexGuard},
};

use peersync::storage::native::Disk;

use crate::support::Rng;

const SECTOR: usize = 512;
const BLOCK: usize = 4096;

/// Starts empty, or with what a file held.
#[derive(Debug, Default)]
pub(crate) struct SimDisk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    seen: Vec<u8>,
    /// What a loss of power leaves at least.
    durable: Vec<u8>,
    /// Changes since the last flush: any of their sectors may survive, in any order.
    unflushed: Vec<Change>,
    /// Blocks written so far.
    blocks: BTreeSet<usize>,
    faults: Faults,
    syncs: u64,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

/// What goes wrong, each counted in calls from now on.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Faults {
    /// Every write to a block never written before fails, as on a full disk: the space of others is taken already.
    pub(crate) full: bool,
    /// Every write from this one on fails so.
    pub(crate) writes: Option<(u64, ErrorKind)>,
    /// This flush fails, and what it should have flushed counts as clean although it is not on disk.
    pub(crate) sync: Option<u64>,
    /// Every read from this one on fails.
    pub(crate) reads: Option<u64>,
}

impl SimDisk {
    pub(crate) fn with(image: Vec<u8>) -> Self {
        let blocks = (0..image.len().div_ceil(BLOCK)).collect();
        let state = State { seen: image.clone(), durable: image, blocks, ..State::default() };
        Self { state: Mutex::new(state) }
    }

    pub(crate) fn fail(&self, faults: Faults) {
        self.state().faults = faults;
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// What is on the disk if power fails now.
    pub(crate) fn lose_power(&self, rng: &mut Rng) -> Vec<u8> {
        let state = self.state();
        let mut image = state.durable.clone();
        // Some losses drop all, some nearly nothing: both ends are where bugs are.
        let odds = rng.below(5);
        for change in &state.unflushed {
            match change {
                Change::Resize(size) if rng.below(4) < odds => image.resize(*size, 0),
                Change::Resize(_) => {}
                Change::Write(offset, bytes) => {
                    for (i, sector) in bytes.chunks(SECTOR).enumerate() {
                        if rng.below(4) < odds {
                            put(&mut image, offset + i * SECTOR, sector);
                        }
                    }
                }
            }
        }
        image
    }

    /// What reads see now.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.state().seen.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Disk for SimDisk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        let mut state = self.state();
        state.check_write()?;
        state.seen.resize(size as usize, 0);
        state.unflushed.push(Change::Resize(size as usize));
        Ok(())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        if tick(&mut state.faults.reads) {
            return Err(io::Error::other("injected"));
        }
        let end = (offset as usize).checked_add(out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(state.seen.get(offset as usize..end).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.check_write()?;
        let blocks = offset as usize / BLOCK..(offset as usize + bytes.len()).div_ceil(BLOCK);
        if state.faults.full && blocks.clone().any(|block| !state.blocks.contains(&block)) {
            return Err(ErrorKind::StorageFull.into());
        }
        state.blocks.extend(blocks);
        put(&mut state.seen, offset as usize, bytes);
        state.unflushed.push(Change::Write(offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        let changes = std::mem::take(&mut state.unflushed);
        if tick(&mut state.faults.sync) {
            state.faults.sync = None;
            return Err(io::Error::other("injected"));
        }
        for change in changes {
            match change {
                Change::Resize(size) => state.durable.resize(size, 0),
                Change::Write(offset, bytes) => put(&mut state.durable, offset, &bytes),
            }
        }
        Ok(())
    }
}

impl State {
    fn check_write(&mut self) -> io::Result<()> {
        let Some((left, kind)) = &mut self.faults.writes else { return Ok(()) };
        if *left == 0 {
            return Err((*kind).into());
        }
        *left -= 1;
        Ok(())
    }
}

/// Counts down; whether it has come to the fault.
fn tick(left: &mut Option<u64>) -> bool {
    match left {
        None => false,
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}
