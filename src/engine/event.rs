//! What an engine tells the application.

use crate::{
    base::{AuthorId, LinkId, NodeId, OpId, Refusal, Seq, WallTime, WriterId},
    sync::Change,
};

/// Whose doing a change was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This replica's own edit.
    Local,
    /// Somebody else's operation.
    Remote,
}

/// Where an operation is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Applied here.
    Local,
    /// A peer that persists has it on disk.
    Peer,
    /// The pinned backend has it on disk.
    Backend,
}

/// Something the application may want to know. In order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A document or a collection changed.
    Change {
        /// How.
        change: Change,
        /// By whom, in kind.
        origin: Origin,
        /// By whom; none after a room was rebuilt.
        author: Option<AuthorId>,
        /// In which operation.
        id: Option<OpId>,
        /// When this node showed it.
        at: WallTime,
    },
    /// Whether everything that the backend had is here.
    Synced(bool),
    /// How many own operations the backend has not acknowledged.
    Pending(u64),
    /// Every own operation up to `seq` is safe.
    Acked {
        /// Up to this one.
        seq: Seq,
        /// Where.
        durability: Durability,
        /// By whose word.
        by: NodeId,
    },
    /// Whether there is something to undo or redo.
    History {
        /// To undo.
        can_undo: bool,
        /// To redo.
        can_redo: bool,
    },
    /// An own operation was refused for good.
    Refused {
        /// Which.
        seq: Seq,
        /// Why.
        reason: Refusal,
    },
    /// An operation that this author made on this device in an earlier visit was refused for good.
    EarlierRefused {
        /// Which.
        id: OpId,
        /// Why.
        reason: Refusal,
    },
    /// Somebody entered the room.
    MemberJoined {
        /// Its transport id.
        node: NodeId,
        /// On whose behalf.
        author: AuthorId,
    },
    /// Somebody left.
    MemberLeft {
        /// Its transport id.
        node: NodeId,
        /// On whose behalf.
        author: AuthorId,
    },
    /// What another node lets others see has changed.
    Presence {
        /// Its transport id.
        node: NodeId,
        /// An encoded JSON object; `None`: it shows nothing any more, or is gone.
        state: Option<Vec<u8>>,
    },
    /// Bytes from a peer were not taken.
    Counted {
        /// From where.
        link: LinkId,
        /// Why.
        reason: Refusal,
    },
    /// A writer signed two operations at one position. Proof is kept.
    Equivocation {
        /// The author.
        author: AuthorId,
        /// The log.
        writer: WriterId,
    },
    /// The peer ended the session.
    Closed {
        /// Which.
        link: LinkId,
        /// Why.
        reason: Refusal,
    },
    /// Records could not be stored; they are tried again.
    StorageFailed,
    /// How many own operations are not in this device's store, up to which position they are, and whether the store
    /// takes nothing at the moment. Only of nodes that have a store.
    Saved {
        /// How many are not.
        unsaved: u64,
        /// Up to this one they are.
        up_to: Seq,
        /// Nothing new is stored.
        failing: bool,
    },
    /// A snapshot was not taken, or could not be made; the room goes on with what it has.
    SnapshotRefused {
        /// Why.
        reason: Refusal,
    },
    /// Events were lost because nobody fetched them: read the state anew.
    Lagged,
}

impl Event {
    /// Whether this node's own calls bring it about, so that their number bounds it. Anything else comes from peers.
    #[must_use]
    pub fn is_own_doing(&self) -> bool {
        match self {
            Self::Change { origin, .. } => *origin == Origin::Local,
            Self::Pending(_)
            | Self::Saved { .. }
            | Self::History { .. }
            | Self::Acked { .. }
            | Self::Refused { .. }
            | Self::Synced(_) => true,
            _ => false,
        }
    }
}

/// Figures of one room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Operations in the log.
    pub ops: u64,
    /// Bytes of the log, roughly.
    pub log_bytes: u64,
    /// Operations that wait for others.
    pub waiting: u64,
    /// Operations accepted from peers.
    pub ops_accepted: u64,
    /// How often the oldest operations were folded here.
    pub folds: u64,
    /// Snapshots taken from others.
    pub snapshots_taken: u64,
    /// Own operations issued again after a backend voided them.
    pub reissues: u64,
    /// Operations made here.
    pub ops_made: u64,
    /// Frames received and sent.
    pub frames_received: u64,
    /// See above.
    pub frames_sent: u64,
    /// Inspected payloads that the document refused: should be zero.
    pub apply_failures: u64,
}
