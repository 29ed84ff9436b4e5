//! A store that forgets with its process: for tests, and for pages whose user wants no trace.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    Entry, Flush, ListId, ListState, Store, StoreError, StoreFuture, Write,
    lengths::{Bounds, Lengths, Step},
};
use crate::base::RoomId;

/// Lists in ordered maps. Every call takes effect before it returns; the futures are ready.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lists: BTreeMap<ListId, List>,
    meta: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Default)]
struct List {
    bounds: Bounds,
    entries: BTreeMap<u64, Vec<u8>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No step under the lock can leave the maps half changed, so a panic elsewhere does not spoil them.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>> {
        Box::pin(ready(Ok(self.state().lists(room))))
    }

    fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
        Box::pin(ready(Ok(self.state().load(list, from, limit))))
    }

    fn commit(&self, writes: Vec<Write>, _: Flush) -> StoreFuture<()> {
        Box::pin(ready(self.state().commit(&writes)))
    }

    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        Box::pin(ready(Ok(self.state().meta.get(key).cloned())))
    }

    fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>> {
        Box::pin(ready(Ok(self.state().keys(prefix, limit))))
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl State {
    fn lists(&self, room: RoomId) -> Vec<ListState> {
        let range = ListId { room, list: 0 }..=ListId { room, list: u64::MAX };
        let state = |(id, list): (&ListId, &List)| {
            let Bounds { first, end } = list.bounds;
            ListState { list: id.list, first, end }
        };
        self.lists.range(range).map(state).collect()
    }

    fn load(&self, list: ListId, from: u64, limit: usize) -> Vec<Entry> {
        let Some(list) = self.lists.get(&list) else { return Vec::new() };
        let found = list.entries.range(from..).take(limit);
        found.map(|(index, bytes)| Entry { index: *index, bytes: bytes.clone() }).collect()
    }

    fn keys(&self, prefix: &str, limit: usize) -> Vec<String> {
        let from = self.meta.range(prefix.to_owned()..).map(|(key, _)| key);
        from.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect()
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut lengths = Lengths::default();
        let bounds = |list| Ok::<_, StoreError>(self.lists.get(&list).map(|list| list.bounds).unwrap_or_default());
        for step in lengths.follow(writes, bounds)? {
            self.apply(step);
        }
        for (id, bounds) in lengths.into_lists() {
            if bounds == Bounds::default() {
                self.lists.remove(&id);
            } else {
                self.lists.entry(id).or_default().bounds = bounds;
            }
        }
        Ok(())
    }

    fn apply(&mut self, step: Step<'_>) {
        match step {
            Step::Put { list, index, bytes } => {
                _ = self.lists.entry(list).or_default().entries.insert(index, bytes.to_vec());
            }
            Step::Drop { list, range } => {
                if let Some(list) = self.lists.get_mut(&list) {
                    range.for_each(|index| _ = list.entries.remove(&index));
                }
            }
            Step::Meta { key, value: Some(value) } => _ = self.meta.insert(key.to_owned(), value.to_vec()),
            Step::Meta { key, value: None } => _ = self.meta.remove(key),
        }
    }
}
