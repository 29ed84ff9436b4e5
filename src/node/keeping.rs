//! What a room keeps: loading it, storing it, folding it (SPEC §7).

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{
    room::Room,
    spawn::{compute, spawn},
};
use crate::{
    base::RoomId,
    engine::{Batch, Engine, Input, Record, Restored, StoredList},
    storage::{Flush, ListId, ListState, Store, StoreError, Write},
    sync::FoldJob,
};

/// Entries read at once when a room is loaded.
const LOAD_PAGE: usize = 1_024;

/// Gives an engine what the store has of its room.
///
/// # Errors
/// [`StoreError`]; for a backend `Corrupt` when anything cannot be read or does not follow: acknowledged operations may
/// be behind it.
pub(super) async fn load(engine: &mut Engine, room: RoomId, store: &dyn Store) -> Result<Restored, StoreError> {
    let mut lists = Vec::new();
    for state in store.lists(room).await? {
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
    engine.restore(&lists).map_err(|reason| {
        let reason = reason.as_str();
        StoreError::Corrupt(format!("a record of room {room:?} cannot be read or does not follow: {reason}"))
    })
}

async fn load_list(room: RoomId, state: ListState, store: &dyn Store) -> Result<StoredList, StoreError> {
    let ListState { list, first, end } = state;
    let mut entries: Vec<Vec<u8>> = Vec::new();
    loop {
        let from = first + entries.len() as u64;
        let page = store.load(ListId { room, list }, from, LOAD_PAGE).await?;
        let full = page.len() == LOAD_PAGE;
        entries.extend(page.into_iter().map(|entry| entry.bytes));
        if !full || from >= end {
            return Ok(StoredList { list, first, entries });
        }
    }
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
            if let Some(result) = compute(move || job.run()).await {
                this.input(Input::Folded(result));
            }
        });
    }
}
