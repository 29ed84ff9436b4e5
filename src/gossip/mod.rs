//! Spreads operations between neighbours and finds what got lost: sessions, sequences, acks, repair. No I/O.
//!
//! Each link has a cursor into the room's delivery order; pushing an operation and catching up after an absence are
//! the same walk. A slow link's cursor waits, so that nothing is queued for it: the log already has everything.
//! Follows SPEC §4; the ideas are anti-entropy (Demers et al., 1987) over per-writer version vectors.

mod members;
mod presence;
mod session;
mod snapshots;

use std::collections::{BTreeMap, VecDeque};

use crate::{
    base::{
        AuthorId, Hash, LinkId, NodeId, OpId, Refusal, Seq, Timestamp, WriterId,
        limits::{ACK_DELAY_MS, FOLD_LAG_OPS, LINK_QUEUE_BYTES, MAX_LINKS},
    },
    wire::{
        Ack, BUCKETS, CompactOp, Digest, ExpandError, Frame, Hello, Op, OpSource, VectorEntry, WHOLE, Want, WriterIndex,
    },
};

use members::Members;
use presence::Crowd;
use session::Session;
pub use session::{Neighbour, PeerHello};

/// What the room's sessions want the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write a frame.
    Send {
        /// Where.
        link: LinkId,
        /// Without its length prefix.
        frame: Vec<u8>,
    },
    /// Give the link up.
    Drop {
        /// Which.
        link: LinkId,
        /// Why.
        reason: Refusal,
    },
}

/// All sessions of one room.
#[derive(Debug)]
pub struct Gossip {
    /// This node tells members about each other.
    backend: bool,
    links: BTreeMap<LinkId, Session>,
    members: Members,
    crowd: Crowd,
    out: VecDeque<Output>,
}

impl Gossip {
    /// No sessions yet. A backend tells members about each other.
    #[must_use]
    pub fn new(backend: bool) -> Self {
        Self {
            backend,
            links: BTreeMap::new(),
            members: Members::default(),
            crowd: Crowd::new(backend),
            out: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The earliest moment at which [`Gossip::on_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let links = self.links.values().filter_map(Session::next_deadline).min();
        [links, self.members.deadline(), self.presence_deadline()].into_iter().flatten().min()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether the pinned backend has sent everything it had.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.links.values().any(|session| session.pinned && session.peer_done)
    }

    // ---- links ----

    /// Opens a session; `hello` goes out at once.
    pub fn link_up(&mut self, now: Timestamp, link: LinkId, neighbour: Neighbour, hello: Hello) {
        if self.links.len() >= MAX_LINKS {
            let reason = Refusal::TooManySessions;
            self.out.push_back(Output::Send { link, frame: Frame::Close { reason }.encode() });
            self.out.push_back(Output::Drop { link, reason });
            return;
        }
        let mut session = Session::new(now, link, neighbour);
        session.said_durable = hello.durable.then_some(hello.digest);
        self.links.insert(link, session);
        self.send(link, &Frame::Hello(hello));
    }

    /// Forgets a session. Whether the peer was the pinned backend.
    pub fn link_down(&mut self, now: Timestamp, link: LinkId) -> bool {
        let Some(session) = self.links.remove(&link) else { return false };
        if session.hello.is_some() {
            self.presence_ends(&session.node, session.pinned);
        }
        if self.backend && session.hello.is_some() {
            self.members.leave(now, &session.node);
        }
        session.pinned
    }

    /// Tells the peer why and gives the link up.
    pub fn refuse(&mut self, link: LinkId, reason: Refusal) {
        self.send(link, &Frame::Close { reason });
        self.give_up(link, reason);
    }

    /// Whether the driver was told to end the session.
    #[must_use]
    pub fn has_given_up(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|session| session.given_up)
    }

    /// Once a link: what a peer keeps sending until its stream is closed is no further reason.
    fn give_up(&mut self, link: LinkId, reason: Refusal) {
        if let Some(session) = self.links.get_mut(&link).filter(|session| !session.given_up) {
            session.given_up = true;
            self.out.push_back(Output::Drop { link, reason });
        }
    }

    /// Bytes of a link's frames were written: there is room for more.
    pub fn drained(&mut self, now: Timestamp, link: LinkId, bytes: usize, log: &dyn OpSource) {
        if let Some(session) = self.links.get_mut(&link) {
            session.in_flight = session.in_flight.saturating_sub(bytes);
        }
        self.flush_link(now, link, log);
    }

    /// Links whose peers have said hello.
    pub fn greeted(&self) -> impl Iterator<Item = LinkId> {
        self.links.iter().filter(|(_, session)| session.hello.is_some()).map(|(link, _)| *link)
    }

    /// Whether the link's peer is the pinned backend.
    #[must_use]
    pub fn is_pinned(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|session| session.pinned)
    }

    /// A link's peer, and what its hello said.
    #[must_use]
    pub fn peer(&self, link: LinkId) -> Option<(&NodeId, Option<PeerHello>)> {
        self.links.get(&link).map(|session| (&session.node, session.hello))
    }

    // ---- frames ----

    /// The peer's hello, already verified. `persisted` answers the durable position of a writer here.
    pub fn on_hello(
        &mut self,
        now: Timestamp,
        link: LinkId,
        hello: PeerHello,
        digest: Digest,
        log: &dyn OpSource,
        persisted: &BTreeMap<WriterId, Seq>,
    ) {
        let Some(session) = self.links.get_mut(&link) else { return };
        session.hello = Some(hello);
        session.note_traffic(now);
        let equal = digest == log.digest().short();
        // After a reconnect an author must learn what became durable in the meantime, unless the hello has said it all.
        if !equal || session.said_durable != Some(digest) {
            session.owe_marks_of_author(log, persisted);
        }
        let mut frames = Vec::new();
        if equal {
            session.peer_is_equal(log);
        } else {
            frames = session.compare_frames(now, log);
        }
        if self.backend {
            let node = session.node.clone();
            frames.extend(self.members.everyone());
            self.members.join(now, &node, hello.author);
        }
        self.presence_begins(link);
        for frame in frames {
            self.send(link, &frame);
        }
    }

    /// A piece of the peer's vector.
    pub fn on_vector(
        &mut self,
        now: Timestamp,
        link: LinkId,
        entries: Vec<VectorEntry>,
        last: bool,
        mask: u64,
        log: &dyn OpSource,
    ) {
        let Some(session) = self.links.get_mut(&link) else { return };
        if !session.takes_part(mask) {
            // What it is a part of was lost.
            if session.owes_vector(now) {
                for frame in session.vector_frames(now, log, WHOLE) {
                    self.send(link, &frame);
                }
            }
            return;
        }
        let Some(forks) = session.take_vector(entries, last, mask, log) else {
            self.refuse(link, Refusal::RoomFull);
            return;
        };
        let mut frames: Vec<Frame> =
            forks.into_iter().filter_map(|writer| session.want(now, writer, 1, true)).collect();
        if last && session.owes_vector(now) {
            frames.extend(session.vector_frames(now, log, mask));
        }
        for frame in frames {
            self.send(link, &frame);
        }
    }

    /// A repeated digest: differing replicas exchange vectors. Marks are repeated with it, in case they were lost.
    pub fn on_digest(
        &mut self,
        now: Timestamp,
        link: LinkId,
        digest: Digest,
        log: &dyn OpSource,
        persisted: &BTreeMap<WriterId, Seq>,
    ) {
        let Some(session) = self.links.get_mut(&link) else { return };
        session.owe_marks_of_author(log, persisted);
        if digest == log.digest().short() {
            // Nothing can be missing, even if the peer's own word for it was lost.
            session.peer_done = true;
            return;
        }
        if !session.may_compare(now) {
            return;
        }
        for frame in session.compare_frames(now, log) {
            self.send(link, &frame);
        }
    }

    /// Digests of the peer's vector by bucket.
    pub fn on_ranges(&mut self, now: Timestamp, link: LinkId, ranges: &[u64; BUCKETS], log: &dyn OpSource) {
        let Some(session) = self.links.get_mut(&link) else { return };
        for frame in session.take_ranges(now, ranges, log) {
            self.send(link, &frame);
        }
    }

    /// A piece of a snapshot, from a peer of whom this node takes such. The last one gives the whole.
    pub fn on_snapshot(
        &mut self,
        now: Timestamp,
        link: LinkId,
        total: u64,
        offset: u64,
        piece: &[u8],
    ) -> Option<Vec<u8>> {
        let session = self.links.get_mut(&link).filter(|session| session.pinned || session.kin)?;
        session.note_traffic(now);
        session.snapshots.take_piece(total, offset, piece)
    }

    /// The log begins with another snapshot: every link is looked at anew.
    pub fn on_folded(&mut self, log: &dyn OpSource) {
        for session in self.links.values_mut() {
            session.rewind_all(log);
        }
    }

    /// Whether the link's peer is another page of this browser.
    #[must_use]
    pub fn is_kin(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|session| session.kin)
    }

    /// Whether other pages of this browser are in the room.
    #[must_use]
    pub fn has_kin(&self) -> bool {
        self.links.values().any(|session| session.kin)
    }

    /// Whether this side opened the link.
    #[must_use]
    pub fn is_opener(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|session| session.opener)
    }

    /// Up to which place of the delivery order every link that keeps up has been served.
    #[must_use]
    pub fn served(&self, log: &dyn OpSource) -> usize {
        let near = |cursor: &usize| log.len().saturating_sub(*cursor) < FOLD_LAG_OPS;
        self.links.values().filter_map(Session::served).filter(near).min().unwrap_or_else(|| log.len())
    }

    /// The peer has sent everything it had.
    pub fn on_done(&mut self, link: LinkId) {
        if let Some(session) = self.links.get_mut(&link) {
            session.peer_done = true;
        }
    }

    /// The peer asks for operations again.
    pub fn on_want(&mut self, link: LinkId, want: Want, log: &dyn OpSource) {
        if let Some(session) = self.links.get_mut(&link) {
            session.rewind(want, log);
        }
    }

    /// High-water marks from the peer, as operations.
    pub fn on_ack(&mut self, link: LinkId, marks: &[Ack], log: &dyn OpSource) -> Vec<OpId> {
        let Some(session) = self.links.get_mut(&link) else { return Vec::new() };
        let known = |mark: &Ack| session.acked_writer(mark.writer).filter(|writer| log.head(*writer) > 0);
        let ids = marks.iter().filter_map(|mark| known(mark).map(|writer| OpId { writer, seq: mark.seq }));
        let ids: Vec<OpId> = ids.collect();
        for id in &ids {
            session.peer_has(*id);
        }
        ids
    }

    /// A writer gets its index on a link.
    pub fn on_introduce(&mut self, link: LinkId, index: WriterIndex, writer: WriterId, author: AuthorId) {
        if let Some(session) = self.links.get_mut(&link) {
            session.introduce(index, writer, author);
        }
    }

    /// The writer that an index means on the way in.
    #[must_use]
    pub fn resolve(&self, link: LinkId, index: WriterIndex) -> Option<WriterId> {
        self.links.get(&link)?.resolve(index).map(|(writer, _)| writer)
    }

    /// Rebuilds an operation from its compact form.
    ///
    /// # Errors
    /// [`ExpandError`]: malformed, or something must be known first.
    pub fn expand(
        &self,
        link: LinkId,
        compact: CompactOp,
        log: &dyn OpSource,
        context: impl Fn(OpId) -> Option<(Hash, crate::base::Hlc)>,
    ) -> Result<Op, ExpandError> {
        let session = self.links.get(&link).ok_or(ExpandError::UnknownWriter)?;
        compact.expand(log.room(), |index| session.resolve(index), context)
    }

    // ---- what became of operations ----

    /// The peer has this operation; `new` says that it was news here and is owed a *received*.
    pub fn note_received(&mut self, now: Timestamp, link: LinkId, id: OpId, new: bool) {
        let Some(session) = self.links.get_mut(&link) else { return };
        session.peer_has(id);
        if new {
            // What is known already shows nothing of what may be missing.
            session.note_traffic(now);
            session.owe_received(id, now.plus(ACK_DELAY_MS));
        }
    }

    /// Operations are durable here: whoever brought them, and their authors' nodes, are owed a *persisted*.
    pub fn note_persisted(&mut self, id: OpId, author: Option<AuthorId>, from: Option<LinkId>) {
        for session in self.links.values_mut() {
            let is_author = author.is_some() && session.hello.map(|hello| hello.author) == author;
            if from == Some(session.link) || is_author {
                session.owe_persisted(id);
            }
        }
    }

    /// Asks a link for what is missing, at most once in a while.
    pub fn ask(&mut self, now: Timestamp, link: LinkId, missing: OpId, full: bool) {
        let Some(session) = self.links.get_mut(&link) else { return };
        if let Some(frame) = session.want(now, missing.writer, missing.seq, full) {
            self.send(link, &frame);
        }
    }

    /// More is missing than one writer's gap: vectors are compared again, at most once in a while.
    pub fn ask_everything(&mut self, now: Timestamp, link: LinkId, log: &dyn OpSource) {
        let Some(session) = self.links.get_mut(&link) else { return };
        if session.may_compare(now) {
            for frame in session.compare_frames(now, log) {
                self.send(link, &frame);
            }
        }
    }

    /// The log was rewritten: every link is compared with it from the start, and hears of `writer` in full.
    pub fn on_rebuilt(&mut self, writer: WriterId, log: &dyn OpSource) {
        for session in self.links.values_mut() {
            session.rewind(Want { writer, from: 1, full: true }, log);
            session.rewind_all(log);
        }
    }

    /// One link should have this writer's operations in full form: its branch lost.
    pub fn resend(&mut self, link: LinkId, writer: WriterId, log: &dyn OpSource) {
        self.on_want(link, Want { writer, from: 1, full: true }, log);
    }

    /// Sends one frame, outside the flow of operations.
    pub fn send(&mut self, link: LinkId, frame: &Frame) {
        self.send_bytes(link, frame.encode());
    }

    fn send_bytes(&mut self, link: LinkId, frame: Vec<u8>) {
        let Some(session) = self.links.get_mut(&link).filter(|session| !session.given_up) else { return };
        session.in_flight += frame.len();
        if session.in_flight > LINK_QUEUE_BYTES {
            self.give_up(link, Refusal::SlowPeer);
        } else {
            self.out.push_back(Output::Send { link, frame });
        }
    }

    /// Pushes to every link what it lacks and is ready for, with the acks that are due.
    pub fn flush(&mut self, now: Timestamp, log: &dyn OpSource) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.flush_link(now, link, log);
        }
    }

    fn flush_link(&mut self, now: Timestamp, link: LinkId, log: &dyn OpSource) {
        let open = |session: &&mut Session| session.hello.is_some() && !session.given_up;
        let Some(session) = self.links.get_mut(&link).filter(open) else { return };
        for frame in session.due_acks(now) {
            self.send(link, &frame);
        }
        while let Some(frame) = self.links.get_mut(&link).and_then(|session| session.next_push(now, log)) {
            self.send_bytes(link, frame);
        }
        self.flush_presence(now, link);
    }

    /// Does what is due: retries, digests, members, hellos that never came.
    /// `durable`: everything delivered here is stored.
    pub fn on_timeout(&mut self, now: Timestamp, log: &dyn OpSource, durable: bool) {
        let mut sends = Vec::new();
        let mut late = Vec::new();
        let mut repeats = Vec::new();
        let mut digest = None;
        for (link, session) in &mut self.links {
            if session.hello_overdue(now) {
                late.push(*link);
            }
            sends.extend(session.due_wants(now, log).into_iter().map(|frame| (*link, frame)));
            if session.digest_due(now) {
                sends.push((
                    *link,
                    Frame::Digest { digest: *digest.get_or_insert_with(|| log.digest().short()), durable },
                ));
                repeats.push(*link);
            }
        }
        for frame in self.members.due(now) {
            // Nobody is told that it has come itself.
            let is_about = |session: &Session| match &frame {
                Frame::Members { joined, left, .. } => {
                    left.is_empty() && joined.iter().all(|member| member.node == session.node)
                }
                _ => false,
            };
            let greeted = self.links.iter().filter(|(_, session)| session.hello.is_some() && !is_about(session));
            sends.extend(greeted.map(|(link, _)| (*link, frame.clone())));
        }
        for (link, frame) in sends {
            self.send(link, &frame);
        }
        for link in repeats {
            self.repeat_presence(now, link);
        }
        self.presence_timeout(now);
        for link in late {
            self.refuse(link, Refusal::BadHello);
        }
    }
}
