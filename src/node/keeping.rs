//! What a room keeps: loading it, storing it, folding it (SPEC §7).

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{
    room::Room,
    spawn::{compute, spawn},
};
use crate::{
    base::{Refusal, RoomId},
    engine::{Batch, Engine, Input, Record, Restored, StoredList},
    storage::{Flush, ListId, ListState, Store, StoreError, Write},
    sync::FoldJob,
};

/// Entries read at once when a room is loaded.
const LOAD_PAGE: usize = 1_024;
/// How often a room is read again because another page folded it while it was read.
const LOAD_ATTEMPTS: usize = 3;

/// Gives an engine what the store has of its room.
///
/// # Errors
/// [`StoreError`]; for a backend `Corrupt` when anything cannot be read or does not follow: acknowledged operations may
/// be behind it.
pub(super) async fn load(engine: &mut Engine, room: RoomId, store: &dyn Store) -> Result<Restored, StoreError> {
    let mut states = store.lists(room).await?;
    let mut lists = Vec::new();
    for _ in 0..LOAD_ATTEMPTS {
        lists = load_lists(room, &states, store).await?;
        // Another page may have folded meanwhile.
        let now = store.lists(room).await?;
        let firsts = |states: &[ListState]| states.iter().map(|state| (state.list, state.first)).collect::<Vec<_>>();
        if firsts(&now) == firsts(&states) {
            break;
        }
        states = now;
    }
    engine.restore(&lists).map_err(|reason| {
        let reason = reason.as_str();
        StoreError::Corrupt(format!("a record of room {room:?} cannot be read or does not follow: {reason}"))
    })
}

async fn load_lists(room: RoomId, states: &[ListState], store: &dyn Store) -> Result<Vec<StoredList>, StoreError> {
    let mut lists = Vec::new();
    for state in states.iter().copied() {
        match load_list(room, state, store).await {
            Ok(list) => lists.push(list),
            // An entry without bytes is one that cannot be read: the engine decides what that means.
            Err(StoreError::Corrupt(error)) => {
                tracing::warn!(%error, ?room, list = state.list, "a stored list is damaged");
                lists.push(StoredList { list: state.list, first: state.first, entries: vec![Vec::new()] });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(lists)
}

async fn load_list(room: RoomId, state: ListState, store: &dyn Store) -> Result<StoredList, StoreError> {
    let ListState { list, first, end } = state;
    let mut entries: Vec<Vec<u8>> = Vec::new();
    loop {
        let from = first + entries.len() as u64;
        if from >= end {
            return Ok(StoredList { list, first, entries });
        }
        let id = ListId { room, list };
        let page = match store.load(id, from, LOAD_PAGE).await {
            // Of a damaged page what is whole.
            Err(StoreError::Corrupt(error)) if end != u64::MAX => {
                tracing::warn!(%error, ?room, list, "a stored list is damaged");
                load_whole(id, from, end.min(from + LOAD_PAGE as u64), store).await?
            }
            page => page?.into_iter().map(|entry| entry.bytes).collect(),
        };
        if page.is_empty() {
            return Ok(StoredList { list, first, entries });
        }
        entries.extend(page);
    }
}

/// Entries `from..end` one by one; those that cannot be read without bytes.
async fn load_whole(id: ListId, from: u64, end: u64, store: &dyn Store) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut entries = Vec::new();
    for index in from..end {
        match store.load(id, index, 1).await {
            Ok(page) => entries.extend(page.into_iter().map(|entry| entry.bytes)),
            Err(StoreError::Corrupt(_)) => entries.push(Vec::new()),
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

impl Room {
    /// Commits are called in order, under the lock; their answers come when they come.
    pub(super) fn persist(self: &Arc<Self>, batch: Batch) {
        let Batch { number, records, strict } = batch;
        let count = records.len() as u64;
        let room = self.id();
        let write = |record| match record {
            Record::Append { list, index, bytes } => Write::Append { list: ListId { room, list }, index, bytes },
            Record::Truncate { list, from } => Write::Truncate { list: ListId { room, list }, from },
            Record::Trim { list, before } => Write::Trim { list: ListId { room, list }, before },
        };
        let flush = if strict { Flush::Strict } else { Flush::Relaxed };
        let commit = self.store().commit(records.into_iter().map(write).collect(), flush);
        let this = Arc::clone(self);
        spawn(async move {
            match commit.await {
                Ok(()) => {
                    this.set_unsaved(false);
                    this.totals().commits.fetch_add(1, Relaxed);
                    this.totals().records.fetch_add(count, Relaxed);
                    this.input(Input::Persisted { batch: number });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot store operations; none of them is acknowledged");
                    let hole = matches!(error, StoreError::Hole { .. });
                    this.note_trouble(error);
                    this.set_unsaved(true);
                    this.totals().commit_failures.fetch_add(1, Relaxed);
                    this.input(Input::PersistFailed { batch: number, hole });
                }
            }
        });
    }

    /// Folds where it keeps nobody waiting.
    pub(super) fn fold(self: &Arc<Self>, job: Box<FoldJob>) {
        let this = Arc::clone(self);
        spawn(async move {
            let result = compute(move || job.run()).await;
            this.input(Input::Folded(result.unwrap_or(Err(Refusal::BadSnapshot))));
        });
    }
}
