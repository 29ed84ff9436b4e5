//! Verified operations that wait for others, bounded in number and bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{
        Hash, OpId, Ordered, WriterId,
        limits::{MAX_WAITING, MAX_WAITING_BYTES},
    },
    sync::log::weight,
    wire::Op,
};

#[derive(Default)]
pub(super) struct Waiting {
    ops: BTreeMap<OpId, (Op, Hash)>,
    /// Who waits for an operation.
    blocked: BTreeMap<OpId, BTreeSet<OpId>>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, id: OpId) -> Option<&(Op, Hash)> {
        self.ops.get(&id)
    }

    /// Writers of waiting operations.
    pub(super) fn writers(&self) -> BTreeSet<WriterId> {
        self.ops.keys().map(|id| id.writer).into_set()
    }

    /// Keeps an operation until `missing` is there. False when there is no room, or another operation of its name
    /// waits already.
    pub(super) fn insert(&mut self, missing: OpId, op: Op, hash: Hash) -> bool {
        let (id, size) = (op.header.id(), weight(&op));
        let full = self.ops.len() >= MAX_WAITING || self.bytes + size > MAX_WAITING_BYTES;
        if full || self.ops.contains_key(&id) {
            return false;
        }
        self.bytes += size;
        self.ops.insert(id, (op, hash));
        self.blocked.entry(missing).or_default().insert(id);
        true
    }

    /// Takes out everything that waited for `id`.
    pub(super) fn take_blocked(&mut self, id: OpId) -> Vec<(Op, Hash)> {
        let blocked = self.blocked.remove(&id).unwrap_or_default();
        blocked.into_iter().filter_map(|blocked| self.take(blocked)).collect()
    }

    /// Takes out everything, ascending by name.
    pub(super) fn take_all(&mut self) -> Vec<(Op, Hash)> {
        self.blocked.clear();
        self.bytes = 0;
        std::mem::take(&mut self.ops).into_values().collect()
    }

    /// Keeps what was stored, whatever its number: it was taken once.
    pub(super) fn restore(&mut self, missing: OpId, op: Op, hash: Hash) {
        let id = op.header.id();
        self.bytes += weight(&op);
        self.ops.insert(id, (op, hash));
        self.blocked.entry(missing).or_default().insert(id);
    }

    /// Forgets a writer's operations from `id` on: they belong to a branch that lost.
    pub(super) fn drop_from(&mut self, id: OpId) {
        let range = id..=OpId { seq: u64::MAX, ..id };
        let dropped: Vec<OpId> = self.ops.range(range).map(|(waiting, _)| *waiting).collect();
        for waiting in dropped {
            self.take(waiting);
            self.blocked.retain(|_, blocked| {
                blocked.remove(&waiting);
                !blocked.is_empty()
            });
        }
    }

    fn take(&mut self, id: OpId) -> Option<(Op, Hash)> {
        let taken = self.ops.remove(&id)?;
        self.bytes -= weight(&taken.0);
        Some(taken)
    }
}
