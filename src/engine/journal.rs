//! What goes to the store, in which order, and what came back (SPEC §7). Each writer's operations are a list of their
//! own, entry `seq - 1`; list 0 has the proofs, and the last list the snapshot, if there is one, at the index that says how
//! much it covers. So several pages can store one room: whoever stores an operation stores the same bytes at the same place,
//! and a snapshot never takes the place of a greater one.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    base::{
        LinkId, OpId, Seq, Timestamp, WriterId,
        limits::{PERSIST_BATCH_RECORDS, PERSIST_RETRY_MAX_MS, PERSIST_RETRY_MS},
    },
    sync::Replica,
    wire::OpSource,
};

/// The list of the room's proofs.
pub const PROOF_LIST: u64 = 0;
/// The list of its snapshot.
pub const SNAPSHOT_LIST: u64 = u64::MAX;

/// One change of the room's stored lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Puts a record at an index: the next one, or one that is there already.
    Append {
        /// The list.
        list: u64,
        /// From 0.
        index: u64,
        /// Opaque.
        bytes: Vec<u8>,
    },
    /// Drops every record from an index on.
    Truncate {
        /// The list.
        list: u64,
        /// The index.
        from: u64,
    },
    /// Drops every record before an index; the list continues there.
    Trim {
        /// The list.
        list: u64,
        /// The index.
        before: u64,
    },
}

/// Records to store, all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub number: u64,
    /// In order.
    pub records: Vec<Record>,
    /// It has something that is nowhere else: it must survive a loss of power too.
    pub strict: bool,
}

/// An operation that was stored, and the link it came by.
pub(crate) type Stored = (OpId, Option<LinkId>);

/// What is to be stored.
#[derive(Clone, Debug)]
enum Queued {
    Op(Stored),
    /// A proof, by its number.
    Proof(usize),
    /// A writer's list has another branch from here on.
    Branch(WriterId, Seq),
    /// A damaged list begins anew.
    Anew(u64),
    /// A snapshot in place of what it covers.
    Snapshot(Arc<[u8]>, Arc<[OpId]>),
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    enabled: bool,
    queue: VecDeque<Queued>,
    /// Proofs that are queued or stored.
    proofs: usize,
    in_flight: BTreeMap<u64, Vec<Queued>>,
    next_batch: u64,
    retry_at: Option<Timestamp>,
    failures: u32,
    /// Durable positions by writer.
    persisted: BTreeMap<WriterId, Seq>,
    /// What is stored is damaged: nothing is added to it until everything is here again.
    broken: bool,
    damaged: BTreeSet<u64>,
}

impl Journal {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, ..Self::default() }
    }

    /// The durable position of each writer.
    pub(crate) fn marks(&self) -> &BTreeMap<WriterId, Seq> {
        &self.persisted
    }

    /// The durable position of one writer.
    pub(crate) fn mark(&self, writer: WriterId) -> Seq {
        self.persisted.get(&writer).copied().unwrap_or(0)
    }

    pub(crate) fn is_saved(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Whether the store did not take something, and has not recovered.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0 || self.broken
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.retry_at
    }

    pub(crate) fn tick(&mut self, now: Timestamp) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
    }

    /// What was read back is stored.
    pub(crate) fn restored(&mut self, replica: &Replica) {
        self.proofs = replica.proofs();
        self.persisted = replica.log().vector().into_iter().map(|(writer, seq, _)| (writer, seq)).collect();
    }

    /// What was read back is damaged: [`Journal::forgotten`] stores everything once it is whole.
    pub(crate) fn damaged(&mut self, lists: BTreeSet<u64>) {
        self.broken = self.enabled;
        self.damaged = lists;
        self.persisted.clear();
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
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

    /// A writer's chain was replaced from `from` on; what stands there now is delivered anew. Nothing of it counts as
    /// stored until then.
    pub(crate) fn rebuilt(&mut self, writer: WriterId, from: Seq, replica: &Replica) {
        if !self.enabled {
            return;
        }
        self.proven(replica.proofs());
        let mark = self.persisted.entry(writer).or_default();
        *mark = (*mark).min(from - 1);
        let fell = |item: &Queued| matches!(item, Queued::Op((id, _)) if id.writer == writer && id.seq >= from);
        self.queue.retain(|item| !fell(item));
        for queued in self.in_flight.values_mut() {
            queued.retain(|item| !fell(item));
        }
        self.queue.push_back(Queued::Branch(writer, from));
        let ops = replica.delivery_order().filter(|id| id.writer == writer && id.seq >= from);
        self.queue.extend(ops.map(|id| Queued::Op((id, None))));
    }

    /// A snapshot was made, or taken over, up to `heads`.
    pub(crate) fn folded(&mut self, bytes: Arc<[u8]>, heads: Vec<OpId>) {
        if self.enabled {
            self.queue.push_back(Queued::Snapshot(bytes, heads.into()));
        }
    }

    /// The store has lost what it had, or what it had was damaged: everything goes again.
    pub(crate) fn forgotten(&mut self, replica: &Replica) {
        if !self.enabled {
            return;
        }
        self.broken = false;
        self.in_flight.clear();
        self.persisted.clear();
        self.queue.clear();
        let mut damaged = std::mem::take(&mut self.damaged);
        if damaged.contains(&SNAPSHOT_LIST) {
            // What it covered was trimmed from the others.
            damaged.extend(replica.log().vector().into_iter().map(|(writer, ..)| writer.0));
        }
        self.queue.extend(damaged.into_iter().map(Queued::Anew));
        if let Some(bytes) = replica.snapshot() {
            self.folded(bytes, replica.log().snapshot_heads());
        }
        self.queue.extend((0..replica.proofs()).map(Queued::Proof));
        self.proofs = replica.proofs();
        self.queue.extend(replica.delivery_order().map(|id| Queued::Op((id, None))));
    }

    /// The next batch to submit.
    pub(crate) fn poll(&mut self, replica: &Replica) -> Option<Batch> {
        if self.retry_at.is_some() || self.broken || self.queue.is_empty() {
            return None;
        }
        let number = self.next_batch;
        self.next_batch += 1;
        let (mut records, mut taken, mut strict) = (Vec::new(), Vec::new(), false);
        while records.len() < PERSIST_BATCH_RECORDS
            && let Some(item) = self.queue.pop_front()
        {
            strict |= matches!(&item, Queued::Op((_, None)));
            if Self::put(&item, replica, &mut records) {
                taken.push(item);
            }
        }
        self.in_flight.insert(number, taken);
        Some(Batch { number, records, strict })
    }

    /// Whether there is anything to store: an operation may have fallen with a losing branch, or been folded, since it
    /// was queued.
    fn put(item: &Queued, replica: &Replica, records: &mut Vec<Record>) -> bool {
        match item {
            Queued::Op((id, _)) => {
                let bytes = replica.record(*id);
                if bytes.is_empty() {
                    return false;
                }
                records.push(Record::Append { list: id.writer.0, index: id.seq - 1, bytes });
            }
            Queued::Proof(number) => {
                let (index, bytes) = (*number as u64, replica.proof_record(*number));
                records.push(Record::Append { list: PROOF_LIST, index, bytes });
            }
            Queued::Anew(list) => {
                records.push(Record::Truncate { list: *list, from: 0 });
                let before = replica.log().folded(WriterId(*list));
                if before > 0 {
                    records.push(Record::Trim { list: *list, before });
                }
            }
            Queued::Branch(writer, from) => {
                records.push(Record::Truncate { list: writer.0, from: from - 1 });
                // A list that loses everything forgets where it began.
                let before = replica.log().folded(*writer);
                if before > 0 {
                    records.push(Record::Trim { list: writer.0, before });
                }
            }
            Queued::Snapshot(bytes, heads) => {
                let covered = heads.iter().fold(0_u64, |sum, head| sum.saturating_add(head.seq));
                let bytes = Replica::snapshot_record(bytes);
                records.push(Record::Trim { list: SNAPSHOT_LIST, before: covered });
                records.push(Record::Append { list: SNAPSHOT_LIST, index: covered, bytes });
                records.extend(heads.iter().map(|head| Record::Trim { list: head.writer.0, before: head.seq }));
            }
        }
        true
    }

    /// A batch is durable. Answers its operations, unless an earlier batch failed.
    pub(crate) fn persisted(&mut self, batch: u64) -> Vec<Stored> {
        let Some(queued) = self.in_flight.remove(&batch) else { return Vec::new() };
        self.failures = 0;
        let mut stored = Vec::new();
        for item in queued {
            let raised: Vec<OpId> = match &item {
                Queued::Op(op) => {
                    stored.push(*op);
                    vec![op.0]
                }
                Queued::Snapshot(_, heads) => heads.to_vec(),
                Queued::Proof(_) | Queued::Branch(..) | Queued::Anew(_) => Vec::new(),
            };
            for id in raised {
                let mark = self.persisted.entry(id.writer).or_default();
                *mark = (*mark).max(id.seq);
            }
        }
        stored
    }

    /// A batch was not stored: it and everything after it goes again, after a pause that grows.
    pub(crate) fn failed(&mut self, now: Timestamp, batch: u64) {
        let later = self.in_flight.split_off(&batch);
        if !later.contains_key(&batch) {
            self.in_flight.extend(later);
            return;
        }
        let again: Vec<Queued> = later.into_values().flatten().collect();
        for item in again.into_iter().rev() {
            self.queue.push_front(item);
        }
        let pause = PERSIST_RETRY_MS.saturating_mul(1 << self.failures.min(6)).min(PERSIST_RETRY_MAX_MS);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.plus(pause));
    }

    /// Whether a batch still waits for its answer: if not, one before it has failed.
    pub(crate) fn is_in_flight(&self, batch: u64) -> bool {
        self.in_flight.contains_key(&batch)
    }
}
