//! A room's operations in delivery order, and each writer's chain (SPEC §3, §6). The oldest may have been folded into a
//! snapshot: of them there is left what judging the others needs.

mod fold;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    judge::Effect,
    places::Places,
    snapshot::{Fork, Tables},
    update::UpdateSummary,
};
use crate::{
    base::{AuthorId, Hash, Hlc, OpId, Refusal, RoomId, Seq, WriterId, hash_parts},
    wire::{Dep, Kind, Op, OpSource},
};

/// A delivered operation.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    /// The operation; without payload if a backend refused it.
    pub(crate) op: Op,
    /// Hash of its header.
    pub(crate) hash: Hash,
    /// Why its payload is not applied, if it is not.
    pub(crate) void: Option<Refusal>,
    /// Into what it was merged when it got its place.
    pub(crate) effect: Effect,
}

/// What is known of one writer.
#[derive(Clone, Debug)]
pub(crate) struct WriterLog {
    pub(crate) author: AuthorId,
    /// Up to where it was folded.
    folded: Seq,
    /// Place in the delivery order, and Yjs clock reached, after each position that was not folded.
    entries: Vec<(usize, u64)>,
    /// Latest position of each other writer that this one had seen, beyond what its first operation, or the tables, say.
    seen_since: BTreeMap<WriterId, Seq>,
}

/// What a reissue needs to know of the operation that it issues again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Original {
    pub(crate) is_void: bool,
    /// Unknown if it was folded with its effect.
    pub(crate) payload: Option<(Kind, Hash)>,
}

/// All of a room's delivered operations.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    room: RoomId,
    /// What was folded, and its bytes.
    base: Tables,
    snapshot: Option<Arc<[u8]>>,
    /// Places of the folded writers in the tables.
    numbers: BTreeMap<WriterId, usize>,
    /// Place of the first entry in the delivery order: those before it were folded here.
    first: usize,
    entries: Vec<LogEntry>,
    /// Writers that are not in the tables, in the order in which they appeared.
    newcomers: Vec<WriterId>,
    writers: BTreeMap<WriterId, WriterLog>,
    clients: BTreeMap<u64, WriterId>,
    low_surrogates: BTreeSet<(u64, u64)>,
    types: BTreeSet<(u64, u64)>,
    places: Places,
    forks: BTreeMap<WriterId, Fork>,
    voids: BTreeSet<OpId>,
    /// Places of what must not go to others yet.
    held: BTreeSet<usize>,
    /// Losing operations: the proofs against their writers.
    proofs: Vec<Op>,
    bytes: usize,
}

impl Log {
    pub(crate) fn new(room: RoomId) -> Self {
        Self {
            room,
            base: Tables::default(),
            snapshot: None,
            numbers: BTreeMap::new(),
            first: 0,
            entries: Vec::new(),
            newcomers: Vec::new(),
            writers: BTreeMap::new(),
            clients: BTreeMap::new(),
            low_surrogates: BTreeSet::new(),
            types: BTreeSet::new(),
            places: Places::default(),
            forks: BTreeMap::new(),
            voids: BTreeSet::new(),
            held: BTreeSet::new(),
            proofs: Vec::new(),
            bytes: 0,
        }
    }

    /// Bytes of all operations, roughly as stored.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn writer_count(&self) -> usize {
        self.writers.len()
    }

    pub(crate) fn writer(&self, writer: WriterId) -> Option<&WriterLog> {
        self.writers.get(&writer)
    }

    pub(crate) fn writer_of_client(&self, client: u64) -> Option<WriterId> {
        self.clients.get(&client).copied()
    }

    pub(crate) fn entry(&self, id: OpId) -> Option<&LogEntry> {
        self.kept(self.index_of(id)?)
    }

    /// The entry at a place of the delivery order, unless it was folded.
    fn kept(&self, index: usize) -> Option<&LogEntry> {
        self.entries.get(index.checked_sub(self.first)?)
    }

    fn kept_mut(&mut self, index: usize) -> Option<&mut LogEntry> {
        self.entries.get_mut(index.checked_sub(self.first)?)
    }

    /// The last folded position of a writer; 0 if none was.
    pub(crate) fn folded(&self, writer: WriterId) -> Seq {
        self.base.writers.get(&writer).map_or(0, |base| base.seq)
    }

    /// Whether an operation that was folded, or is here, is the one that a dep names. Of those before the last folded
    /// one the hash is no longer known.
    pub(crate) fn meets(&self, dep: &Dep) -> bool {
        match self.base.writers.get(&dep.writer) {
            Some(base) if dep.seq < base.seq => true,
            Some(base) if dep.seq == base.seq => Dep::on(dep.id(), base.hash) == *dep,
            _ => self.entry(dep.id()).is_some_and(|entry| Dep::on(dep.id(), entry.hash) == *dep),
        }
    }

    /// What a reissue of `id` would issue again.
    pub(crate) fn original(&self, id: OpId) -> Option<Original> {
        if let Some(entry) = self.entry(id) {
            let payload = Some((entry.op.header.kind, entry.op.header.payload_hash));
            return Some(Original { is_void: entry.void.is_some(), payload });
        }
        if let Some(void) = self.base.voids.get(&id) {
            return Some(Original { is_void: true, payload: Some((void.kind, void.payload_hash)) });
        }
        (1..=self.folded(id.writer)).contains(&id.seq).then_some(Original { is_void: false, payload: None })
    }

    /// Whether an operation has no effect.
    pub(crate) fn is_void(&self, id: OpId) -> bool {
        self.void_reason(id).is_some()
    }

    /// Why an operation has no effect.
    pub(crate) fn void_reason(&self, id: OpId) -> Option<Refusal> {
        let folded = || self.base.voids.get(&id).map(|void| void.reason);
        self.entry(id).map_or_else(folded, |entry| entry.void)
    }

    pub(crate) fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// The last stamp of each writer that was folded.
    pub(crate) fn folded_stamps(&self) -> impl Iterator<Item = Hlc> {
        self.base.writers.values().map(|base| base.hlc)
    }

    /// The entries before a place of the delivery order.
    pub(crate) fn before(&self, upto: usize) -> &[LogEntry] {
        let count = upto.saturating_sub(self.first).min(self.entries.len());
        self.entries.get(..count).unwrap_or_default()
    }

    /// Takes over what another log of the room knows of forks.
    pub(crate) fn inherit_forks(&mut self, other: &mut Self) {
        for (writer, fork) in std::mem::take(&mut other.forks) {
            let known = self.forks.entry(writer).or_insert_with(|| Fork { at: fork.at, ..Fork::default() });
            known.at = known.at.min(fork.at);
            known.count = known.count.max(fork.count);
            known.dangling.extend(fork.dangling);
        }
        self.proofs.append(&mut other.proofs);
        self.bytes += self.proofs.iter().map(weight).sum::<usize>();
    }

    /// Hash of a writer's last header, its stamp and position.
    pub(crate) fn head_of(&self, writer: WriterId) -> Option<(Seq, Hash, Hlc)> {
        let log = self.writers.get(&writer)?;
        let Some((index, _)) = log.entries.last() else {
            return self.base.writers.get(&writer).map(|base| (base.seq, base.hash, base.hlc));
        };
        let entry = self.kept(*index)?;
        Some((entry.op.header.seq, entry.hash, entry.op.header.hlc))
    }

    /// The Yjs clock that `writer` had reached after its position `seq`; 0 before its first.
    pub(crate) fn clock_after(&self, writer: WriterId, seq: Seq) -> u64 {
        if let Some(base) = self.base.writers.get(&writer).filter(|base| seq <= base.seq) {
            return base.clocks.after(seq);
        }
        let Some(log) = self.writers.get(&writer) else { return 0 };
        log.place(seq).and_then(|place| log.entries.get(place)).map_or(0, |(_, clock)| *clock)
    }

    /// The last position of `target` that `writer` had seen, counting `deps` of the operation being judged. Deps on
    /// a losing branch count only up to the fork.
    pub(crate) fn covered(&self, writer: WriterId, deps: &[Dep], target: WriterId) -> Seq {
        let find = |deps: &[Dep]| {
            let dep = deps.binary_search_by_key(&target, |dep| dep.writer).ok().and_then(|at| deps.get(at))?;
            Some(if self.is_dangling(dep) { self.fork_of(target).map_or(0, |at| at - 1) } else { dep.seq })
        };
        let Some(log) = self.writers.get(&writer) else { return find(deps).unwrap_or(0) };
        let at_first = match self.base.writers.get(&writer) {
            Some(base) => self.numbers.get(&target).map_or(0, |place| base.seen.at(*place, self.folded(target))),
            None => {
                let first = log.entries.first().and_then(|(index, _)| self.kept(*index));
                first.and_then(|entry| find(&entry.op.header.deps)).unwrap_or(0)
            }
        };
        let since = log.seen_since.get(&target).copied().unwrap_or(0);
        find(deps).unwrap_or(0).max(at_first).max(since)
    }

    /// Heads of other writers that `writer` has not named in its deps yet, ascending.
    pub(crate) fn unseen_heads(&self, writer: WriterId) -> Vec<Dep> {
        let others = self.writers.keys().filter(|other| **other != writer);
        let heads = others.filter_map(|other| {
            let (seq, hash, _) = self.head_of(*other)?;
            Some(Dep::on(OpId { writer: *other, seq }, hash))
        });
        heads.filter(|head| self.covered(writer, &[], head.writer) < head.seq).collect()
    }

    /// A voided operation's payload took effect by a reissue, of that payload: so did those of its issues that were
    /// void before.
    pub(crate) fn settle_void(&mut self, id: OpId, reissue: Hash) {
        let is_issue = |void: &OpId| {
            let kept = self.entry(*void).map(|entry| (entry.op.header.kind, entry.op.header.payload_hash));
            let folded = || self.base.voids.get(void).map(|void| (void.kind, void.payload_hash));
            void.writer == id.writer && kept.or_else(folded) == Some((Kind::REISSUE, reissue))
        };
        let own = OpId { seq: 0, ..id }..=OpId { seq: Seq::MAX, ..id };
        let mut settled: Vec<OpId> = self.voids.range(own).filter(|void| is_issue(void)).copied().collect();
        settled.push(id);
        for id in settled {
            self.voids.remove(&id);
            self.base.voids.remove(&id);
        }
    }

    /// Takes an operation's effect away. Whether it had one.
    pub(crate) fn void(&mut self, id: OpId, reason: Refusal) -> bool {
        let Some(entry) = self.index_of(id).and_then(|index| self.kept_mut(index)) else { return false };
        let had_effect = entry.void.is_none();
        entry.void.get_or_insert(reason);
        had_effect
    }

    /// Keeps an operation, and those behind it, from others until it is released.
    pub(crate) fn hold(&mut self, id: OpId) {
        self.held.extend(self.index_of(id));
    }

    /// Whether it was held.
    pub(crate) fn release(&mut self, id: OpId) -> bool {
        self.index_of(id).is_some_and(|index| self.held.remove(&index))
    }

    /// Whether others may know of an operation.
    fn is_forwardable(&self, id: OpId) -> bool {
        self.index_of(id).is_none_or(|index| !self.held.contains(&index))
    }

    /// Operations that a backend took away for their stamp and whose author has not issued them again, ascending.
    pub(crate) fn clock_voids(&self) -> impl Iterator<Item = OpId> {
        let ahead = |id: &&OpId| self.void_reason(**id) == Some(Refusal::ClockAhead);
        self.voids.iter().filter(ahead).filter(|id| self.is_forwardable(**id)).copied()
    }

    /// Voided operations of an author that were not issued again, with their reasons, ascending.
    pub(crate) fn voids_of(&self, author: AuthorId) -> impl Iterator<Item = (OpId, Refusal)> {
        let own =
            self.voids.iter().filter(move |id| self.author(id.writer) == Some(author) && self.is_forwardable(**id));
        own.filter_map(|id| Some((*id, self.void_reason(*id)?)))
    }

    /// Where `writer` signed twice first.
    pub(crate) fn fork_of(&self, writer: WriterId) -> Option<Seq> {
        self.forks.get(&writer).map(|fork| fork.at)
    }

    /// At how many positions `writer` was caught.
    pub(crate) fn equivocations(&self, writer: WriterId) -> usize {
        self.forks.get(&writer).map_or(0, |fork| fork.count)
    }

    /// Whether a dep names an operation of a losing branch.
    pub(crate) fn is_dangling(&self, dep: &Dep) -> bool {
        self.forks.get(&dep.writer).is_some_and(|fork| fork.dangling.contains(&(dep.seq, dep.hash)))
    }

    /// Keeps an operation that lost: its branch left the chain at position `at` of its writer.
    pub(crate) fn keep_loser(&mut self, at: Seq, op: Op, hash: Hash) {
        let fork = self.forks.entry(op.header.writer).or_insert_with(|| Fork { at, ..Fork::default() });
        fork.at = fork.at.min(at);
        if fork.dangling.insert((op.header.seq, hash)) {
            self.bytes += weight(&op);
            self.proofs.push(op);
        }
    }

    pub(crate) fn proofs(&self) -> &[Op] {
        &self.proofs
    }

    /// Counts one caught position.
    pub(crate) fn count_fork(&mut self, writer: WriterId) {
        if let Some(fork) = self.forks.get_mut(&writer) {
            fork.count += 1;
        }
    }

    /// Starts anew from what was folded, with what is known of forks.
    pub(crate) fn restart(&mut self) -> Vec<LogEntry> {
        let mut fresh = match self.snapshot.take() {
            Some(bytes) => Self::from_tables(self.room, std::mem::take(&mut self.base), bytes),
            None => Self::new(self.room),
        };
        fresh.forks = std::mem::take(&mut self.forks);
        fresh.proofs = std::mem::take(&mut self.proofs);
        fresh.bytes += fresh.proofs.iter().map(weight).sum::<usize>();
        std::mem::replace(self, fresh).entries
    }

    /// Appends an operation that follows its writer's chain. `clock` is the writer's Yjs clock after it, `update` what
    /// it does to the Yjs document, if anything.
    pub(crate) fn append(&mut self, entry: LogEntry, clock: u64, update: Option<&UpdateSummary>) {
        let header = &entry.op.header;
        let index = self.len();
        let client = header.writer.yjs_client_id(self.room, header.author);
        let newcomers = &mut self.newcomers;
        let log = self.writers.entry(header.writer).or_insert_with(|| {
            newcomers.push(header.writer);
            WriterLog { author: header.author, folded: 0, entries: Vec::new(), seen_since: BTreeMap::new() }
        });
        if !log.entries.is_empty() || log.folded > 0 {
            for dep in &header.deps {
                let fork = self.forks.get(&dep.writer).filter(|fork| fork.dangling.contains(&(dep.seq, dep.hash)));
                let seen = log.seen_since.entry(dep.writer).or_default();
                *seen = (*seen).max(fork.map_or(dep.seq, |fork| fork.at - 1));
            }
        }
        log.entries.push((index, clock));
        self.clients.insert(client, header.writer);
        if entry.void.is_some() {
            self.voids.insert(header.id());
        }
        if let Some(update) = update {
            self.low_surrogates.extend(update.low_surrogates.iter().map(|at| (client, *at)));
            self.types.extend(update.types.iter().map(|at| (client, *at)));
            self.places.extend(&update.places);
        }
        self.bytes += weight(&entry.op);
        self.entries.push(entry);
    }

    /// Where items hang.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// Whether a struct holds a shared type.
    pub(crate) fn is_type(&self, client: u64, clock: u64) -> bool {
        self.types.contains(&(client, clock))
    }

    /// Whether a struct boundary at `clock` of `client` would cut a surrogate pair.
    pub(crate) fn splits_surrogates(&self, client: u64, clock: u64) -> bool {
        self.low_surrogates.contains(&(client, clock))
    }
}

impl OpSource for Log {
    fn room(&self) -> RoomId {
        self.room
    }

    fn len(&self) -> usize {
        self.first + self.entries.len()
    }

    fn first(&self) -> usize {
        self.first
    }

    fn forwardable(&self) -> usize {
        self.held.first().copied().unwrap_or_else(|| self.len())
    }

    fn at(&self, index: usize) -> Option<&Op> {
        self.kept(index).map(|entry| &entry.op)
    }

    fn index_of(&self, id: OpId) -> Option<usize> {
        let log = self.writers.get(&id.writer)?;
        log.entries.get(log.place(id.seq)?).map(|(index, _)| *index)
    }

    fn head(&self, writer: WriterId) -> Seq {
        let log = self.writers.get(&writer);
        log.map_or(0, |log| log.folded + log.entries.len() as Seq)
    }

    fn context(&self, id: OpId) -> Option<(Hash, Hlc)> {
        let folded = || self.base.writers.get(&id.writer).filter(|base| base.seq == id.seq);
        let kept = self.entry(id).map(|entry| (entry.hash, entry.op.header.hlc));
        kept.or_else(|| folded().map(|base| (base.hash, base.hlc)))
    }

    fn folded(&self, writer: WriterId) -> Seq {
        Self::folded(self, writer)
    }

    fn snapshot(&self) -> Option<Arc<[u8]>> {
        self.snapshot.clone()
    }

    fn snapshot_heads(&self) -> Vec<OpId> {
        self.base.writers.iter().map(|(writer, base)| OpId { writer: *writer, seq: base.seq }).collect()
    }

    fn loser(&self, dep: &Dep) -> Option<&Op> {
        let lost = |op: &&Op| op.header.id() == dep.id() && op.header.hash() == dep.hash;
        if self.is_dangling(dep) { self.proofs.iter().find(lost) } else { None }
    }

    fn author(&self, writer: WriterId) -> Option<AuthorId> {
        self.writers.get(&writer).map(|log| log.author)
    }

    fn vector(&self) -> Vec<(WriterId, Seq, Hash)> {
        let heads = self.writers.keys().filter_map(|writer| {
            let (seq, hash, _) = self.head_of(*writer)?;
            Some((*writer, seq, hash))
        });
        heads.collect()
    }

    fn digest(&self) -> Hash {
        let mut bytes = Vec::with_capacity(self.writers.len() * 48);
        for (writer, seq, hash) in self.vector() {
            bytes.extend_from_slice(&writer.0.to_be_bytes());
            bytes.extend_from_slice(&seq.to_be_bytes());
            bytes.extend_from_slice(&hash.0);
        }
        hash_parts(&[b"peersync/vector/v1", &bytes])
    }
}

impl WriterLog {
    /// Where a position is among the entries.
    fn place(&self, seq: Seq) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.folded)?.checked_sub(1)?).ok()
    }
}

/// Bytes an operation takes in memory, roughly.
pub(crate) fn weight(op: &Op) -> usize {
    320 + op.header.deps.len() * 48 + op.header.payload_len as usize
}
