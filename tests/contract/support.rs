//! What the native tests share: waiting for a store, a history to compare with, how often to repeat.

use futures::executor::block_on;
use peersync::storage::{Entry, Flush, ListState, MemoryStore, Store, StoreError, Write};

pub(crate) use crate::suite::{LIST, Rng, append, list_of, meta, room, truncate};

pub(crate) const ROOMS: u8 = 4;
/// The lists of a room that a history writes to.
const LISTS: [u64; 3] = [0, 1, LIST];

pub(crate) fn commit(store: &dyn Store, writes: Vec<Write>) -> Result<(), StoreError> {
    block_on(store.commit(writes, Flush::Strict))
}

pub(crate) fn load(store: &dyn Store, n: u8, from: u64, limit: usize) -> Vec<Entry> {
    block_on(store.load(list_of(n, LIST), from, limit)).unwrap()
}

/// The bytes of every entry of a room's list.
pub(crate) fn all(store: &dyn Store, n: u8) -> Vec<Vec<u8>> {
    load(store, n, 0, usize::MAX).into_iter().map(|entry| entry.bytes).collect()
}

/// Everything a store of these tests holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dump {
    lists: Vec<(u8, ListState, Vec<Entry>)>,
    meta: Vec<(String, Vec<u8>)>,
}

impl Dump {
    /// Which lists there are, and how long each value is: for messages.
    pub(crate) fn outline(&self) -> String {
        let lists: Vec<_> = self.lists.iter().map(|(n, list, _)| (n, list.list, list.first, list.end)).collect();
        let meta: Vec<_> = self.meta.iter().map(|(key, value)| (key, value.len())).collect();
        format!("lists {lists:?}, meta {meta:?}")
    }
}

pub(crate) fn dump(store: &dyn Store) -> Result<Dump, StoreError> {
    let mut dump = Dump { lists: Vec::new(), meta: Vec::new() };
    for n in 0..ROOMS {
        for state in block_on(store.lists(room(n)))? {
            let entries = block_on(store.load(list_of(n, state.list), 0, usize::MAX))?;
            dump.lists.push((n, state, entries));
        }
        // Also of a list that has lost its bounds.
        for list in LISTS {
            block_on(store.load(list_of(n, list), 0, 1))?;
        }
    }
    for key in block_on(store.keys("", usize::MAX))? {
        let value = block_on(store.meta(&key))?.ok_or_else(|| StoreError::Corrupt(format!("{key} has no value")))?;
        dump.meta.push((key, value));
    }
    Ok(dump)
}

/// Commits, and what a store holds after each prefix of them, starting with none.
pub(crate) struct History {
    pub(crate) commits: Vec<Vec<Write>>,
    pub(crate) dumps: Vec<Dump>,
}

impl History {
    /// `count` commits of a few changes of every kind each, `size` bytes at most.
    pub(crate) fn random(rng: &mut Rng, count: usize, size: u64) -> Self {
        Self::of((0..count).map(|_| rng.next()).collect::<Vec<_>>(), |seed, model| {
            let mut rng = Rng(seed);
            (0..=rng.below(3)).map(|_| random_write(&mut rng, model, size)).collect()
        })
    }

    /// What `next` makes of each item and the store so far.
    pub(crate) fn of<T>(items: Vec<T>, next: impl Fn(T, &MemoryStore) -> Vec<Write>) -> Self {
        let model = MemoryStore::new();
        let mut history = Self { commits: Vec::new(), dumps: vec![dump(&model).unwrap()] };
        for item in items {
            let writes = next(item, &model);
            if commit(&model, writes.clone()).is_err() {
                // Writes of one commit may spoil each other: such a commit is none.
                continue;
            }
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

fn random_write(rng: &mut Rng, model: &MemoryStore, size: u64) -> Write {
    let n = rng.below(u64::from(ROOMS)) as u8;
    let list = list_of(n, LISTS[rng.below(LISTS.len() as u64) as usize]);
    let state = block_on(model.lists(list.room)).unwrap().into_iter().find(|state| state.list == list.list);
    let (first, end) = state.map_or((0, 0), |state| (state.first, state.end));
    let bytes = rng.bytes(size);
    match rng.below(14) {
        0 => Write::Truncate { list, from: rng.below(end + 1) },
        1 | 2 => Write::Trim { list, before: rng.below(end + 2) },
        3 => meta(["a", "b"][rng.below(2) as usize], (rng.below(3) > 0).then_some(&bytes)),
        4 if end > first => Write::Append { list, index: first + rng.below(end - first), bytes },
        _ => Write::Append { list, index: end, bytes },
    }
}

/// Rounds of a randomised test: `PEERSYNC_CRASH_ROUNDS`, or the default.
pub(crate) fn rounds(default: u64) -> u64 {
    std::env::var("PEERSYNC_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
