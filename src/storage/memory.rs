//! A store that forgets with its process: for tests, and for pages whose user wants no trace.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Entry, Store, StoreError, StoreFuture, Write, lengths::Lengths};
use crate::base::RoomId;

/// Rooms in ordered maps. Every call takes effect before it returns; the futures are ready.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rooms: BTreeMap<RoomId, Vec<Vec<u8>>>,
    meta: BTreeMap<String, Vec<u8>>,
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
    fn load(&self, room: RoomId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
        Box::pin(ready(Ok(self.state().load(room, from, limit))))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<()> {
        Box::pin(ready(self.state().commit(writes)))
    }

    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        Box::pin(ready(Ok(self.state().meta.get(key).cloned())))
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl State {
    fn load(&self, room: RoomId, from: u64, limit: usize) -> Vec<Entry> {
        let Some(entries) = self.rooms.get(&room) else { return Vec::new() };
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        let found = entries.iter().skip(skip).take(limit);
        (from..).zip(found).map(|(index, bytes)| Entry { index, bytes: bytes.clone() }).collect()
    }

    fn commit(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        Lengths::default().follow(&writes, |room| Ok::<_, StoreError>(self.len(room)))?;
        for write in writes {
            match write {
                Write::Append { room, index, bytes } => self.put(room, index, bytes),
                Write::Truncate { room, from } => self.truncate(room, from),
                Write::Meta { key, value: Some(value) } => _ = self.meta.insert(key, value),
                Write::Meta { key, value: None } => _ = self.meta.remove(&key),
            }
        }
        Ok(())
    }

    fn len(&self, room: RoomId) -> u64 {
        self.rooms.get(&room).map_or(0, |entries| entries.len() as u64)
    }

    /// `index` is at most the room's length, checked before the first change of the commit.
    fn put(&mut self, room: RoomId, index: u64, bytes: Vec<u8>) {
        let entries = self.rooms.entry(room).or_default();
        match usize::try_from(index).ok().and_then(|index| entries.get_mut(index)) {
            Some(entry) => *entry = bytes,
            None => entries.push(bytes),
        }
    }

    fn truncate(&mut self, room: RoomId, from: u64) {
        let Some(entries) = self.rooms.get_mut(&room) else { return };
        entries.truncate(usize::try_from(from).unwrap_or(usize::MAX));
        if entries.is_empty() {
            self.rooms.remove(&room);
        }
    }
}
