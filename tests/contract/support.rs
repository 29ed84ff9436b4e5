//! What the tests share: short ways to write commits, a model to compare with, randomness from a seed.

use std::sync::Arc;

use futures::executor::block_on;
use peersync::{
    base::RoomId,
    storage::{Entry, MemoryStore, Store, StoreError, Write},
};

pub(crate) type Shared = Arc<dyn Store>;

pub(crate) const ROOMS: u8 = 4;
pub(crate) const META_KEYS: [&str; 2] = ["a", "b"];

pub(crate) fn room(n: u8) -> RoomId {
    RoomId([n; 32])
}

pub(crate) fn append(n: u8, index: u64, bytes: &[u8]) -> Write {
    Write::Append { room: room(n), index, bytes: bytes.to_vec() }
}

pub(crate) fn truncate(n: u8, from: u64) -> Write {
    Write::Truncate { room: room(n), from }
}

pub(crate) fn meta(key: &str, value: Option<&[u8]>) -> Write {
    Write::Meta { key: key.to_owned(), value: value.map(<[u8]>::to_vec) }
}

pub(crate) fn commit(store: &dyn Store, writes: Vec<Write>) -> Result<(), StoreError> {
    block_on(store.commit(writes))
}

pub(crate) fn load(store: &dyn Store, n: u8, from: u64, limit: usize) -> Vec<Entry> {
    block_on(store.load(room(n), from, limit)).unwrap()
}

/// The bytes of every entry of a room.
pub(crate) fn all(store: &dyn Store, n: u8) -> Vec<Vec<u8>> {
    load(store, n, 0, usize::MAX).into_iter().map(|entry| entry.bytes).collect()
}

/// Everything a store of these tests holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dump {
    rooms: Vec<Vec<Entry>>,
    meta: Vec<Option<Vec<u8>>>,
}

impl Dump {
    /// How many entries each room has, and how long each value is: for messages.
    pub(crate) fn outline(&self) -> String {
        let rooms: Vec<_> = self.rooms.iter().map(Vec::len).collect();
        let meta: Vec<_> = self.meta.iter().map(|value| value.as_ref().map(Vec::len)).collect();
        format!("rooms {rooms:?}, meta {meta:?}")
    }
}

pub(crate) fn dump(store: &dyn Store) -> Result<Dump, StoreError> {
    let rooms = (0..ROOMS).map(|n| block_on(store.load(room(n), 0, usize::MAX)));
    let meta = META_KEYS.iter().map(|key| block_on(store.meta(key)));
    Ok(Dump { rooms: rooms.collect::<Result<_, _>>()?, meta: meta.collect::<Result<_, _>>()? })
}

/// Commits, and what a store holds after each prefix of them, starting with none.
pub(crate) struct History {
    pub(crate) commits: Vec<Vec<Write>>,
    pub(crate) dumps: Vec<Dump>,
}

impl History {
    /// `count` commits of a few appends, replacements, truncations and values each, `size` bytes at most.
    pub(crate) fn random(rng: &mut Rng, count: usize, size: u64) -> Self {
        let model = MemoryStore::new();
        let mut history = Self { commits: Vec::new(), dumps: vec![dump(&model).unwrap()] };
        let mut lens = [0_u64; ROOMS as usize];
        for _ in 0..count {
            let writes: Vec<_> = (0..=rng.below(3)).map(|_| random_write(rng, &mut lens, size)).collect();
            commit(&model, writes.clone()).unwrap();
            history.commits.push(writes);
            history.dumps.push(dump(&model).unwrap());
        }
        history
    }

    /// Whether `found` is what the first `k` commits make, for some `k` of at least `acknowledged`.
    pub(crate) fn has(&self, found: &Dump, acknowledged: usize) -> bool {
        self.dumps[acknowledged..].contains(found)
    }
}

fn random_write(rng: &mut Rng, lens: &mut [u64; ROOMS as usize], size: u64) -> Write {
    let n = rng.below(u64::from(ROOMS)) as u8;
    let len = &mut lens[usize::from(n)];
    let bytes = rng.bytes(size);
    match rng.below(12) {
        0 => {
            *len = rng.below(*len + 1);
            truncate(n, *len)
        }
        1 => meta(META_KEYS[rng.below(2) as usize], (rng.below(3) > 0).then_some(&bytes)),
        2 if *len > 0 => append(n, rng.below(*len), &bytes),
        _ => {
            *len += 1;
            append(n, *len - 1, &bytes)
        }
    }
}

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn bytes(&mut self, max: u64) -> Vec<u8> {
        (0..self.below(max + 1)).map(|_| self.next() as u8).collect()
    }
}

/// Rounds of a randomised test: `PEERSYNC_CRASH_ROUNDS`, or the default.
pub(crate) fn rounds(default: u64) -> u64 {
    std::env::var("PEERSYNC_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
