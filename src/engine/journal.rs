//! What goes to the store, in which order, and what came back (SPEC §7). Indices have no holes: after a failure
//! everything from the failed record on is submitted again, and nothing behind it counts as persisted before.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    base::{
        LinkId, OpId, Seq, Timestamp, WriterId,
        limits::{PERSIST_BATCH_RECORDS, PERSIST_RETRY_MS},
    },
    sync::Replica,
};

/// One change of the room's stored records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Puts a record at an index, the next one or one that failed before.
    Append {
        /// From 0.
        index: u64,
        /// Opaque.
        bytes: Vec<u8>,
    },
    /// Drops every record from an index on.
    Truncate {
        /// The index.
        from: u64,
    },
}

/// An operation that was stored, and the link it came by.
pub(crate) type Stored = (OpId, Option<LinkId>);

/// What is to be stored: an operation, or a proof by its number.
#[derive(Clone, Copy, Debug)]
enum Queued {
    Op(Stored),
    Proof(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    enabled: bool,
    /// Records before this index are durable or submitted; the queue continues from it.
    next_index: u64,
    queue: VecDeque<Queued>,
    rewrite: bool,
    /// The batch that rewrites the room. Nothing follows it before it has answered.
    rewriting: Option<u64>,
    /// Proofs that are queued or stored.
    proofs: usize,
    in_flight: BTreeMap<u64, (u64, Vec<Queued>)>,
    next_batch: u64,
    retry_at: Option<Timestamp>,
    /// Durable positions by writer.
    persisted: BTreeMap<WriterId, Seq>,
}

impl Journal {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, ..Self::default() }
    }

    /// The durable position of each writer.
    pub(crate) fn marks(&self) -> &BTreeMap<WriterId, Seq> {
        &self.persisted
    }

    pub(crate) fn is_saved(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty() && !self.rewrite
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.retry_at
    }

    pub(crate) fn tick(&mut self, now: Timestamp) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
    }

    /// One record was read back at start.
    pub(crate) fn restored(&mut self, replica: &Replica) {
        self.next_index += 1;
        self.proofs = replica.proofs();
        if let Some(id) = replica.last_delivered() {
            self.persisted.insert(id.writer, id.seq);
        }
    }

    pub(crate) fn delivered(&mut self, id: OpId, from: Option<LinkId>) {
        if self.enabled {
            self.queue.push_back(Queued::Op((id, from)));
        }
    }

    /// Proofs were added: they go before whatever depends on them.
    pub(crate) fn proven(&mut self, proofs: usize) {
        if self.enabled {
            self.queue.extend((self.proofs..proofs).map(Queued::Proof));
        }
        self.proofs = proofs;
    }

    /// The log was rewritten: so must the store be. What is in flight no longer counts.
    pub(crate) fn rebuilt(&mut self, replica: &Replica) {
        if self.enabled {
            self.in_flight.clear();
            self.persisted.clear();
            let ops = replica.delivery_order().map(|id| Queued::Op((id, None)));
            self.proofs = replica.proofs();
            self.queue = (0..self.proofs).map(Queued::Proof).chain(ops).collect();
            self.rewrite = true;
            self.rewriting = None;
        }
    }

    /// The next batch to submit. A rewrite is one batch, however large: half of one would be a damaged room.
    pub(crate) fn poll(&mut self, replica: &Replica) -> Option<(u64, Vec<Record>)> {
        let blocked = self.retry_at.is_some() || self.rewriting.is_some();
        if blocked || (self.queue.is_empty() && !self.rewrite) {
            return None;
        }
        let batch = self.next_batch;
        self.next_batch += 1;
        let mut records = Vec::new();
        let mut count = self.queue.len().min(PERSIST_BATCH_RECORDS);
        if std::mem::take(&mut self.rewrite) {
            records.push(Record::Truncate { from: 0 });
            self.next_index = 0;
            self.rewriting = Some(batch);
            count = self.queue.len();
        }
        let start = self.next_index;
        let queued: Vec<Queued> = self.queue.drain(..count).collect();
        for item in &queued {
            let bytes = match item {
                Queued::Op((id, _)) => replica.record(*id),
                Queued::Proof(number) => replica.proof_record(*number),
            };
            records.push(Record::Append { index: self.next_index, bytes });
            self.next_index += 1;
        }
        self.in_flight.insert(batch, (start, queued));
        Some((batch, records))
    }

    /// A batch is durable. Answers its operations, unless an earlier batch failed.
    pub(crate) fn persisted(&mut self, batch: u64) -> Vec<Stored> {
        if self.rewriting == Some(batch) {
            self.rewriting = None;
        }
        let Some((_, queued)) = self.in_flight.remove(&batch) else { return Vec::new() };
        let ops = queued.into_iter().filter_map(|item| match item {
            Queued::Op(stored) => Some(stored),
            Queued::Proof(_) => None,
        });
        let stored: Vec<Stored> = ops.collect();
        for (id, _) in &stored {
            self.persisted.insert(id.writer, id.seq);
        }
        stored
    }

    /// A batch was not stored: it and everything after it goes again, after a pause.
    pub(crate) fn failed(&mut self, now: Timestamp, batch: u64) {
        let later = self.in_flight.split_off(&batch);
        let Some((start, _)) = later.get(&batch) else {
            self.in_flight.extend(later);
            return;
        };
        self.rewrite |= *start == 0;
        self.rewriting = None;
        self.next_index = *start;
        let again: Vec<Queued> = later.into_values().flat_map(|(_, queued)| queued).collect();
        for item in again.into_iter().rev() {
            self.queue.push_front(item);
        }
        self.retry_at = Some(now.plus(PERSIST_RETRY_MS));
    }
}
