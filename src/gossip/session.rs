//! One session with one neighbour: what it has, what it was sent, what it is owed (SPEC §4).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    presence::{Hearing, Telling},
    snapshots::Snapshots,
};
use crate::{
    base::{
        AuthorId, Hash, LinkId, NodeId, OpId, Ordered, Seq, Timestamp, WriterId, hash_parts,
        limits::{
            DIGEST_INTERVAL_MS, DIGEST_LATEST_MS, HELLO_TIMEOUT_MS, LINK_WINDOW_BYTES, MAX_INTRODUCED, MAX_PROOFS,
            MAX_WANTS, OPS_FRAME_BYTES, RANGE_WRITERS, VECTOR_FRAME_ENTRIES, VECTOR_REPLY_MS, WANT_RETRY_MS,
        },
        note,
    },
    wire::{Ack, BUCKETS, Dep, Digest, Frame, OpSource, VectorEntry, WHOLE, Want, WriterIndex, bucket},
};

/// What the peer's hello said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerHello {
    /// On whose behalf it speaks, proven.
    pub author: AuthorId,
    /// Whether it makes operations durable.
    pub persists: bool,
    /// Whether it takes snapshots from here.
    pub trusts: bool,
}

/// Who is at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its proven transport id.
    pub node: NodeId,
    /// It is the backend that this node dialed by its address.
    pub pinned: bool,
    /// It is another page of this browser, trusted as one's own store is.
    pub kin: bool,
    /// This side opened the stream.
    pub opener: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: LinkId,
    pub(crate) node: NodeId,
    /// The peer is the backend that this node pinned by its address.
    pub(crate) pinned: bool,
    /// The peer is another page of this browser.
    pub(crate) kin: bool,
    /// This side opened the stream.
    pub(crate) opener: bool,
    pub(crate) hello: Option<PeerHello>,
    hello_deadline: Timestamp,
    /// Indices given to writers on the way out, and learnt on the way in.
    out_index: BTreeMap<WriterId, WriterIndex>,
    out_writers: Vec<WriterId>,
    /// Writers whose introduction the peer has, as far as this side knows.
    introduced: BTreeSet<WriterId>,
    in_index: BTreeMap<WriterIndex, (WriterId, AuthorId)>,
    in_writers: BTreeMap<WriterId, WriterIndex>,
    /// Every operation up to here the peer has, or was sent.
    peer_has: BTreeMap<WriterId, Seq>,
    /// The peer's vector is known, so that pushing makes sense.
    ready: bool,
    incoming_vector: Vec<VectorEntry>,
    vector_sent: Option<Timestamp>,
    ranges_sent: Option<Timestamp>,
    /// What the peer has in the buckets that were equal.
    equal: Option<BTreeMap<WriterId, Seq>>,
    /// The digest that this side's hello called durable.
    pub(crate) said_durable: Option<Digest>,
    pub(super) snapshots: Snapshots,
    /// Next place of the delivery order to look at.
    cursor: usize,
    /// Writers the peer wants in full form.
    full: BTreeSet<WriterId>,
    /// Losing operations that this peer was sent as proof.
    proofs_sent: BTreeSet<Hash>,
    /// Send `Done` when the cursor gets here.
    done_owed: Option<usize>,
    /// The peer has sent everything it had.
    pub(crate) peer_done: bool,
    /// Bytes handed to the driver and not yet written.
    pub(crate) in_flight: usize,
    /// The driver was told to end it: nothing more is said or heard here.
    pub(crate) given_up: bool,
    /// Marks owed: received (after a delay), persisted (at once).
    received_owed: BTreeMap<WriterId, Seq>,
    received_deadline: Option<Timestamp>,
    persisted_owed: BTreeMap<WriterId, Seq>,
    wants: BTreeMap<WriterId, (Want, Timestamp)>,
    digest_deadline: Timestamp,
    /// When it is repeated however much comes in.
    digest_latest: Timestamp,
    pub(super) telling: Telling,
    pub(super) hearing: Hearing,
}

impl Session {
    pub(crate) fn new(now: Timestamp, link: LinkId, neighbour: Neighbour) -> Self {
        let Neighbour { node, pinned, kin, opener } = neighbour;
        Self {
            link,
            node,
            pinned,
            kin,
            opener,
            hello: None,
            hello_deadline: now.plus(HELLO_TIMEOUT_MS),
            out_index: BTreeMap::new(),
            out_writers: Vec::new(),
            introduced: BTreeSet::new(),
            in_index: BTreeMap::new(),
            in_writers: BTreeMap::new(),
            peer_has: BTreeMap::new(),
            ready: false,
            incoming_vector: Vec::new(),
            vector_sent: None,
            ranges_sent: None,
            equal: None,
            said_durable: None,
            snapshots: Snapshots::default(),
            cursor: 0,
            full: BTreeSet::new(),
            proofs_sent: BTreeSet::new(),
            done_owed: None,
            peer_done: false,
            in_flight: 0,
            given_up: false,
            received_owed: BTreeMap::new(),
            received_deadline: None,
            persisted_owed: BTreeMap::new(),
            wants: BTreeMap::new(),
            digest_deadline: now.plus(DIGEST_INTERVAL_MS),
            digest_latest: now.plus(DIGEST_LATEST_MS),
            telling: Telling::default(),
            hearing: Hearing::default(),
        }
    }

    // ---- learning what the peer has ----

    /// The peer's hello carried our own digest: it has exactly what we have.
    pub(crate) fn peer_is_equal(&mut self, log: &dyn OpSource) {
        self.peer_has = log.vector().into_iter().map(|(writer, seq, _)| (writer, seq)).into_map();
        self.ready = true;
        self.cursor = log.len();
        // It knows that as well as this side does.
        self.done_owed = None;
        self.peer_done = true;
    }

    /// Takes a piece of the peer's vector. With the last one, answers the writers whose chains differ; nothing at all
    /// for a vector of more writers than a room has.
    pub(crate) fn take_vector(
        &mut self,
        entries: Vec<VectorEntry>,
        last: bool,
        mask: u64,
        log: &dyn OpSource,
    ) -> Option<Vec<WriterId>> {
        if self.incoming_vector.len() + entries.len() > MAX_INTRODUCED {
            return None;
        }
        self.incoming_vector.extend(entries);
        if !last {
            return Some(Vec::new());
        }
        let vector = std::mem::take(&mut self.incoming_vector);
        let mut peer_has = self.equal.take().unwrap_or_default();
        peer_has.retain(|writer, _| mask & (1 << bucket(*writer)) == 0);
        let forked = |entry: &VectorEntry| {
            let id = OpId { writer: entry.writer, seq: entry.seq };
            log.context(id).is_some_and(|(hash, _)| hash.0[..16] != entry.hash)
        };
        let forks = vector.iter().filter(|entry| forked(entry)).map(|entry| entry.writer).collect();
        peer_has.extend(vector.into_iter().map(|entry| (entry.writer, entry.seq)));
        self.peer_has = peer_has;
        self.snapshots.look();
        // A peer that sends its vector again may have missed introductions.
        self.introduced.clear();
        self.ready = true;
        self.cursor = 0;
        self.done_owed = Some(log.len());
        Some(forks)
    }

    /// Whether the peer's vector should be answered with ours.
    pub(crate) fn owes_vector(&self, now: Timestamp) -> bool {
        self.vector_sent.is_none_or(|sent| now.since(sent) >= VECTOR_REPLY_MS)
    }

    /// How a comparison begins: with the vector, or where that is long with digests of its buckets.
    pub(crate) fn compare_frames(&mut self, now: Timestamp, log: &dyn OpSource) -> Vec<Frame> {
        let vector = log.vector();
        if vector.len() <= RANGE_WRITERS {
            return self.vector_frames(now, log, WHOLE);
        }
        self.ranges_sent = Some(now);
        vec![Frame::Ranges(ranges(&vector))]
    }

    /// Whether a comparison may begin: not right after the last.
    pub(crate) fn may_compare(&self, now: Timestamp) -> bool {
        self.owes_vector(now) && self.ranges_sent.is_none_or(|sent| now.since(sent) >= VECTOR_REPLY_MS)
    }

    /// The peer's digests by bucket: what this side has in those that differ.
    pub(crate) fn take_ranges(&mut self, now: Timestamp, theirs: &[u64; BUCKETS], log: &dyn OpSource) -> Vec<Frame> {
        let vector = log.vector();
        let ours = ranges(&vector);
        let differing = ours.iter().zip(theirs).enumerate().filter(|(_, (ours, theirs))| ours != theirs);
        let mask = differing.fold(0, |mask, (number, _)| mask | 1 << number);
        if mask == 0 {
            self.peer_is_equal(log);
            return Vec::new();
        }
        let equal = vector.iter().filter(|(writer, ..)| mask & (1 << bucket(*writer)) == 0);
        self.equal = Some(equal.map(|(writer, seq, _)| (*writer, *seq)).into_map());
        // Whoever has the whole vector already needs no part of it.
        if self.owes_vector(now) { self.vector_frames(now, log, mask) } else { Vec::new() }
    }

    /// Whether a part of a vector makes sense: what is outside of it is known.
    pub(crate) fn takes_part(&self, mask: u64) -> bool {
        mask == WHOLE || self.equal.is_some()
    }

    /// The vector, or its buckets of `mask`.
    pub(crate) fn vector_frames(&mut self, now: Timestamp, log: &dyn OpSource, mask: u64) -> Vec<Frame> {
        self.vector_sent = Some(now);
        let mut vector = log.vector();
        vector.retain(|(writer, ..)| mask & (1 << bucket(*writer)) != 0);
        if vector.is_empty() {
            return vec![Frame::Vector { entries: Vec::new(), last: true, mask }];
        }
        let pieces = vector.chunks(VECTOR_FRAME_ENTRIES);
        let last = pieces.len() - 1;
        let frame = |(at, piece): (usize, &[(WriterId, Seq, Hash)])| Frame::Vector {
            entries: piece.iter().map(|(writer, seq, hash)| vector_entry(*writer, *seq, *hash)).collect(),
            last: at == last,
            mask,
        };
        pieces.enumerate().map(frame).collect()
    }

    /// The peer showed that it has everything of the writer up to `seq`.
    pub(crate) fn peer_has(&mut self, id: OpId) {
        let known = self.peer_has.entry(id.writer).or_default();
        *known = (*known).max(id.seq);
    }

    pub(crate) fn introduce(&mut self, index: WriterIndex, writer: WriterId, author: AuthorId) {
        // Repeating an introduction is harmless; changing one is not done.
        let free = !self.in_index.contains_key(&index) && !self.in_writers.contains_key(&writer);
        if free && self.in_index.len() < MAX_INTRODUCED {
            self.in_index.insert(index, (writer, author));
            self.in_writers.insert(writer, index);
        }
    }

    pub(crate) fn resolve(&self, index: WriterIndex) -> Option<(WriterId, AuthorId)> {
        self.in_index.get(&index).copied()
    }

    /// Which writer an ack's index means: one of ours, since the receiver of an ack introduced it.
    pub(crate) fn acked_writer(&self, writer: Result<WriterIndex, WriterId>) -> Option<WriterId> {
        match writer {
            Err(writer) => Some(writer),
            Ok(index) => usize::try_from(index).ok().and_then(|index| self.out_writers.get(index)).copied(),
        }
    }

    /// The peer asks for a writer's operations again.
    pub(crate) fn rewind(&mut self, want: Want, log: &dyn OpSource) {
        if log.head(want.writer) == 0 {
            return;
        }
        if want.full {
            self.full.insert(want.writer);
        }
        self.introduced.clear();
        // What was folded cannot be sent as operations; whether the peer lacks it, vectors tell.
        let from = want.from.max(log.folded(want.writer) + 1);
        self.peer_has.insert(want.writer, from - 1);
        if let Some(index) = log.index_of(OpId { writer: want.writer, seq: from }) {
            self.cursor = self.cursor.min(index);
        }
    }

    /// Up to where this link was served; none before it is known what the peer has.
    pub(crate) fn served(&self) -> Option<usize> {
        self.ready.then_some(self.cursor)
    }

    /// Looks at the whole delivery order again.
    pub(crate) fn rewind_all(&mut self, log: &dyn OpSource) {
        self.cursor = 0;
        self.done_owed = self.done_owed.map(|_| log.len());
        self.snapshots.look();
    }

    // ---- sending ----

    /// The next frame of operations the peer lacks, while its window has room. `Done` once it has all it was owed.
    pub(crate) fn next_push(&mut self, now: Timestamp, log: &dyn OpSource) -> Option<Vec<u8>> {
        if !self.ready || self.in_flight >= LINK_WINDOW_BYTES {
            return None;
        }
        if self.cursor < log.first() {
            // Folded before it was sent, or never needed.
            self.snapshots.look();
            self.cursor = log.first();
        }
        let trusts = self.hello.is_some_and(|hello| hello.trusts);
        if !self.snapshots.offer(now, &mut self.peer_has, trusts, log) {
            self.done_owed = None;
        }
        if let Some(piece) = self.snapshots.next_piece(now, &mut self.peer_has) {
            self.note_traffic(now);
            return Some(piece.encode());
        }
        let mut frame = Frame::start_ops();
        let empty = frame.len();
        while self.cursor < log.forwardable() && frame.len() < OPS_FRAME_BYTES {
            self.push_one(log, &mut frame);
            self.cursor += 1;
        }
        if frame.len() > empty {
            self.note_traffic(now);
            return Some(frame);
        }
        let done = self.done_owed.is_some_and(|owed| self.cursor >= owed);
        if done {
            self.done_owed = None;
            return Some(Frame::Done.encode());
        }
        None
    }

    fn push_one(&mut self, log: &dyn OpSource, frame: &mut Vec<u8>) {
        let Some(op) = log.at(self.cursor) else { return };
        let id = op.header.id();
        let has = self.peer_has.get(&id.writer).copied().unwrap_or(0);
        // Either it is there already, or what it follows was folded here and cannot be sent.
        if has >= id.seq || has < log.folded(id.writer) {
            return;
        }
        self.peer_has.insert(id.writer, id.seq);
        note!(op = %id, link = self.link.0, peer = ?self.node, "sent");
        let mut on_loser = false;
        for loser in op.header.deps.iter().filter_map(|dep| log.loser(dep)) {
            // Whoever has only the winning branch could not make sense of this dep.
            on_loser = true;
            if self.proofs_sent.len() < MAX_PROOFS && self.proofs_sent.insert(loser.header.hash()) {
                Frame::put_full(frame, loser);
            }
        }
        // Of what was folded the hashes are not known any more that a compact form leaves out.
        let folded = |dep: &Dep| dep.seq < log.folded(dep.writer);
        if on_loser || self.full.contains(&id.writer) || op.header.deps.iter().any(folded) {
            Frame::put_full(frame, op);
            return;
        }
        for writer in op.header.deps.iter().map(|dep| dep.writer).chain([id.writer]) {
            if !self.introduced.contains(&writer)
                && let Some(author) = log.author(writer)
            {
                let index = self.index_for(writer);
                self.introduced.insert(writer);
                Frame::put_introduce(frame, index, writer, author);
            }
        }
        let previous = log.context(OpId { seq: id.seq - 1, ..id }).map(|(_, hlc)| hlc);
        let index_of = |writer| self.out_index.get(&writer).copied();
        if Frame::put_compact(frame, op, previous, index_of).is_err() {
            Frame::put_full(frame, op);
        }
    }

    /// A writer keeps its index for the whole session.
    fn index_for(&mut self, writer: WriterId) -> WriterIndex {
        if let Some(index) = self.out_index.get(&writer) {
            return *index;
        }
        let index = self.out_writers.len() as WriterIndex;
        self.out_index.insert(writer, index);
        self.out_writers.push(writer);
        index
    }

    // ---- acknowledging ----

    pub(crate) fn owe_received(&mut self, id: OpId, deadline: Timestamp) {
        raise(&mut self.received_owed, id);
        self.received_deadline.get_or_insert(deadline);
    }

    pub(crate) fn owe_persisted(&mut self, id: OpId) {
        raise(&mut self.persisted_owed, id);
    }

    /// Every durable position of the peer's author.
    pub(crate) fn owe_marks_of_author(&mut self, log: &dyn OpSource, persisted: &BTreeMap<WriterId, Seq>) {
        let Some(hello) = self.hello else { return };
        for (writer, seq) in persisted.iter().filter(|(writer, _)| log.author(**writer) == Some(hello.author)) {
            self.owe_persisted(OpId { writer: *writer, seq: *seq });
        }
    }

    /// Marks that are due, as frames. A persisted mark makes the received one superfluous.
    pub(crate) fn due_acks(&mut self, now: Timestamp) -> Vec<Frame> {
        if self.in_flight >= LINK_WINDOW_BYTES {
            return Vec::new();
        }
        let mut frames = Vec::new();
        let persisted = std::mem::take(&mut self.persisted_owed);
        self.trace_acks(true, &persisted);
        for (writer, seq) in &persisted {
            if self.received_owed.get(writer).is_some_and(|owed| owed <= seq) {
                self.received_owed.remove(writer);
            }
        }
        if !persisted.is_empty() {
            frames.push(Frame::Ack { persisted: true, marks: self.marks(persisted) });
        }
        if self.received_owed.is_empty() {
            self.received_deadline = None;
        } else if self.received_deadline.is_some_and(|deadline| deadline <= now) {
            self.received_deadline = None;
            let received = std::mem::take(&mut self.received_owed);
            self.trace_acks(false, &received);
            frames.push(Frame::Ack { persisted: false, marks: self.marks(received) });
        }
        frames
    }

    fn trace_acks(&self, persisted: bool, marks: &BTreeMap<WriterId, Seq>) {
        for (&writer, &seq) in marks {
            note!(op = %OpId { writer, seq }, link = self.link.0, peer = ?self.node, persisted, "acknowledged");
        }
    }

    fn marks(&self, owed: BTreeMap<WriterId, Seq>) -> Vec<Ack> {
        let index = |writer: WriterId| self.in_writers.get(&writer).copied().ok_or(writer);
        owed.into_iter().map(|(writer, seq)| Ack { writer: index(writer), seq }).collect()
    }

    // ---- asking ----

    /// A request for what is missing, unless the same was asked a moment ago.
    pub(crate) fn want(&mut self, now: Timestamp, writer: WriterId, from: Seq, full: bool) -> Option<Frame> {
        let asked = self.wants.get(&writer);
        if asked.is_some_and(|(want, deadline)| want.from <= from && want.full >= full && *deadline > now) {
            return None;
        }
        if asked.is_none() && self.wants.len() >= MAX_WANTS {
            return None;
        }
        let want = Want { writer, from, full };
        self.wants.insert(writer, (want, now.plus(WANT_RETRY_MS)));
        Some(Frame::Want(want))
    }

    /// Requests whose answer is overdue, again; answered ones are forgotten.
    pub(crate) fn due_wants(&mut self, now: Timestamp, log: &dyn OpSource) -> Vec<Frame> {
        self.wants.retain(|writer, (want, deadline)| {
            // Another branch than the one that is here does not show in the head: such a request is made once.
            let answered = log.head(*writer) >= want.from;
            !(answered && (!want.full || *deadline <= now))
        });
        let mut frames = Vec::new();
        for (want, deadline) in self.wants.values_mut().filter(|(_, deadline)| *deadline <= now) {
            *deadline = now.plus(WANT_RETRY_MS);
            frames.push(Frame::Want(*want));
        }
        frames
    }

    // ---- time ----

    pub(crate) fn note_traffic(&mut self, now: Timestamp) {
        self.digest_deadline = now.plus(DIGEST_INTERVAL_MS).min(self.digest_latest);
    }

    /// Whether it is time to compare digests.
    pub(crate) fn digest_due(&mut self, now: Timestamp) -> bool {
        let due = self.hello.is_some() && self.digest_deadline <= now;
        if due {
            self.digest_deadline = now.plus(DIGEST_INTERVAL_MS);
            self.digest_latest = now.plus(DIGEST_LATEST_MS);
        }
        due
    }

    pub(crate) fn hello_overdue(&self, now: Timestamp) -> bool {
        self.hello.is_none() && self.hello_deadline <= now
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let hello = self.hello.is_none().then_some(self.hello_deadline);
        let digest = self.hello.is_some().then_some(self.digest_deadline);
        let wants = self.wants.values().map(|(_, deadline)| *deadline).min();
        // A link that does not read is owed its marks when it reads again; until then the moment must not stand in
        // the past, or the driver would do nothing but look at it.
        let received = self.received_deadline.filter(|_| self.in_flight < LINK_WINDOW_BYTES);
        [hello, digest, wants, received].into_iter().flatten().min()
    }
}

fn raise(marks: &mut BTreeMap<WriterId, Seq>, id: OpId) {
    let mark = marks.entry(id.writer).or_default();
    *mark = (*mark).max(id.seq);
}

fn vector_entry(writer: WriterId, seq: Seq, hash: Hash) -> VectorEntry {
    VectorEntry { writer, seq, hash: hash.short() }
}

/// Digests of a vector, by bucket: the first 8 bytes of a hash over its lines.
fn ranges(vector: &[(WriterId, Seq, Hash)]) -> Box<[u64; BUCKETS]> {
    let mut lines = vec![Vec::new(); BUCKETS];
    for (writer, seq, hash) in vector {
        if let Some(lines) = lines.get_mut(bucket(*writer)) {
            lines.extend_from_slice(&writer.0.to_be_bytes());
            lines.extend_from_slice(&seq.to_be_bytes());
            lines.extend_from_slice(&hash.0);
        }
    }
    let mut digests = Box::new([0; BUCKETS]);
    for (digest, lines) in digests.iter_mut().zip(lines) {
        let mut start = [0; 8];
        start.copy_from_slice(&hash_parts(&[b"peersync/ranges/v1", &lines]).0[..8]);
        *digest = u64::from_be_bytes(start);
    }
    digests
}
