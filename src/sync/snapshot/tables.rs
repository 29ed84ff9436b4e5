//! What judging needs to know of operations that were folded into a snapshot (SPEC F2): the same verdict must come out
//! as with the whole log.

use std::collections::{BTreeMap, BTreeSet};

use super::runs::{Clocks, Seen};
use crate::{
    base::{
        AuthorId, Hash, Hlc, OpId, Ordered, Refusal, RoomId, Seq, WriterId,
        limits::{MAX_EQUIVOCATIONS, MAX_FOLDED_VOIDS, MAX_PROOFS, MAX_WRITERS, MAX_YJS_CLOCK},
    },
    sync::places::{Place, Places},
    wire::{Kind, Reader, WireError, put_uvarint},
};

/// A writer as far as it was folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriterBase {
    pub(crate) author: AuthorId,
    /// Its last folded operation: position, header's hash, stamp.
    pub(crate) seq: Seq,
    pub(crate) hash: Hash,
    pub(crate) hlc: Hlc,
    pub(crate) clocks: Clocks,
    /// What it had seen by then, over the table.
    pub(crate) seen: Seen,
}

/// A folded operation without effect that was not issued again: what judging its reissue needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoldedVoid {
    pub(crate) reason: Refusal,
    pub(crate) kind: Kind,
    pub(crate) payload_hash: Hash,
}

/// What is known of a writer that signed two operations at one position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fork {
    /// The first such position.
    pub(crate) at: Seq,
    /// Operations of losing branches: position and header's hash.
    pub(crate) dangling: BTreeSet<(Seq, Hash)>,
    /// How often it was caught.
    pub(crate) count: usize,
}

/// Everything but content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    /// Writers in the order in which they first appeared.
    pub(crate) order: Vec<WriterId>,
    pub(crate) writers: BTreeMap<WriterId, WriterBase>,
    pub(crate) voids: BTreeMap<OpId, FoldedVoid>,
    pub(crate) forks: BTreeMap<WriterId, Fork>,
    pub(crate) low_surrogates: BTreeSet<(u64, u64)>,
    pub(crate) types: BTreeSet<(u64, u64)>,
    pub(crate) places: Places,
}

impl Tables {
    /// Heads in the table's order.
    pub(crate) fn heads(&self) -> Vec<Seq> {
        self.order.iter().map(|writer| self.writers.get(writer).map_or(0, |base| base.seq)).collect()
    }

    pub(crate) fn encode(&self, room: RoomId, out: &mut Vec<u8>) {
        put_uvarint(out, self.order.len() as u64);
        for (writer, base) in self.order.iter().filter_map(|writer| Some((writer, self.writers.get(writer)?))) {
            out.extend_from_slice(&writer.0.to_be_bytes());
            out.extend_from_slice(&base.author.0);
            put_uvarint(out, base.seq);
            out.extend_from_slice(&base.hash.0);
            out.extend_from_slice(&base.hlc.0.to_be_bytes());
            base.clocks.encode(out);
            base.seen.encode(out);
        }
        put_uvarint(out, self.voids.len() as u64);
        for (id, void) in &self.voids {
            out.extend_from_slice(&id.writer.0.to_be_bytes());
            put_uvarint(out, id.seq);
            out.extend_from_slice(&[void.reason as u8, void.kind.0]);
            out.extend_from_slice(&void.payload_hash.0);
        }
        // As many as a reader takes.
        let mut left = MAX_PROOFS;
        put_uvarint(out, self.forks.len().min(MAX_PROOFS) as u64);
        for (writer, fork) in self.forks.iter().take(MAX_PROOFS) {
            out.extend_from_slice(&writer.0.to_be_bytes());
            put_uvarint(out, fork.at);
            put_uvarint(out, fork.count.min(MAX_EQUIVOCATIONS) as u64);
            let kept = fork.dangling.len().min(left);
            left -= kept;
            put_uvarint(out, kept as u64);
            for (seq, hash) in fork.dangling.iter().take(kept) {
                put_uvarint(out, *seq);
                out.extend_from_slice(&hash.0);
            }
        }
        let numbers = self.clients(room);
        put_points(out, &self.low_surrogates, &numbers);
        put_points(out, &self.types, &numbers);
        put_places(out, &self.places, &numbers);
    }

    /// Reads what [`Tables::encode`] wrote, and nothing that it could not have written.
    pub(crate) fn decode(room: RoomId, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut tables = Self::default();
        // A writer takes 80 bytes at least.
        let count = reader.length("writers", MAX_WRITERS.min(reader.remaining() / 80))?;
        for _ in 0..count {
            let writer = reader.writer()?;
            let base = read_writer(reader, count)?;
            if matches!(writer.0, 0 | u64::MAX) || tables.writers.insert(writer, base).is_some() {
                return Err(WireError::NotCanonical("writers"));
            }
            tables.order.push(writer);
        }
        tables.read_voids(reader)?;
        tables.read_forks(reader)?;
        let clients: Vec<u64> = tables.client_list(room);
        tables.low_surrogates = read_points(reader, &clients)?;
        tables.types = read_points(reader, &clients)?;
        tables.places = read_places(reader, &clients)?;
        Ok(tables)
    }

    fn read_voids(&mut self, reader: &mut Reader<'_>) -> Result<(), WireError> {
        for _ in 0..reader.length("voids", MAX_FOLDED_VOIDS)? {
            let id = OpId { writer: reader.writer()?, seq: reader.uvarint()? };
            let reason = usize::from(reader.u8()?);
            let reason = Refusal::ALL.get(reason).copied().unwrap_or(Refusal::Unspecified);
            let void = FoldedVoid { reason, kind: Kind(reader.u8()?), payload_hash: reader.hash()? };
            let last = self.voids.last_key_value().map(|(last, _)| *last);
            if last >= Some(id) {
                return Err(WireError::NotCanonical("voids"));
            }
            self.voids.insert(id, void);
        }
        Ok(())
    }

    fn read_forks(&mut self, reader: &mut Reader<'_>) -> Result<(), WireError> {
        let mut left = MAX_PROOFS;
        for _ in 0..reader.length("forks", MAX_PROOFS)? {
            let writer = reader.writer()?;
            let mut fork =
                Fork { at: reader.uvarint()?, count: reader.length("caught", MAX_EQUIVOCATIONS)?, ..Fork::default() };
            let count = reader.length("dangling", left)?;
            left -= count;
            for _ in 0..count {
                fork.dangling.insert((reader.uvarint()?, reader.hash()?));
            }
            if fork.at == 0 || self.forks.insert(writer, fork).is_some() {
                return Err(WireError::NotCanonical("forks"));
            }
        }
        Ok(())
    }

    /// Yjs clocks that the document must have.
    pub(crate) fn clocks(&self, room: RoomId) -> BTreeMap<u64, u64> {
        let clock = |(writer, base): (&WriterId, &WriterBase)| {
            (writer.yjs_client_id(room, base.author), base.clocks.after(base.seq))
        };
        self.writers.iter().map(clock).filter(|(_, clock)| *clock > 0).into_map()
    }

    fn client_list(&self, room: RoomId) -> Vec<u64> {
        let client = |writer: &WriterId| self.writers.get(writer).map(|base| writer.yjs_client_id(room, base.author));
        self.order.iter().filter_map(client).collect()
    }

    /// Places in the table by Yjs client.
    fn clients(&self, room: RoomId) -> BTreeMap<u64, usize> {
        let mut numbers = BTreeMap::new();
        for (number, client) in self.client_list(room).into_iter().enumerate() {
            numbers.entry(client).or_insert(number);
        }
        numbers
    }
}

fn read_writer(reader: &mut Reader<'_>, writers: usize) -> Result<WriterBase, WireError> {
    let author = reader.author()?;
    let seq = reader.uvarint()?;
    let (hash, hlc) = (reader.hash()?, reader.hlc()?);
    if seq == 0 || seq > u64::MAX / 2 || !hlc.in_range() {
        return Err(WireError::NotCanonical("writers"));
    }
    let clocks = Clocks::decode(reader, seq, MAX_YJS_CLOCK)?;
    Ok(WriterBase { author, seq, hash, hlc, clocks, seen: Seen::decode(reader, writers)? })
}

/// Points (client, clock) as: number of the client's change, distance from the last clock of that client.
fn put_points(out: &mut Vec<u8>, points: &BTreeSet<(u64, u64)>, numbers: &BTreeMap<u64, usize>) {
    let known = points.iter().filter_map(|(client, clock)| Some((*numbers.get(client)?, *client, *clock)));
    let known: Vec<_> = known.collect();
    put_uvarint(out, known.len() as u64);
    let mut last = (usize::MAX, 0);
    for (number, _, clock) in known {
        if number != last.0 {
            last = (number, 0);
        }
        put_uvarint(out, number as u64);
        put_uvarint(out, clock - last.1);
        last.1 = clock;
    }
}

fn read_points(reader: &mut Reader<'_>, clients: &[u64]) -> Result<BTreeSet<(u64, u64)>, WireError> {
    let mut points = BTreeSet::new();
    let mut last = (u64::MAX, 0_u64);
    for _ in 0..reader.length("points", reader.remaining() / 2)? {
        let point = read_clock(reader, clients, &mut last)?;
        points.insert(point);
    }
    Ok(points)
}

fn read_clock(reader: &mut Reader<'_>, clients: &[u64], last: &mut (u64, u64)) -> Result<(u64, u64), WireError> {
    let number = reader.uvarint()?;
    let client = usize::try_from(number).ok().and_then(|number| clients.get(number)).copied();
    let client = client.ok_or(WireError::NotCanonical("client"))?;
    if last.0 != number {
        *last = (number, 0);
    }
    let clock = last.1.checked_add(reader.uvarint()?).filter(|clock| *clock <= MAX_YJS_CLOCK);
    last.1 = clock.ok_or(WireError::NotCanonical("clock"))?;
    Ok((client, last.1))
}

fn put_places(out: &mut Vec<u8>, places: &Places, numbers: &BTreeMap<u64, usize>) {
    let runs =
        places.runs().filter_map(|(client, start, end, place)| Some((*numbers.get(&client)?, start, end, place)));
    let runs: Vec<_> = runs.collect();
    put_uvarint(out, runs.len() as u64);
    let mut last = (usize::MAX, 0);
    for (number, start, end, place) in runs {
        if number != last.0 {
            last = (number, 0);
        }
        put_uvarint(out, number as u64);
        put_uvarint(out, start - last.1);
        put_uvarint(out, end - start);
        out.extend_from_slice(&[place.depth, u8::from(place.keyed)]);
        last.1 = start;
    }
}

fn read_places(reader: &mut Reader<'_>, clients: &[u64]) -> Result<Places, WireError> {
    let mut places = Places::default();
    let mut last = (u64::MAX, 0);
    for _ in 0..reader.length("places", reader.remaining() / 5)? {
        let (client, start) = read_clock(reader, clients, &mut last)?;
        let end = start.checked_add(reader.uvarint()?).filter(|end| *end <= MAX_YJS_CLOCK);
        let place = Place { depth: reader.u8()?, keyed: reader.u8()? != 0 };
        places.push(client, start, end.ok_or(WireError::NotCanonical("place"))?, place);
    }
    Ok(places)
}
