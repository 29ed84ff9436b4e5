//! Snapshots of a room: what it begins with when it opens, when its oldest operations are folded, and taking one from
//! the backend after a long absence (SPEC §7.2).

use std::collections::BTreeSet;

use super::{Engine, Event, PROOF_LIST, SNAPSHOT_LIST};
use crate::{
    base::{
        LinkId, Refusal, Timestamp, WriterId,
        limits::{FOLD_BYTES, FOLD_IDLE_OPS, FOLD_KEEP_OPS, FOLD_OPS},
        note,
    },
    sync::{FoldJob, FoldResult, RECORD_OP, RECORD_PROOF, RECORD_SNAPSHOT},
    wire::{Op, OpSource},
};

/// One stored list of a room, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredList {
    /// Its number: [`PROOF_LIST`], [`SNAPSHOT_LIST`], or a writer's.
    pub list: u64,
    /// Index of the first entry.
    pub first: u64,
    /// The entries, from there on.
    pub entries: Vec<Vec<u8>>,
}

/// What became of a stored room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Operations that are back, those of a snapshot not counted.
    pub operations: u64,
    /// Operations that wait for others which were not stored, or were damaged.
    pub waiting: u64,
    /// Entries that could not be read.
    pub damaged: u64,
}

/// When a room is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldLimits {
    /// So many operations at least.
    pub ops: usize,
    /// Or so many bytes of them.
    pub bytes: usize,
    /// The newest are kept.
    pub keep: usize,
    /// Before the room leaves memory, so many at least.
    pub idle: usize,
}

impl Default for FoldLimits {
    fn default() -> Self {
        Self { ops: FOLD_OPS, bytes: FOLD_BYTES, keep: FOLD_KEEP_OPS, idle: FOLD_IDLE_OPS }
    }
}

/// Where folding stands.
#[derive(Debug, Default)]
pub(super) struct Folding {
    limits: FoldLimits,
    /// To be given out.
    pub(super) job: Option<Box<FoldJob>>,
    running: bool,
    /// It failed: not tried again before the room is opened anew.
    given_up: bool,
}

impl Engine {
    /// Takes back what was stored, before any other input.
    ///
    /// A backend refuses a room of which anything cannot be read: acknowledged operations may be behind it. A client
    /// takes what is whole, and stores anew once its backend has given it the rest.
    ///
    /// # Errors
    /// The refusal of the first entry that is damaged, of another room, or does not follow; for backends only.
    pub fn restore(&mut self, lists: &[StoredList]) -> Result<Restored, Refusal> {
        let mut restored = Restored::default();
        let mut refused = None;
        let (mut ops, mut damaged) = (Vec::new(), BTreeSet::new());
        // The snapshot first: it begins the log.
        let (snapshots, others): (Vec<_>, Vec<_>) = lists.iter().partition(|list| list.list == SNAPSHOT_LIST);
        for list in snapshots.into_iter().chain(others) {
            for entry in &list.entries {
                match self.restore_entry(list.list, entry) {
                    Ok(None) => {}
                    Ok(Some(op)) => ops.push(op),
                    Err(refusal) => {
                        restored.damaged += 1;
                        damaged.insert(list.list);
                        refused.get_or_insert(refusal);
                    }
                }
            }
        }
        // What such a list begins with was folded into a snapshot that is not here.
        let log = self.replica.log();
        let bare = |list: &&StoredList| list.first > 0 && list.first > log.folded(WriterId(list.list));
        let bare: Vec<u64> =
            lists.iter().filter(bare).map(|list| list.list).filter(|list| *list != SNAPSHOT_LIST).collect();
        if !bare.is_empty() {
            restored.damaged += bare.len() as u64;
            damaged.extend(bare);
            refused.get_or_insert(Refusal::OutOfOrder);
        }
        // Stamps of honest writers follow what they had seen: in their order hardly any operation has to wait.
        ops.sort_by_key(|op| (op.header.hlc, op.header.writer, op.header.seq));
        for op in ops {
            let list = op.header.writer.0;
            match self.replica.restore(op) {
                Ok(placed) => restored.operations += placed.len() as u64,
                Err(refusal) => {
                    restored.damaged += 1;
                    damaged.insert(list);
                    refused.get_or_insert(refusal);
                }
            }
        }
        restored.waiting = self.replica.waiting() as u64;
        if let Some(refusal) = refused.filter(|_| self.config.backend) {
            return Err(refusal);
        }
        self.journal.restored(&self.replica);
        if restored.damaged > 0 {
            self.journal.damaged(damaged);
        }
        self.remember_earlier();
        self.remember_issues();
        self.told_pending = self.pending();
        while self.replica.next_change().is_some() {}
        Ok(restored)
    }

    fn restore_entry(&mut self, list: u64, entry: &[u8]) -> Result<Option<Op>, Refusal> {
        let (tag, bytes) = entry.split_first().ok_or(Refusal::Undecodable)?;
        if *tag == RECORD_SNAPSHOT && list == SNAPSHOT_LIST {
            return self.replica.restore_snapshot(bytes).map(|()| None);
        }
        let op = Op::decode(bytes).map_err(|_| Refusal::Undecodable)?;
        match *tag {
            RECORD_PROOF if list == PROOF_LIST => self.replica.restore_proof(op).map(|()| None),
            RECORD_OP if list == op.header.writer.0 => Ok(Some(op)),
            _ => Err(Refusal::Undecodable),
        }
    }

    /// Whether this node folds what it stores. Of several pages that share a store one does.
    pub fn set_keeper(&mut self, keeper: bool) {
        self.keeper = keeper;
    }

    /// Folds sooner or later than usual.
    pub fn set_fold_limits(&mut self, limits: FoldLimits) {
        self.folding.limits = limits;
    }

    /// The room is about to leave memory: folds it if that makes the next opening quicker. Whether there is anything to
    /// do first.
    pub fn fold_before_rest(&mut self) -> bool {
        self.begin_fold(self.folding.limits.idle, 0);
        self.folding.running
    }

    pub(super) fn fold_if_due(&mut self) {
        let log = self.replica.log();
        let snapshot = log.snapshot().map_or(0, |bytes| bytes.len());
        let grown = self.replica.bytes().saturating_sub(snapshot);
        let FoldLimits { ops, bytes, keep, idle } = self.folding.limits;
        let many = log.len() - log.first() >= ops + keep && grown >= snapshot / 2;
        if many || grown >= bytes.max(snapshot / 2) {
            self.begin_fold(if many { ops } else { idle }, keep);
        }
    }

    /// Folds everything but the newest `keep` operations, if there are at least `least`.
    fn begin_fold(&mut self, least: usize, keep: usize) {
        let idle = !self.folding.running && !self.folding.given_up;
        // Pages that share a store would each fold what they have, in their own order, and trim what the others need.
        let shared = !self.config.backend && self.gossip.has_kin();
        if !idle || shared || !self.keeper || !self.config.persists || self.journal.is_failing() {
            return;
        }
        let upto = self.foldable(keep);
        if upto.saturating_sub(self.replica.log().first()) < least {
            return;
        }
        note!(room = ?self.config.room, upto, "folding");
        self.folding.running = true;
        self.folding.job = Some(Box::new(self.replica.fold_job(upto)));
    }

    /// Up to where operations may be folded: stored here, told to every link that keeps up, not among the newest, and
    /// for a client, stored at the backend, which is where others get them from.
    fn foldable(&self, keep: usize) -> usize {
        let log = self.replica.log();
        let known = if self.config.backend { log.forwardable() } else { self.agreed };
        let upto = known.min(log.len().saturating_sub(keep)).min(self.gossip.served(log));
        let stored =
            |index: &usize| log.at(*index).is_some_and(|op| self.journal.mark(op.header.writer) >= op.header.seq);
        (log.first()..upto).find(|index| !stored(index)).unwrap_or(upto)
    }

    pub(super) fn on_folded(&mut self, result: Result<FoldResult, Refusal>) {
        self.folding.running = false;
        let folded = result.and_then(|result| {
            let Some(bytes) = self.replica.sign_snapshot(&result) else { return Ok(()) };
            let bytes: std::sync::Arc<[u8]> = bytes.into();
            self.replica.let_go(result.upto(), std::sync::Arc::clone(&bytes))?;
            self.stats.folds += 1;
            self.journal.folded(bytes, self.replica.log().snapshot_heads());
            Ok(())
        });
        if let Err(reason) = folded {
            // The log is still whole: only the room is larger than it could be.
            self.folding.given_up = true;
            self.push_event(Event::SnapshotRefused { reason });
        }
    }

    pub(super) fn on_snapshot(&mut self, now: Timestamp, link: LinkId, total: u64, offset: u64, piece: &[u8]) {
        if !self.gossip.is_pinned(link) && !self.gossip.is_kin(link) {
            self.count(link, Refusal::UntrustedSnapshot);
            return;
        }
        let Some(bytes) = self.gossip.on_snapshot(now, link, total, offset, piece) else { return };
        let kin = self.gossip.is_kin(link);
        let peer = self.gossip.peer(link).and_then(|(_, hello)| hello).map(|hello| hello.author);
        // Its own word, or, from another page of this browser, what that took from the backend.
        let trusts = |signer| kin || Some(signer) == peer;
        match self.replica.adopt(bytes, trusts, self.wall.corrected(now)) {
            Ok(None) => {}
            Ok(Some(deliveries)) => {
                self.stats.snapshots_taken += 1;
                self.agreed = 0;
                if let Some(bytes) = self.replica.snapshot() {
                    self.journal.folded(bytes, self.replica.log().snapshot_heads());
                }
                self.gossip.on_folded(self.replica.log());
                // By the backend's word only: its hello has set the clock that the new stamps need.
                if !kin {
                    self.replica.lost_in_snapshot().into_iter().for_each(|seq| self.plan_reissue(seq));
                }
                for delivery in deliveries {
                    self.journal.delivered(delivery.id, None);
                }
            }
            Err(reason) => {
                self.count(link, reason);
                self.push_event(Event::SnapshotRefused { reason });
            }
        }
    }
}
