//! Folding the oldest operations into tables, and beginning a log with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Log, LogEntry, WriterLog};
use crate::{
    base::{OpId, Ordered, RoomId, Seq, WriterId, limits::MAX_FOLDED_VOIDS},
    sync::snapshot::{FoldedVoid, Seen, Tables, WriterBase},
};

impl Log {
    /// A log that begins with a snapshot: its tables and bytes.
    pub(crate) fn from_tables(room: RoomId, tables: Tables, snapshot: Arc<[u8]>) -> Self {
        let mut log = Self::new(room);
        for (number, writer) in tables.order.iter().enumerate() {
            log.numbers.insert(*writer, number);
        }
        for (writer, base) in &tables.writers {
            let (author, folded) = (base.author, base.seq);
            log.clients.insert(writer.yjs_client_id(room, author), *writer);
            log.writers.insert(*writer, WriterLog { author, folded, entries: Vec::new(), seen_since: BTreeMap::new() });
        }
        log.voids = tables.voids.keys().copied().into_set();
        log.forks = tables.forks.clone();
        log.low_surrogates = tables.low_surrogates.clone();
        log.types = tables.types.clone();
        log.places = tables.places.clone();
        log.bytes = snapshot.len();
        log.base = tables;
        log.snapshot = Some(snapshot);
        log
    }

    /// Tables of everything before place `upto` of the delivery order.
    pub(crate) fn fold(&self, upto: usize) -> Tables {
        let count = upto.saturating_sub(self.first).min(self.entries.len());
        let folded = self.entries.get(..count).unwrap_or_default();
        let mut by_writer: BTreeMap<WriterId, Vec<&LogEntry>> = BTreeMap::new();
        for entry in folded {
            by_writer.entry(entry.op.header.writer).or_default().push(entry);
        }
        let mut order = self.base.order.clone();
        order.extend(self.newcomers.iter().filter(|writer| by_writer.contains_key(writer)));
        let heads: Vec<Seq> = order
            .iter()
            .map(|writer| by_writer.get(writer).map_or(0, |entries| entries.len() as Seq) + self.folded(*writer))
            .collect();
        let numbers: BTreeMap<WriterId, usize> = order.iter().enumerate().map(|(at, writer)| (*writer, at)).into_map();
        let old_heads = self.base.heads();
        let mut tables = Tables { order: order.clone(), ..Tables::default() };
        for writer in order {
            let entries = by_writer.get(&writer).map(Vec::as_slice).unwrap_or_default();
            if let Some(base) = self.fold_writer(writer, entries, &numbers, &heads, &old_heads) {
                tables.writers.insert(writer, base);
            }
        }
        self.fold_rest(&mut tables);
        tables
    }

    fn fold_writer(
        &self,
        writer: WriterId,
        entries: &[&LogEntry],
        numbers: &BTreeMap<WriterId, usize>,
        heads: &[Seq],
        old_heads: &[Seq],
    ) -> Option<WriterBase> {
        let log = self.writers.get(&writer)?;
        let base = self.base.writers.get(&writer);
        let mut seqs = base.map_or_else(Vec::new, |base| base.seen.unpack(old_heads));
        seqs.resize(heads.len(), 0);
        let mut clocks = base.map(|base| base.clocks.clone()).unwrap_or_default();
        for (entry, (_, clock)) in entries.iter().zip(&log.entries) {
            clocks.push(*clock);
            for dep in &entry.op.header.deps {
                let fork = self.forks.get(&dep.writer).filter(|_| self.is_dangling(dep));
                let seen = fork.map_or(dep.seq, |fork| fork.at - 1);
                if let Some(known) = numbers.get(&dep.writer).and_then(|at| seqs.get_mut(*at)) {
                    *known = (*known).max(seen);
                }
            }
        }
        let (seq, hash, hlc) = match (entries.last(), base) {
            (Some(entry), _) => (entry.op.header.seq, entry.hash, entry.op.header.hlc),
            (None, Some(base)) => (base.seq, base.hash, base.hlc),
            (None, None) => return None,
        };
        Some(WriterBase { author: log.author, seq, hash, hlc, clocks, seen: Seen::pack(&seqs, heads) })
    }

    /// Voids, forks and what is known of the Yjs document, as far as it was folded.
    fn fold_rest(&self, tables: &mut Tables) {
        let folded = |writer: &WriterId| tables.writers.get(writer).map_or(0, |base| base.seq);
        for id in self.voids.iter().filter(|id| id.seq <= folded(&id.writer)) {
            let kept = self.entry(*id).and_then(|entry| {
                let header = &entry.op.header;
                Some(FoldedVoid { reason: entry.void?, kind: header.kind, payload_hash: header.payload_hash })
            });
            let void = kept.or_else(|| self.base.voids.get(id).copied());
            // More than that and nobody waits for them any more: their authors were told each time they came.
            if let Some(void) = void.filter(|_| tables.voids.len() < MAX_FOLDED_VOIDS) {
                tables.voids.insert(*id, void);
            }
        }
        let clock_of = |client: u64| {
            let writer = self.clients.get(&client);
            writer.and_then(|writer| tables.writers.get(writer)).map_or(0, |base| base.clocks.after(base.seq))
        };
        let before = |points: &BTreeSet<(u64, u64)>| {
            points.iter().filter(|(client, clock)| *clock < clock_of(*client)).copied().into_set()
        };
        (tables.low_surrogates, tables.types) = (before(&self.low_surrogates), before(&self.types));
        tables.places = self.places.before(clock_of);
        tables.forks = self.forks.clone();
    }

    /// Lets go of what was folded: everything before place `upto`, of which `tables` and `snapshot` were made.
    pub(crate) fn rebase(&mut self, upto: usize, tables: Tables, snapshot: Arc<[u8]>) {
        let count = upto.saturating_sub(self.first).min(self.entries.len());
        let gone: usize = self.entries.drain(..count).map(|entry| super::weight(&entry.op)).sum();
        let before = self.snapshot.as_ref().map_or(0, |bytes| bytes.len());
        self.bytes = (self.bytes + snapshot.len()).saturating_sub(gone + before);
        self.first += count;
        let first = self.first;
        for (writer, log) in &mut self.writers {
            log.entries.retain(|(index, _)| *index >= first);
            log.folded = tables.writers.get(writer).map_or(0, |base| base.seq);
        }
        self.newcomers.retain(|writer| !tables.writers.contains_key(writer));
        self.numbers = tables.order.iter().enumerate().map(|(at, writer)| (*writer, at)).into_map();
        // A void that was settled since is none any more.
        self.base = tables;
        let voids = &self.voids;
        self.base.voids.retain(|id, _| voids.contains(id));
        let base = &self.base;
        let is_kept = |id: &OpId| base.writers.get(&id.writer).is_none_or(|base| id.seq > base.seq);
        self.voids.retain(|id| is_kept(id) || base.voids.contains_key(id));
        self.snapshot = Some(snapshot);
    }
}
