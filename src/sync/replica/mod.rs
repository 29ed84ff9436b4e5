//! One replica of a room: judges, orders and merges operations, and makes its own (SPEC §3, §5, §6).

mod edit;
mod folding;
mod fork;
mod history;
mod read;
mod records;
mod waiting;
mod yjs_edit;

use std::collections::{BTreeMap, VecDeque};

use history::History;
use records::PendingPatch;
use waiting::Waiting;

use super::{
    document::Documents,
    judge::{Effect, Verdict, judge},
    log::{Log, LogEntry, weight},
    records::{Records, Standings},
    snapshot::Content,
    update::UpdateSummary,
    value::Change,
};
use crate::{
    base::{
        Hash, Hlc, OpId, Refusal, RoomId, Seq, Signer, WallTime, WriterId,
        limits::{MAX_CLOCK_AHEAD_MS, MAX_ROOM_BYTES, MAX_WAITING, MAX_WRITERS},
    },
    wire::{Dep, Kind, Op, OpSource, Reader},
};

/// What a replica is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// It admits: a stamp far ahead of its clock becomes a void.
    pub backend: bool,
    /// It merges documents and may edit. A backend only judges, orders and keeps.
    pub documents: bool,
}

/// One operation that took its place in the delivery order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: OpId,
    /// Why its payload is not applied, if it is not.
    pub void: Option<Refusal>,
}

/// What became of a received operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered, with those that had waited for it, in order. Some may have been voided.
    Delivered(Vec<Delivery>),
    /// Already known.
    Known,
    /// Kept until `missing` is here.
    Waiting {
        /// What to ask for.
        missing: OpId,
    },
    /// Not kept.
    Refused(Refusal),
    /// It does not follow the writer's known chain: the writer's whole log, in full form, will tell.
    Unlinked,
    /// The writer signed twice. Proof is kept.
    Equivocation {
        /// Whether the room was rebuilt because the newcomer counts.
        rebuilt: bool,
        /// Operations that had waited for this one.
        deliveries: Vec<Delivery>,
    },
}

struct Author {
    writer: WriterId,
    client: u64,
}

/// A room's operations and documents.
pub struct Replica {
    log: Log,
    /// The snapshot that the log begins with.
    base: Option<Content>,
    /// Own operations that a backend voided and that a snapshot of its covers: their payloads are still to be issued.
    voided: BTreeMap<Seq, Op>,
    /// Counts how often the log was built anew.
    generation: u64,
    policy: Policy,
    signer: Box<dyn Signer>,
    author: Author,
    documents: Option<Documents>,
    records: Records,
    /// The records as applications were told of them, while they have to be built anew from the log.
    stale: Option<Records>,
    /// The last issue of each operation whose records were issued again.
    issues: BTreeMap<OpId, OpId>,
    waiting: Waiting,
    /// Local updates not yet in an operation.
    pending: Vec<Vec<u8>>,
    /// Local writes to records not yet in an operation. They go before the updates.
    patch: PendingPatch,
    /// Own operations that nobody was told of yet.
    made: Vec<Delivery>,
    history: History,
    standings: Standings,
    clock: Hlc,
    /// What was read back has stamps that the clock does not follow yet.
    unobserved: bool,
    changes: VecDeque<(Change, Option<OpId>)>,
    /// Payloads that passed inspection and that yrs still did not take. Zero, or a bug here.
    apply_failures: u64,
}

impl Replica {
    /// An empty replica. `writer` must never have been used by this author before.
    #[must_use]
    pub fn new(room: RoomId, policy: Policy, writer: WriterId, signer: Box<dyn Signer>) -> Self {
        let client = writer.yjs_client_id(room, signer.author());
        Self {
            log: Log::new(room),
            base: None,
            voided: BTreeMap::new(),
            generation: 0,
            policy,
            signer,
            author: Author { writer, client },
            documents: policy.documents.then(|| Documents::new(client)),
            records: Records::default(),
            stale: None,
            issues: BTreeMap::new(),
            waiting: Waiting::default(),
            pending: Vec::new(),
            patch: PendingPatch::default(),
            made: Vec::new(),
            history: History::default(),
            standings: Standings::default(),
            clock: Hlc::default(),
            unobserved: false,
            changes: VecDeque::new(),
            apply_failures: 0,
        }
    }

    /// The operations, for sessions.
    #[must_use]
    pub fn log(&self) -> &impl OpSource {
        &self.log
    }

    /// This replica's own writer.
    #[must_use]
    pub fn writer(&self) -> WriterId {
        self.author.writer
    }

    /// Signs and verifies.
    #[must_use]
    pub fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// Hash and stamp of an operation that was delivered or waits.
    #[must_use]
    pub fn context(&self, id: OpId) -> Option<(Hash, Hlc)> {
        let waiting = || self.waiting.get(id).map(|(op, hash)| (*hash, op.header.hlc));
        self.log.context(id).or_else(waiting)
    }

    /// Operations that wait for others.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of the log, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.log.bytes()
    }

    /// Payloads that passed inspection and that the document still refused.
    #[must_use]
    pub fn apply_failures(&self) -> u64 {
        self.apply_failures
    }

    /// Whether `writer` was caught signing twice.
    #[must_use]
    pub fn is_forked(&self, writer: WriterId) -> bool {
        self.log.fork_of(writer).is_some()
    }

    // ---- receiving ----

    /// Takes an operation from a peer. `wall` is this node's clock; `trusted` says that the peer is the backend,
    /// whose voids count.
    pub fn receive(&mut self, op: Op, wall: WallTime, trusted: bool) -> Outcome {
        let hash = op.header.hash();
        let id = op.header.id();
        if let Some(entry) = self.log.entry(id)
            && entry.hash == hash
        {
            return Outcome::Known;
        }
        if self.waiting.get(id).is_some_and(|(_, waiting)| *waiting == hash) {
            return Outcome::Known;
        }
        let folded = self.log.folded(id.writer);
        if id.seq <= folded {
            // Of the last one it is still known which it was.
            let other = id.seq == folded && self.log.context(id).is_none_or(|(known, _)| known != hash);
            return if other { Outcome::Refused(Refusal::Equivocation) } else { Outcome::Known };
        }
        if let Err(refusal) = self.check(&op, trusted).and_then(|()| self.check_room(&op)) {
            return Outcome::Refused(refusal);
        }
        if id.seq <= self.log.head(id.writer) {
            return self.second_signature(op, hash, wall);
        }
        // What was written here before this was seen gets a stamp from before.
        self.commit_patch();
        self.observe_clock(op.header.hlc, wall);
        match self.missing(&op) {
            // The whole log would not help: what is before is known by its hash only.
            Err(Unlinked) if id.seq == folded + 1 && folded > 0 => Outcome::Refused(Refusal::Equivocation),
            Err(Unlinked) => Outcome::Unlinked,
            Ok(Some(missing)) => {
                if self.waiting.insert(missing, op, hash) {
                    Outcome::Waiting { missing: self.root_of(missing) }
                } else {
                    Outcome::Refused(Refusal::WaitingFull)
                }
            }
            Ok(None) => Outcome::Delivered(self.deliver(vec![(op, hash)], wall)),
        }
    }

    /// Takes back a stored proof ([`Replica::proof_record`]), before operations.
    ///
    /// # Errors
    /// The refusal of one that is not of this room, or was changed.
    pub fn restore_proof(&mut self, op: Op) -> Result<(), Refusal> {
        self.check(&op, true)?;
        let (id, hash) = (op.header.id(), op.header.hash());
        self.log.keep_loser(id.seq, op, hash);
        self.log.count_fork(id.writer);
        Ok(())
    }

    /// Takes back a stored operation, in whatever order. Those whose predecessor or deps are not here wait; answers
    /// what got its place.
    ///
    /// # Errors
    /// The refusal of one that is not of this room, was changed, or does not link.
    pub fn restore(&mut self, op: Op) -> Result<Vec<OpId>, Refusal> {
        self.check(&op, true)?;
        let hash = op.header.hash();
        if op.header.seq <= self.log.head(op.header.writer) {
            return Ok(Vec::new());
        }
        self.unobserved = true;
        // Nobody is shown how a room came to be what it is when it opens.
        self.listen(false);
        let mut ready = VecDeque::from([(op, hash)]);
        let mut restored = Vec::new();
        while let Some((op, hash)) = ready.pop_front() {
            match self.missing(&op) {
                Ok(None) => {
                    let id = self.place(op, hash, Admission::Again).id;
                    restored.push(id);
                    ready.extend(self.waiting.take_blocked(id));
                }
                Ok(Some(missing)) => self.waiting.restore(missing, op, hash),
                Err(Unlinked) => return Err(Refusal::OutOfOrder),
            }
        }
        self.listen(true);
        Ok(restored)
    }

    fn listen(&mut self, listens: bool) {
        if let Some(documents) = &mut self.documents {
            documents.listen(listens);
        }
    }

    /// What to store for a delivered operation; empty if there is none of that name.
    #[must_use]
    pub fn record(&self, id: OpId) -> Vec<u8> {
        self.log.entry(id).map(|entry| [&[RECORD_OP], entry.op.encode().as_slice()].concat()).unwrap_or_default()
    }

    /// What to store of a snapshot.
    #[must_use]
    pub fn snapshot_record(bytes: &[u8]) -> Vec<u8> {
        [&[RECORD_SNAPSHOT], bytes].concat()
    }

    /// How many proofs against equivocating writers there are.
    #[must_use]
    pub fn proofs(&self) -> usize {
        self.log.proofs().len()
    }

    /// What to store of a proof, by its number; before the operations that came after it.
    #[must_use]
    pub fn proof_record(&self, number: usize) -> Vec<u8> {
        let proof = self.log.proofs().get(number);
        proof.map(|op| [&[RECORD_PROOF], op.encode().as_slice()].concat()).unwrap_or_default()
    }

    /// Names of the operations that are here, in the order in which they were delivered.
    pub fn delivery_order(&self) -> impl Iterator<Item = OpId> {
        self.log.entries().iter().map(|entry| entry.op.header.id())
    }

    /// The checks that need no history.
    fn check(&self, op: &Op, trusted: bool) -> Result<(), Refusal> {
        let header = &op.header;
        if header.room != self.log.room() {
            return Err(Refusal::WrongRoom);
        }
        if !op.payload_matches() {
            return Err(Refusal::BadPayload);
        }
        if op.payload.is_none() && !trusted {
            return Err(Refusal::UntrustedVoid);
        }
        if self.log.author(header.writer).is_some_and(|author| author != header.author) {
            return Err(Refusal::WrongAuthor);
        }
        if !header.hlc.in_range() {
            return Err(Refusal::ClockOutOfRange);
        }
        if !op.verify(self.signer.as_ref()) {
            return Err(Refusal::BadSignature);
        }
        Ok(())
    }

    /// Whether the room has space, those that wait included. Not asked of what was stored already.
    fn check_room(&self, op: &Op) -> Result<(), Refusal> {
        let writer = op.header.writer;
        let mut full = self.log.bytes() + self.waiting.bytes() + weight(op) > MAX_ROOM_BYTES;
        if self.log.writer(writer).is_none() {
            let mut newcomers = self.waiting.writers();
            newcomers.insert(writer);
            newcomers.retain(|writer| self.log.writer(*writer).is_none());
            full |= self.log.writer_count() + newcomers.len() > MAX_WRITERS;
        }
        if full { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    /// The first operation that must be delivered before `op`.
    fn missing(&self, op: &Op) -> Result<Option<OpId>, Unlinked> {
        let header = &op.header;
        let (writer, head) = (header.writer, self.log.head(header.writer));
        if header.seq > head + 1 {
            return Ok(Some(OpId { writer, seq: header.seq - 1 }));
        }
        let expected = self.log.head_of(writer).map_or(Hash::default(), |(_, hash, _)| hash);
        if header.prev != expected {
            return Err(Unlinked);
        }
        let unmet = header.deps.iter().find(|dep| !self.log.meets(dep) && !self.log.is_dangling(dep));
        Ok(unmet.map(Dep::id))
    }

    /// What a chain of waiting operations waits for in the end: the first that is not here at all.
    fn root_of(&self, mut missing: OpId) -> OpId {
        for _ in 0..MAX_WAITING {
            missing.seq = missing.seq.min(self.log.head(missing.writer) + 1);
            let waits = self.waiting.get(missing).map(|(op, _)| self.missing(op));
            match waits {
                Some(Ok(Some(next))) => missing = next,
                _ => break,
            }
        }
        missing
    }

    /// Places operations, and those that waited for them, in order.
    fn deliver(&mut self, ready: Vec<(Op, Hash)>, wall: WallTime) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        let mut ready = VecDeque::from(ready);
        while let Some((op, hash)) = ready.pop_front() {
            let delivery = self.place(op, hash, Admission::Now(wall));
            deliveries.push(delivery);
            ready.extend(self.unblocked(delivery.id));
        }
        deliveries
    }

    /// Operations that waited for `id` and need nothing else now.
    fn unblocked(&mut self, id: OpId) -> Vec<(Op, Hash)> {
        let mut ready = Vec::new();
        for (op, hash) in self.waiting.take_blocked(id) {
            match self.missing(&op) {
                Ok(None) => ready.push((op, hash)),
                Ok(Some(missing)) => drop(self.waiting.insert(missing, op, hash)),
                // Its writer forked while it waited; a repair will bring the branch that counts.
                Err(Unlinked) => {}
            }
        }
        ready
    }

    /// Gives an operation its place.
    fn place(&mut self, mut op: Op, hash: Hash, admission: Admission) -> Delivery {
        let id = op.header.id();
        let ahead = match admission {
            Admission::Now(wall) => op.header.hlc.millis() > wall.0.saturating_add(MAX_CLOCK_AHEAD_MS),
            Admission::Own | Admission::Again => false,
        };
        let void = if self.policy.backend && ahead && is_merged_by_clock(&op) {
            op.payload = None;
            Some(Refusal::ClockAhead)
        } else {
            let Verdict { void, clock, update, effect } = judge(&self.log, &op);
            if let Some((seq, ..)) = reissued_of(&op).filter(|_| void.is_none()) {
                self.log.settle_void(OpId { seq, ..id }, op.header.payload_hash);
            }
            // Own edits are in the documents since they were made, but for those that a rebuild left out.
            let is_news = admission != Admission::Own || op.header.kind == Kind::REISSUE;
            match (effect, &update) {
                (Effect::Documents, Some(update)) if is_news => self.merge(&op, id, update),
                (Effect::Records, _) if is_news => self.merge_records(&op),
                _ => {}
            }
            self.log.append(LogEntry { op, hash, void, effect }, clock, update.as_ref());
            return Delivery { id, void };
        };
        let clock = self.log.clock_after(id.writer, id.seq - 1);
        self.log.append(LogEntry { op, hash, void, effect: Effect::Nothing }, clock, None);
        Delivery { id, void }
    }

    fn merge(&mut self, op: &Op, id: OpId, summary: &UpdateSummary) {
        let Some(documents) = &mut self.documents else { return };
        let payload = op.payload.as_deref().unwrap_or_default();
        let update = if op.header.kind == Kind::REISSUE {
            reissued(payload).map_or(payload, |(_, _, inner)| inner)
        } else {
            payload
        };
        if let Err(error) = documents.apply(update, summary) {
            self.apply_failures += 1;
            tracing::debug!(?id, error, "an inspected update was not applied");
        }
        self.changes.extend(documents.take_changes().into_iter().map(|change| (change, Some(id))));
    }
}

/// An operation's `prev` is not the hash of the header before it.
struct Unlinked;

/// How an operation comes to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// Just made here: its effect is in the documents already.
    Own,
    /// From a peer; a backend looks at its stamp.
    Now(WallTime),
    /// It had a place before: read back, or placed anew.
    Again,
}

/// What a stored record is: an operation, a proof, a snapshot.
pub(crate) const RECORD_OP: u8 = 0;
pub(crate) const RECORD_PROOF: u8 = 1;
pub(crate) const RECORD_SNAPSHOT: u8 = 2;

/// Whether a stamp decides anything: Yjs never looks at it, so that a wrong clock must not cost anyone their text.
fn is_merged_by_clock(op: &Op) -> bool {
    let kind = reissued_of(op).map_or(op.header.kind, |(_, kind, _)| kind);
    kind != Kind::YJS
}

fn reissued_of(op: &Op) -> Option<(Seq, Kind, &[u8])> {
    op.payload.as_deref().filter(|_| op.header.kind == Kind::REISSUE).and_then(reissued)
}

/// The parts of a reissue's payload: original position, kind, bytes.
pub(crate) fn reissued(payload: &[u8]) -> Option<(Seq, Kind, &[u8])> {
    let mut reader = Reader::new(payload);
    let seq = reader.uvarint().ok()?;
    let kind = Kind(reader.u8().ok()?);
    Some((seq, kind, reader.rest()))
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica")
            .field("room", &self.log.room())
            .field("ops", &self.log.len())
            .field("writer", &self.author.writer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod folding_tests;
#[cfg(test)]
mod rebuild_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod undo_tests;
#[cfg(test)]
mod yjs_tests;
