//! One replica of a room: judges, orders and merges operations, and makes its own (SPEC §3, §5, §6).

use std::collections::{BTreeMap, VecDeque};

use super::{
    document::{Documents, EditError, splice},
    judge::{Verdict, judge},
    log::{Log, LogEntry},
    update,
    value::{Attributes, Delta, TextChange},
};
use crate::{
    base::{
        AuthorId, Hash, Hlc, OpId, Refusal, RoomId, Seq, Signer, WallTime, WriterId, hash,
        limits::{
            COALESCE_BYTES, MAX_CLOCK_AHEAD_MS, MAX_EQUIVOCATIONS, MAX_PAYLOAD_BYTES, MAX_ROOM_BYTES, MAX_WAITING,
            MAX_WRITERS,
        },
    },
    wire::{Dep, Header, Kind, Op, OpSource, Reader, put_uvarint},
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
    },
}

struct Author {
    writer: WriterId,
    client: u64,
}

/// A room's operations and documents.
pub struct Replica {
    log: Log,
    policy: Policy,
    signer: Box<dyn Signer>,
    author: Author,
    documents: Option<Documents>,
    waiting: Waiting,
    /// Losing operations of equivocating writers: the proofs.
    proofs: Vec<Op>,
    /// Local updates not yet in an operation.
    pending: Vec<Vec<u8>>,
    clock: Hlc,
    changes: VecDeque<(TextChange, Option<OpId>)>,
    /// Payloads that passed inspection and that yrs still did not take. Zero, or a bug here.
    apply_failures: u64,
}

/// Operations, verified, that wait for others.
#[derive(Default)]
struct Waiting {
    ops: BTreeMap<OpId, (Op, Hash)>,
    blocked: BTreeMap<OpId, Vec<OpId>>,
}

impl Waiting {
    /// Forgets a writer's operations from `id` on: they belong to a branch that lost.
    fn drop_from(&mut self, id: OpId) {
        self.ops.retain(|waiting, _| waiting.writer != id.writer || waiting.seq < id.seq);
    }
}

impl Replica {
    /// An empty replica. `writer` must never have been used by this author before.
    #[must_use]
    pub fn new(room: RoomId, policy: Policy, writer: WriterId, signer: Box<dyn Signer>) -> Self {
        let client = writer.yjs_client_id(room, signer.author());
        Self {
            log: Log::new(room),
            policy,
            signer,
            author: Author { writer, client },
            documents: policy.documents.then(|| Documents::new(client)),
            waiting: Waiting::default(),
            proofs: Vec::new(),
            pending: Vec::new(),
            clock: Hlc::default(),
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
        let waiting = || self.waiting.ops.get(&id).map(|(op, hash)| (*hash, op.header.hlc));
        self.log.context(id).or_else(waiting)
    }

    /// Operations that wait for others.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.ops.len()
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
        if self.waiting.ops.get(&id).is_some_and(|(_, waiting)| *waiting == hash) {
            return Outcome::Known;
        }
        if let Err(refusal) = self.check(&op, trusted) {
            return Outcome::Refused(refusal);
        }
        if id.seq <= self.log.head(id.writer) {
            return self.second_signature(op, hash, wall);
        }
        self.observe_clock(op.header.hlc, wall);
        match self.missing(&op) {
            Err(Unlinked) => Outcome::Unlinked,
            Ok(Some(missing)) if self.waiting.ops.len() >= MAX_WAITING => {
                tracing::debug!(?missing, "no room to wait");
                Outcome::Refused(Refusal::WaitingFull)
            }
            Ok(Some(missing)) => {
                self.waiting.blocked.entry(missing).or_default().push(id);
                self.waiting.ops.insert(id, (op, hash));
                Outcome::Waiting { missing: self.root_of(missing) }
            }
            Ok(None) => Outcome::Delivered(self.deliver(op, hash, wall)),
        }
    }

    /// Takes back what [`Replica::proof_records`] and [`Replica::record`] gave, in that order, at start.
    ///
    /// # Errors
    /// The refusal of a record that is not one of this room's, was changed, or does not follow.
    pub fn restore(&mut self, record: &[u8]) -> Result<(), Refusal> {
        let (tag, bytes) = record.split_first().ok_or(Refusal::Undecodable)?;
        let op = Op::decode(bytes).map_err(|_| Refusal::Undecodable)?;
        self.check(&op, true)?;
        let (id, hash) = (op.header.id(), op.header.hash());
        if *tag == RECORD_PROOF {
            self.log.note_fork(id.writer, id.seq, [Dep::on(id, hash)]);
            self.proofs.push(op);
            return Ok(());
        }
        match self.missing(&op) {
            Ok(None) => drop(self.place(op, hash, None)),
            _ => return Err(Refusal::OutOfOrder),
        }
        Ok(())
    }

    /// What to store for a delivered operation; empty if there is none of that name.
    #[must_use]
    pub fn record(&self, id: OpId) -> Vec<u8> {
        self.log.entry(id).map(|entry| [&[RECORD_OP], entry.op.encode().as_slice()].concat()).unwrap_or_default()
    }

    /// What to store, before all operations, of the proofs against equivocating writers.
    #[must_use]
    pub fn proof_records(&self) -> Vec<Vec<u8>> {
        self.proofs.iter().map(|op| [&[RECORD_PROOF], op.encode().as_slice()].concat()).collect()
    }

    /// Names of the operations in the order in which they were delivered here.
    pub fn delivery_order(&self) -> impl Iterator<Item = OpId> {
        self.log.entries().iter().map(|entry| entry.op.header.id())
    }

    /// The operation delivered last.
    #[must_use]
    pub fn last_delivered(&self) -> Option<OpId> {
        self.log.entries().last().map(|entry| entry.op.header.id())
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
        let newcomer = self.log.writer(header.writer).is_none();
        let full = newcomer && self.log.writer_count() >= MAX_WRITERS;
        let size = header.payload_len as usize + header.deps.len() * 16;
        if full || self.log.bytes() + size > MAX_ROOM_BYTES { Err(Refusal::RoomFull) } else { Ok(()) }
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
        let unmet = header.deps.iter().find(|dep| {
            let known = self.log.entry(dep.id()).is_some_and(|entry| Dep::on(dep.id(), entry.hash) == **dep);
            !known && !self.log.is_dangling(dep)
        });
        Ok(unmet.map(Dep::id))
    }

    /// What the head of a chain of waiting operations waits for.
    fn root_of(&self, mut missing: OpId) -> OpId {
        for _ in 0..MAX_WAITING {
            let Some((op, _)) = self.waiting.ops.get(&missing) else { break };
            match self.missing(op) {
                Ok(Some(next)) => missing = next,
                _ => break,
            }
        }
        let head = self.log.head(missing.writer);
        OpId { writer: missing.writer, seq: missing.seq.min(head + 1) }
    }

    fn deliver(&mut self, op: Op, hash: Hash, wall: WallTime) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        let mut ready = VecDeque::from([(op, hash)]);
        while let Some((op, hash)) = ready.pop_front() {
            let delivery = self.place(op, hash, Some(wall));
            deliveries.push(delivery);
            for blocked in self.waiting.blocked.remove(&delivery.id).unwrap_or_default() {
                let Some((op, hash)) = self.waiting.ops.remove(&blocked) else { continue };
                match self.missing(&op) {
                    Ok(None) => ready.push_back((op, hash)),
                    Ok(Some(missing)) => {
                        self.waiting.blocked.entry(missing).or_default().push(blocked);
                        self.waiting.ops.insert(blocked, (op, hash));
                    }
                    // Its writer forked while it waited; a repair will bring the branch that counts.
                    Err(Unlinked) => {}
                }
            }
        }
        deliveries
    }

    /// Gives an operation its place. `wall` is set when a backend's admission applies.
    fn place(&mut self, mut op: Op, hash: Hash, wall: Option<WallTime>) -> Delivery {
        let id = op.header.id();
        let ahead = |wall: WallTime| op.header.hlc.millis() > wall.0.saturating_add(MAX_CLOCK_AHEAD_MS);
        let void = if self.policy.backend && wall.is_some_and(ahead) {
            op.payload = None;
            Some(Refusal::ClockAhead)
        } else {
            let Verdict { void, clock, low_surrogates, roots, apply } = judge(&self.log, &op);
            if apply && id.writer != self.author.writer {
                self.merge(&op, id, &roots, !low_surrogates.is_empty());
            }
            self.log.append(LogEntry { op, hash, void }, clock, &low_surrogates);
            return Delivery { id, void };
        };
        let clock = self.log.clock_after(id.writer, id.seq - 1);
        self.log.append(LogEntry { op, hash, void }, clock, &[]);
        Delivery { id, void }
    }

    fn merge(&mut self, op: &Op, id: OpId, roots: &std::collections::BTreeSet<String>, astral: bool) {
        let Some(documents) = &mut self.documents else { return };
        let payload = op.payload.as_deref().unwrap_or_default();
        let update = if op.header.kind == Kind::REISSUE { reissued(payload).map_or(payload, |(_, _, inner)| inner) } else { payload };
        if let Err(error) = documents.apply(update, roots, astral) {
            self.apply_failures += 1;
            tracing::debug!(?id, error, "an inspected update was not applied");
        }
        self.changes.extend(documents.take_changes().into_iter().map(|change| (change, Some(id))));
    }

    // ---- equivocation ----

    /// A different operation at a known position.
    fn second_signature(&mut self, op: Op, hash: Hash, wall: WallTime) -> Outcome {
        let id = op.header.id();
        let linked = match id.seq {
            1 => true,
            seq => self.log.context(OpId { seq: seq - 1, ..id }).is_some_and(|(prev, _)| prev == op.header.prev),
        };
        let dep = Dep::on(id, hash);
        if self.log.is_dangling(&dep) {
            return Outcome::Known;
        }
        if !linked {
            // A later operation of another branch: the fork itself lies before.
            if let Some(at) = self.log.fork_of(id.writer) {
                self.log.note_fork(id.writer, at, [dep]);
                if self.proofs.len() < MAX_WAITING {
                    self.proofs.push(op);
                }
                return Outcome::Equivocation { rebuilt: false };
            }
            return Outcome::Unlinked;
        }
        if self.log.equivocations(id.writer) >= MAX_EQUIVOCATIONS {
            return Outcome::Refused(Refusal::Equivocation);
        }
        let Some(existing) = self.log.entry(id) else { return Outcome::Unlinked };
        if existing.hash < hash {
            self.log.note_fork(id.writer, id.seq, [dep]);
            self.log.count_fork(id.writer);
            self.proofs.push(op);
            return Outcome::Equivocation { rebuilt: false };
        }
        self.rebuild_without(id);
        let _ = self.receive(op, wall, true);
        Outcome::Equivocation { rebuilt: true }
    }

    /// Delivers everything again except the writer's operations from `id` on.
    fn rebuild_without(&mut self, id: OpId) {
        let room = self.log.room();
        let mut log = std::mem::replace(&mut self.log, Log::new(room));
        let forks = log.take_forks();
        let before = self.texts();
        self.waiting.drop_from(id);
        let (kept, dropped): (Vec<_>, Vec<_>) = log.into_entries().into_iter().partition(|entry| {
            entry.op.header.writer != id.writer || entry.op.header.seq < id.seq
        });
        self.log.set_forks(forks);
        let losers = dropped.iter().map(|entry| Dep::on(entry.op.header.id(), entry.hash));
        self.log.note_fork(id.writer, id.seq, losers);
        self.log.count_fork(id.writer);
        self.proofs.extend(dropped.into_iter().map(|entry| entry.op));
        if self.policy.documents {
            self.documents = Some(Documents::new(self.author.client));
        }
        for entry in kept {
            self.replay(entry);
        }
        for update in &self.pending {
            if let Some(documents) = &mut self.documents
                && let Ok(summary) = update::inspect(update, self.author.client)
                && documents.apply(update, &summary.roots, !summary.low_surrogates.is_empty()).is_err()
            {
                self.apply_failures += 1;
            }
        }
        self.report_differences(&before);
    }

    /// Places an operation again; one whose deps are gone waits.
    fn replay(&mut self, entry: LogEntry) {
        let (id, own) = (entry.op.header.id(), entry.op.header.writer == self.author.writer);
        match self.missing(&entry.op) {
            Ok(None) => {
                let op = own.then(|| entry.op.clone());
                let delivery = self.place(entry.op, entry.hash, None);
                // Own operations are not merged when placed (they were applied when made); here they must be.
                if let Some(op) = op.filter(|_| delivery.void.is_none())
                    && let Ok(summary) = update::inspect(op.payload.as_deref().unwrap_or_default(), self.author.client)
                {
                    self.merge(&op, id, &summary.roots, !summary.low_surrogates.is_empty());
                }
            }
            Ok(Some(missing)) => {
                self.waiting.blocked.entry(missing).or_default().push(id);
                self.waiting.ops.insert(id, (entry.op, entry.hash));
            }
            Err(Unlinked) => {}
        }
    }

    fn texts(&self) -> BTreeMap<String, String> {
        let Some(documents) = &self.documents else { return BTreeMap::new() };
        documents.names().map(|name| (name.to_owned(), documents.text(name))).collect()
    }

    /// After a rebuild: what an application that shows `before` must change.
    fn report_differences(&mut self, before: &BTreeMap<String, String>) {
        let Some(documents) = &mut self.documents else { return };
        documents.take_changes();
        self.changes.clear();
        for (name, old) in before {
            let new = documents.text(name);
            let (at, deleted, inserted) = splice(old, &new);
            if deleted > 0 || !inserted.is_empty() {
                let delta = splice_delta(at, deleted, inserted);
                self.changes.push_back((TextChange { document: name.clone(), delta }, None));
            }
        }
    }

    // ---- local edits ----

    /// Inserts `text` at `index` (UTF-16 units), with marks if given.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn insert(&mut self, name: &str, index: u32, text: &str, marks: Option<&Attributes>) -> Result<(), EditError> {
        self.edit(|documents| documents.insert(name, index, text, marks))
    }

    /// Deletes `len` units from `index` on.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn delete(&mut self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        self.edit(|documents| documents.delete(name, index, len))
    }

    /// Marks `len` units from `index` on.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn format(&mut self, name: &str, index: u32, len: u32, marks: &Attributes) -> Result<(), EditError> {
        self.edit(|documents| documents.format(name, index, len, marks))
    }

    /// Makes the text equal `new` by one splice.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn replace(&mut self, name: &str, new: &str) -> Result<(), EditError> {
        let old = self.text(name);
        let (at, deleted, inserted) = splice(&old, new);
        if deleted > 0 {
            self.delete(name, at, deleted)?;
        }
        if inserted.is_empty() { Ok(()) } else { self.insert(name, at, inserted, None) }
    }

    fn edit(
        &mut self,
        edit: impl FnOnce(&mut Documents) -> Result<Vec<Vec<u8>>, EditError>,
    ) -> Result<(), EditError> {
        if self.log.bytes() + self.pending_bytes() > MAX_ROOM_BYTES {
            return Err(EditError::RoomFull);
        }
        let documents = self.documents.as_mut().ok_or(EditError::NotAnEditor)?;
        let updates = edit(documents)?;
        let id = OpId { writer: self.author.writer, seq: self.next_seq() };
        let documents = self.documents.as_mut().ok_or(EditError::NotAnEditor)?;
        self.changes.extend(documents.take_changes().into_iter().map(|change| (change, Some(id))));
        self.pending.extend(updates);
        Ok(())
    }

    /// The position that the next local operation will take.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.log.head(self.author.writer) + 1
    }

    /// Whether local edits wait to become an operation.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Bytes of local edits that wait.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending.iter().map(Vec::len).sum()
    }

    /// Whether the waiting edits should not wait longer.
    #[must_use]
    pub fn pending_is_large(&self) -> bool {
        self.pending_bytes() > COALESCE_BYTES
    }

    /// Makes operations of the waiting edits, as few as the payload limit allows, and delivers them here.
    pub fn commit(&mut self, wall: WallTime) -> Vec<Delivery> {
        let pending = std::mem::take(&mut self.pending);
        let mut deliveries = Vec::new();
        for batch in batches(pending) {
            for payload in update::split(&batch, self.author.client, MAX_PAYLOAD_BYTES) {
                deliveries.push(self.make(Kind::YJS, payload, wall));
            }
        }
        deliveries
    }

    /// Issues the payload of this replica's own voided operation `seq` again. `None` if there is none such.
    pub fn reissue(&mut self, seq: Seq, wall: WallTime) -> Option<Delivery> {
        let entry = self.log.entry(OpId { writer: self.author.writer, seq })?;
        let (kind, payload) = (entry.op.header.kind, entry.op.payload.clone()?);
        // A refused reissue names the same original again.
        let payload = if kind == Kind::REISSUE {
            payload
        } else {
            let mut wrapped = Vec::with_capacity(payload.len() + 11);
            put_uvarint(&mut wrapped, seq);
            wrapped.push(kind.0);
            wrapped.extend_from_slice(&payload);
            wrapped
        };
        (payload.len() <= MAX_PAYLOAD_BYTES).then(|| self.make(Kind::REISSUE, payload, wall))
    }

    /// Sets the clock back after a backend said that it was ahead.
    pub fn reset_clock(&mut self) {
        self.clock = Hlc::default();
    }

    fn make(&mut self, kind: Kind, payload: Vec<u8>, wall: WallTime) -> Delivery {
        let writer = self.author.writer;
        self.clock = self.clock.next(wall);
        let header = Header {
            room: self.log.room(),
            author: self.signer.author(),
            writer,
            seq: self.next_seq(),
            prev: self.log.head_of(writer).map_or(Hash::default(), |(_, hash, _)| hash),
            deps: self.log.unseen_heads(writer),
            hlc: self.clock,
            kind,
            auth: None,
            payload_len: payload.len() as u32,
            payload_hash: hash(&payload),
        };
        let hash = header.hash();
        let op = Op::sign(header, payload, self.signer.as_ref());
        self.place(op, hash, None)
    }

    /// Local stamps follow what was seen, but never a stamp that no honest clock would give (SPEC D9).
    fn observe_clock(&mut self, hlc: Hlc, wall: WallTime) {
        if hlc.millis() <= wall.0.saturating_add(MAX_CLOCK_AHEAD_MS) {
            self.clock = self.clock.max(hlc);
        }
    }

    /// Operations of an author whose payload has no effect here, and why.
    pub fn voids_of(&self, author: AuthorId) -> impl Iterator<Item = (OpId, Refusal)> {
        self.log.voids_of(author)
    }

    // ---- reading ----

    /// A text's content; empty if there is none of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.documents.as_ref().map_or_else(String::new, |documents| documents.text(name))
    }

    /// A text's length in UTF-16 units.
    #[must_use]
    pub fn text_len(&self, name: &str) -> u32 {
        self.documents.as_ref().map_or(0, |documents| documents.text_len(name))
    }

    /// A text's content with marks.
    #[must_use]
    pub fn text_delta(&self, name: &str) -> Vec<Delta> {
        self.documents.as_ref().map_or_else(Vec::new, |documents| documents.text_delta(name))
    }

    /// Names of the texts, ascending.
    #[must_use]
    pub fn text_names(&self) -> Vec<String> {
        self.documents.as_ref().map_or_else(Vec::new, |documents| documents.names().map(str::to_owned).collect())
    }

    /// The next change to show, and the operation it came with (none after a rebuild).
    pub fn next_change(&mut self) -> Option<(TextChange, Option<OpId>)> {
        self.changes.pop_front()
    }

    /// Who wrote an operation.
    #[must_use]
    pub fn author_of(&self, writer: WriterId) -> Option<AuthorId> {
        if writer == self.author.writer { Some(self.signer.author()) } else { self.log.author(writer) }
    }

    /// Hash of the canonical visible content (SPEC D12), never of encoded bytes.
    #[must_use]
    pub fn state_hash(&self) -> Hash {
        let mut canonical = String::new();
        for name in self.text_names() {
            let delta = self.text_delta(&name);
            if !delta.is_empty() {
                canonical.push_str(&format!("{name:?}{delta:?}"));
            }
        }
        hash(canonical.as_bytes())
    }
}

/// An operation's `prev` is not the hash of the header before it.
struct Unlinked;

const RECORD_OP: u8 = 0;
const RECORD_PROOF: u8 = 1;

/// The parts of a reissue's payload: original position, kind, bytes.
pub(crate) fn reissued(payload: &[u8]) -> Option<(Seq, Kind, &[u8])> {
    let mut reader = Reader::new(payload);
    let seq = reader.uvarint().ok()?;
    let kind = Kind(reader.u8().ok()?);
    Some((seq, kind, reader.rest()))
}

/// Merges consecutive updates while they fit one payload.
fn batches(updates: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut groups: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut room = 0;
    for update in updates {
        match groups.last_mut().filter(|_| update.len() <= room) {
            Some(group) => {
                room -= update.len();
                group.push(update);
            }
            None => {
                room = (MAX_PAYLOAD_BYTES / 2).saturating_sub(update.len());
                groups.push(vec![update]);
            }
        }
    }
    let merge = |group: Vec<Vec<u8>>| match group.as_slice() {
        [single] => vec![single.clone()],
        many => yrs::merge_updates_v1(many).map_or(group, |merged| vec![merged]),
    };
    groups.into_iter().flat_map(merge).collect()
}

fn splice_delta(at: u32, deleted: u32, inserted: &str) -> Vec<Delta> {
    let mut delta = Vec::new();
    if at > 0 {
        delta.push(Delta::Retain { len: at, attributes: Attributes::new() });
    }
    if !inserted.is_empty() {
        delta.push(Delta::Insert { text: inserted.to_owned(), attributes: Attributes::new() });
    }
    if deleted > 0 {
        delta.push(Delta::Delete { len: deleted });
    }
    delta
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
