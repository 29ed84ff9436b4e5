//! One room of one node: composes the cores `sync` and `gossip`. No I/O, no clock, no randomness: everything enters
//! by [`Engine::handle_input`] and the edit methods, everything leaves by [`Engine::poll_output`].
//!
//! The contract is str0m's and quinn's: after each call, poll outputs until `None`, then wait for input or for
//! [`Engine::poll_timeout`].

mod clock;
mod edit;
mod edit_records;
mod envelope;
mod event;
mod journal;
mod presence;
mod receive;
mod safety;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    base::{
        LinkId, NodeId, OpId, Refusal, RoomId, Seq, Signer, Timestamp, WallTime, WriterId, limits::MAX_EVENTS, note,
    },
    gossip::{self, Gossip, Neighbour},
    sync::{Delivery, FoldJob, FoldResult, Policy, Replica},
    wire::{Hello, OpSource},
};

use clock::WallClock;
pub use envelope::{Envelope, envelopes};
pub use event::{Durability, Event, Origin, Stats};
use journal::Journal;
pub use journal::{Batch, PROOF_LIST, Record, SNAPSHOT_LIST};
pub use safety::SyncStatus;
use snapshot::Folding;
pub use snapshot::{FoldLimits, Restored, StoredList};

/// What a room's engine is.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The room.
    pub room: RoomId,
    /// This node's transport id.
    pub node: NodeId,
    /// Admits, keeps for others, tells members about each other.
    pub backend: bool,
    /// Has documents and may edit.
    pub documents: bool,
    /// Operations are given to a durable store, and *persisted* is claimed.
    pub persists: bool,
    /// Shown to backends in the hello.
    pub token: Vec<u8>,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A stream to a neighbour opened. `pinned`: it is the backend that this node dialed by its address.
    LinkUp {
        /// Number of the link, never used before.
        link: LinkId,
        /// The peer's proven transport id.
        node: NodeId,
        /// Whether it is the backend.
        pinned: bool,
        /// Whether it is another page of this browser: trusted as one's own store is.
        kin: bool,
        /// Whether this side opened the stream.
        opener: bool,
    },
    /// It closed, whatever the reason.
    LinkDown {
        /// The link.
        link: LinkId,
    },
    /// A whole frame came in, without its length prefix.
    Frame {
        /// The link.
        link: LinkId,
        /// At most `MAX_FRAME_BYTES`.
        bytes: Vec<u8>,
    },
    /// So many bytes of frames were written to the stream.
    Drained {
        /// The link.
        link: LinkId,
        /// Without length prefixes.
        bytes: usize,
    },
    /// A batch of records is durable.
    Persisted {
        /// Its number.
        batch: u64,
    },
    /// It could not be stored; the engine will try again.
    PersistFailed {
        /// Its number.
        batch: u64,
        /// The store lacks what was stored before: it has lost it.
        hole: bool,
    },
    /// What [`Output::Fold`] asked for is done.
    Folded(Result<FoldResult, Refusal>),
    /// What the wall clock says now.
    Wall(WallTime),
    /// [`Engine::poll_timeout`] has passed.
    Timeout,
}

/// What the driver must do.
#[derive(Debug)]
pub enum Output {
    /// Write a frame, and report it with [`Input::Drained`].
    Send {
        /// The link.
        link: LinkId,
        /// Without its length prefix.
        frame: Vec<u8>,
    },
    /// Store records, all or none, and report.
    Persist(Batch),
    /// Run this where it may take its time, and report with [`Input::Folded`].
    Fold(Box<FoldJob>),
    /// Tell the application.
    Event(Event),
    /// Close a link once what was sent before is written.
    Disconnect {
        /// The link.
        link: LinkId,
        /// Why.
        reason: Refusal,
    },
}

/// What was stored elsewhere, and what the application was told of it.
#[derive(Clone, Copy, Debug, Default)]
struct AckMarks {
    backend: Seq,
    peer: Seq,
    told_backend: Seq,
    told_peer: Seq,
}

/// One room.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    replica: Replica,
    gossip: Gossip,
    journal: Journal,
    wall: WallClock,
    events: VecDeque<Event>,
    lagged: bool,
    /// Waiting local edits become an operation then.
    commit_at: Option<Timestamp>,
    last_commit: Option<Timestamp>,
    /// Own operations that a backend voided and that are to be issued again, and originals by reissue.
    to_reissue: BTreeSet<Seq>,
    /// Every own operation that was ever voided, so that each is issued again only once.
    voided: BTreeSet<Seq>,
    /// First issue of each voided operation whose latest issue is not safe yet, and that latest issue.
    unsafe_issues: BTreeMap<Seq, Seq>,
    /// Highest own positions that the backend, and any peer that persists, said to have stored.
    marks: AckMarks,
    /// The same of this author's writers of earlier days: up to where the backend has stored them.
    earlier: BTreeMap<WriterId, Seq>,
    /// Of those, what was told to be refused.
    told_refused: BTreeSet<OpId>,
    /// Positions of own writers that the pinned backend's vector has shown so far.
    shown: BTreeMap<WriterId, Seq>,
    /// Everything before this place of the delivery order is stored at the backend.
    agreed: usize,
    folding: Folding,
    /// This node keeps the store small.
    keeper: bool,
    /// The backend of the present or last pinned link.
    backend: Option<NodeId>,
    members: BTreeMap<NodeId, crate::base::AuthorId>,
    told_synced: bool,
    told_pending: u64,
    told_saved: (u64, bool),
    told_history: (bool, bool),
    stats: Stats,
}

impl Engine {
    /// An empty room. `writer` must be fresh: never used before by this author.
    #[must_use]
    pub fn new(config: EngineConfig, writer: WriterId, signer: Box<dyn Signer>) -> Self {
        let policy = Policy { backend: config.backend, documents: config.documents };
        Self {
            replica: Replica::new(config.room, policy, writer, signer),
            gossip: Gossip::new(config.backend),
            journal: Journal::new(config.persists),
            wall: WallClock::default(),
            events: VecDeque::new(),
            lagged: false,
            commit_at: None,
            last_commit: None,
            to_reissue: BTreeSet::new(),
            voided: BTreeSet::new(),
            unsafe_issues: BTreeMap::new(),
            marks: AckMarks::default(),
            earlier: BTreeMap::new(),
            told_refused: BTreeSet::new(),
            shown: BTreeMap::new(),
            agreed: 0,
            folding: Folding::default(),
            keeper: config.backend,
            told_saved: (0, false),
            backend: None,
            members: BTreeMap::new(),
            told_synced: false,
            told_pending: 0,
            told_history: (false, false),
            stats: Stats::default(),
            config,
        }
    }

    /// Feeds one event.
    ///
    /// # Errors
    /// The [`Refusal`] of a peer's bytes. Already counted and answered; the driver need only log it.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) -> Result<(), Refusal> {
        let result = match input {
            Input::LinkUp { link, node, pinned, kin, opener } => {
                if pinned {
                    self.meet_backend(&node);
                }
                let hello = self.hello(now, pinned || kin, opener && !kin);
                self.gossip.link_up(now, link, Neighbour { node, pinned, kin, opener }, hello);
                Ok(())
            }
            Input::LinkDown { link } => {
                if self.gossip.link_down(now, link) {
                    self.forget_members();
                }
                Ok(())
            }
            Input::Frame { link, bytes } => self.on_frame(now, link, &bytes),
            Input::Drained { link, bytes } => {
                self.gossip.drained(now, link, bytes, self.replica.log());
                return Ok(());
            }
            Input::Persisted { batch } => {
                self.on_persisted(now, batch);
                Ok(())
            }
            Input::PersistFailed { batch, hole } => {
                if hole && self.journal.is_in_flight(batch) {
                    self.journal.forgotten(&self.replica);
                } else {
                    self.journal.failed(now, batch);
                }
                self.push_event(Event::StorageFailed);
                Ok(())
            }
            Input::Folded(result) => {
                self.on_folded(result);
                Ok(())
            }
            Input::Wall(wall) => {
                self.wall.set(now, wall);
                self.replica.observe_restored(wall);
                Ok(())
            }
            Input::Timeout => {
                let durable = self.is_durable();
                self.gossip.on_timeout(now, self.replica.log(), durable);
                Ok(())
            }
        };
        self.advance(now);
        result
    }

    /// The next thing for the driver to do; `None` when it is time to wait.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(batch) = self.journal.poll(&self.replica) {
            note!(room = ?self.config.room, batch = batch.number, records = batch.records.len(), "given to the store");
            return Some(Output::Persist(batch));
        }
        if let Some(job) = self.folding.job.take() {
            return Some(Output::Fold(job));
        }
        match self.gossip.poll_output() {
            Some(gossip::Output::Send { link, frame }) => {
                self.stats.frames_sent += 1;
                return Some(Output::Send { link, frame });
            }
            Some(gossip::Output::Drop { link, reason }) => {
                self.push_event(Event::Counted { link, reason });
                return Some(Output::Disconnect { link, reason });
            }
            None => {}
        }
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        std::mem::take(&mut self.lagged).then_some(Output::Event(Event::Lagged))
    }

    /// When [`Input::Timeout`] is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.gossip.poll_timeout(), self.commit_at, self.journal.poll_timeout()].into_iter().flatten().min()
    }

    // ---- reading ----

    /// The room's content and log.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Whether the pinned backend has sent everything it had.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.gossip.is_synced()
    }

    /// Others in the room, as the backend says.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<NodeId, crate::base::AuthorId> {
        &self.members
    }

    /// Sessions, with or without hello.
    #[must_use]
    pub fn links(&self) -> usize {
        self.gossip.len()
    }

    /// Whether everything delivered is in the store.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.journal.is_saved()
    }

    /// Figures of this room since the node started.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            ops: self.replica.log().len() as u64,
            log_bytes: self.replica.bytes() as u64,
            waiting: self.replica.waiting() as u64,
            apply_failures: self.replica.apply_failures(),
            ..self.stats
        }
    }

    // ---- inside ----

    /// `trusts`: snapshots from there are taken. `names`: the peer does not know yet which room this is about.
    fn hello(&self, now: Timestamp, trusts: bool, names: bool) -> Hello {
        let (room, signer) = (self.config.room, self.replica.signer());
        let author = signer.author();
        let is_own_node = self.config.node.author() == Some(author);
        let binding = || signer.sign(&Hello::binding(room, &self.config.node));
        Hello {
            version: Hello::VERSION,
            room: names.then_some(room),
            author: (!is_own_node).then(|| (author, binding())),
            persists: self.config.persists,
            trusts,
            durable: self.is_durable(),
            token: self.config.token.clone(),
            wall: self.config.backend.then(|| self.wall.local(now)),
            operations: self.replica.log().len() as u64,
            digest: self.replica.log().digest().short(),
            extensions: Vec::new(),
        }
    }

    /// Whether everything that is here is stored, and with its effect: who is told so may let go of the operations, also
    /// of those that it would have to issue again.
    fn is_durable(&self) -> bool {
        let whole = self.replica.clock_voids().next().is_none();
        whole && self.config.persists && self.journal.is_saved() && !self.journal.is_failing()
    }

    /// What follows from any change: commits, pushes, events.
    fn advance(&mut self, now: Timestamp) {
        self.reissue(now);
        let made = self.replica.take_made();
        self.note_own(&made);
        let due = self.commit_at.is_some_and(|at| at <= now) || self.replica.pending_is_large();
        if due {
            self.commit_at = None;
            self.last_commit = Some(now);
            let deliveries = self.replica.commit(self.wall.corrected(now));
            self.note_own(&deliveries);
        }
        while let Some((change, id)) = self.replica.next_change() {
            let local = id.is_some_and(|id| id.writer == self.replica.writer());
            let origin = if local { Origin::Local } else { Origin::Remote };
            let author = id.and_then(|id| self.replica.author_of(id.writer));
            let millis = self.wall.corrected(now);
            self.push_event(Event::Change { change, origin, author, id, at: millis });
        }
        self.tell_presence();
        self.journal.tick(now);
        self.gossip.flush(now, self.replica.log());
        self.fold_if_due();
        self.tell_state();
    }

    fn note_own(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            self.stats.ops_made += 1;
            note!(room = ?self.config.room, op = %delivery.id, "made");
            self.journal.delivered(delivery.id, None);
        }
    }

    fn reissue(&mut self, now: Timestamp) {
        while let Some(seq) = self.to_reissue.pop_first() {
            let wall = self.wall.corrected(now);
            let Some(delivery) = self.replica.reissue(seq, wall) else {
                self.unsafe_issues.retain(|_, latest| *latest != seq);
                self.replica.void_records(self.own_id(seq));
                self.push_event(Event::Refused { seq, reason: Refusal::ClockAhead });
                continue;
            };
            for latest in self.unsafe_issues.values_mut().filter(|latest| **latest == seq) {
                *latest = delivery.id.seq;
            }
            self.stats.reissues += 1;
            self.note_own(&[delivery]);
        }
    }

    fn on_persisted(&mut self, now: Timestamp, batch: u64) {
        for (id, from) in self.journal.persisted(batch) {
            note!(room = ?self.config.room, op = %id, batch, "persisted");
            if self.replica.release_void(id) {
                self.tell_void(now, id);
            }
            self.gossip.note_persisted(id, self.replica.log().author(id.writer), from);
        }
    }

    fn forget_members(&mut self) {
        for (node, author) in std::mem::take(&mut self.members) {
            self.push_event(Event::MemberLeft { node, author });
        }
    }

    fn push_event(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS || event.is_own_doing() {
            self.events.push_back(event);
        } else {
            self.lagged = true;
        }
    }

    fn own_id(&self, seq: Seq) -> OpId {
        OpId { writer: self.replica.writer(), seq }
    }
}

#[cfg(test)]
mod tests;
