//! Where own operations are safe: in this device's store, at a peer that persists, at the backend (SPEC §4.5).

use super::{Durability, Engine, Event};
use crate::{
    base::{LinkId, NodeId, OpId, Seq, Timestamp, WriterId, note},
    wire::{Ack, Digest, OpSource, VectorEntry, WHOLE, bucket},
};

/// How safe this node's own edits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStatus {
    /// Own operations that are not in this device's store. All of them if it keeps none.
    pub unsaved: u64,
    /// The store is missing, full or failing: nothing new is kept on this device.
    pub failing: bool,
    /// Own operations that the backend has not said to have stored.
    pub pending: u64,
    /// Milliseconds since the oldest of those was made.
    pub oldest_pending_ms: Option<u64>,
}

impl Engine {
    /// Own operations that the backend has not acknowledged as durable, those still waiting to be sent included, and
    /// those that this author made on this device in earlier days.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let head = self.replica.next_seq() - 1;
        let own = head.saturating_sub(self.safe_up_to(self.marks.backend)) + u64::from(self.replica.has_pending());
        let log = self.replica.log();
        own + self.earlier.iter().map(|(writer, mark)| log.head(*writer).saturating_sub(*mark)).sum::<u64>()
    }

    /// Where own edits are safe now.
    #[must_use]
    pub fn sync_status(&self, now: Timestamp) -> SyncStatus {
        let wall = self.wall.corrected(now).0;
        SyncStatus {
            unsaved: self.unsaved(),
            failing: !self.config.persists || self.journal.is_failing(),
            pending: self.pending(),
            oldest_pending_ms: self.oldest_pending().map(|made| wall.saturating_sub(made)),
        }
    }

    /// Up to where the backend has stored each writer of this author on this device, to be remembered over restarts.
    pub fn acked(&self) -> impl Iterator<Item = OpId> {
        let own = OpId { writer: self.replica.writer(), seq: self.marks.backend };
        self.earlier.iter().map(|(writer, seq)| OpId { writer: *writer, seq: *seq }).chain([own])
    }

    /// What [`Engine::acked`] said before a restart, of the backend that will be met first.
    pub fn restore_acked(&mut self, backend: NodeId, marks: impl IntoIterator<Item = OpId>) {
        for id in marks {
            let seq = id.seq.min(self.replica.log().head(id.writer));
            if id.writer == self.replica.writer() {
                self.marks.backend = seq;
                self.marks.told_backend = seq;
            } else if let Some(mark) = self.earlier.get_mut(&id.writer) {
                *mark = seq;
            }
        }
        self.backend = Some(backend);
        self.told_pending = self.pending();
    }

    /// Writers of this author that were read back: what they have unsent is this device's to send.
    pub(super) fn remember_earlier(&mut self) {
        let (own, author) = (self.replica.writer(), self.replica.signer().author());
        let log = self.replica.log();
        let writers = log.vector().into_iter().map(|(writer, ..)| writer);
        self.earlier = writers
            .filter(|writer| *writer != own && log.author(*writer) == Some(author))
            .map(|writer| (writer, 0))
            .collect();
    }

    /// What this writer issued again in an earlier life is not issued once more, and not safe before it is stored.
    pub(super) fn remember_issues(&mut self) {
        for (seq, first) in self.replica.own_issues() {
            self.voided.insert(first.unwrap_or(seq));
            if let Some(first) = first {
                self.unsafe_issues.insert(first, seq);
            }
        }
    }

    /// Up to where own operations are in this device's store.
    #[must_use]
    pub fn saved(&self) -> Seq {
        if self.config.persists { self.journal.mark(self.replica.writer()) } else { 0 }
    }

    fn unsaved(&self) -> u64 {
        let made = self.replica.next_seq() - 1;
        made.saturating_sub(self.saved()) + u64::from(self.replica.has_pending())
    }

    /// When the oldest operation was made that the backend has not stored.
    fn oldest_pending(&self) -> Option<u64> {
        let log = self.replica.log();
        let own = (self.replica.writer(), self.safe_up_to(self.marks.backend));
        let open = self.earlier.iter().map(|(writer, mark)| (*writer, *mark)).chain([own]);
        let made = open.filter_map(|(writer, mark)| log.context(OpId { writer, seq: mark + 1 }));
        made.map(|(_, hlc)| hlc.millis()).min()
    }

    /// Up to where own operations are safe, given that everything up to `mark` is stored: a stored void is not safe
    /// until its reissue is stored too.
    pub(super) fn safe_up_to(&self, mark: Seq) -> Seq {
        let open = self.unsafe_issues.iter().find(|(_, latest)| **latest > mark || self.to_reissue.contains(latest));
        open.map_or(mark, |(first, _)| mark.min(first - 1))
    }

    /// A link to the backend opens.
    pub(super) fn meet_backend(&mut self, node: &NodeId) {
        if self.backend.as_ref() != Some(node) {
            // Another backend: what the last one stored says nothing about this one.
            self.marks.backend = 0;
            self.agreed = 0;
            self.earlier.values_mut().for_each(|mark| *mark = 0);
            self.backend = Some(node.clone());
        }
        self.shown.clear();
    }

    /// A backend whose vector ends before a mark has lost what it said to have stored: it is not safe there.
    pub(super) fn compare_own(&mut self, link: LinkId, entries: &[VectorEntry], last: bool, mask: u64) {
        if !self.gossip.is_pinned(link) {
            return;
        }
        // It may have lost others' as well.
        self.agreed = 0;
        let own = self.replica.writer();
        let mine = |entry: &&VectorEntry| entry.writer == own || self.earlier.contains_key(&entry.writer);
        let shown: Vec<(WriterId, Seq)> = entries.iter().filter(mine).map(|entry| (entry.writer, entry.seq)).collect();
        self.shown.extend(shown);
        if !last {
            return;
        }
        let shown = std::mem::take(&mut self.shown);
        let has = |writer: WriterId| shown.get(&writer).copied().unwrap_or(0);
        let named = |writer: WriterId| mask == WHOLE || mask & (1 << bucket(writer)) != 0;
        if named(own) {
            self.marks.backend = self.marks.backend.min(has(own));
        }
        for (writer, mark) in self.earlier.iter_mut().filter(|(writer, _)| named(**writer)) {
            *mark = (*mark).min(has(*writer));
        }
    }

    /// A digest of the backend's that equals this node's: it has everything, and if it says so, stored.
    pub(super) fn note_digest(&mut self, link: LinkId, digest: Digest, durable: bool) {
        if !durable || !self.gossip.is_pinned(link) || digest != self.replica.log().digest().short() {
            return;
        }
        let log = self.replica.log();
        self.agreed = log.len();
        let head = self.replica.next_seq() - 1;
        let earlier: Vec<(WriterId, Seq)> = self.earlier.keys().map(|writer| (*writer, log.head(*writer))).collect();
        self.earlier.extend(earlier);
        if head > 0 {
            self.raise_backend(link, head);
        }
    }

    pub(super) fn on_ack(&mut self, link: LinkId, persisted: bool, marks: &[Ack]) {
        let own = self.replica.writer();
        let ids = self.gossip.on_ack(link, marks, self.replica.log());
        let persists = self.gossip.peer(link).and_then(|(_, hello)| hello).is_some_and(|hello| hello.persists);
        // Another page of this browser stores where this one does.
        let counts = persisted && persists && !self.gossip.is_kin(link);
        if counts && self.gossip.is_pinned(link) {
            self.raise_earlier(&ids);
        }
        let Some(seq) = ids.iter().filter(|id| id.writer == own).map(|id| id.seq).max() else { return };
        let seq = seq.min(self.replica.next_seq() - 1);
        note!(op = %OpId { writer: own, seq }, link = link.0, persisted, "acknowledged by the peer");
        if !counts {
            return;
        }
        if self.gossip.is_pinned(link) {
            self.raise_backend(link, seq);
            return;
        }
        let Some(by) = self.gossip.peer(link).map(|(node, _)| node.clone()) else { return };
        self.marks.peer = self.marks.peer.max(seq);
        let safe = self.safe_up_to(self.marks.peer);
        if safe > self.marks.told_peer {
            self.marks.told_peer = safe;
            self.push_event(Event::Acked { seq: safe, durability: Durability::Peer, by });
        }
    }

    fn raise_earlier(&mut self, ids: &[OpId]) {
        for id in ids {
            let head = self.replica.log().head(id.writer);
            if let Some(mark) = self.earlier.get_mut(&id.writer) {
                *mark = (*mark).max(id.seq.min(head));
            }
        }
    }

    fn raise_backend(&mut self, link: LinkId, seq: Seq) {
        let Some(by) = self.gossip.peer(link).map(|(node, _)| node.clone()) else { return };
        self.marks.backend = self.marks.backend.max(seq);
        let safe = self.safe_up_to(self.marks.backend);
        if safe > self.marks.told_backend {
            self.marks.told_backend = safe;
            self.push_event(Event::Acked { seq: safe, durability: Durability::Backend, by });
        }
    }

    pub(super) fn tell_state(&mut self) {
        let synced = self.is_synced();
        if synced && self.journal.is_broken() {
            // What was damaged is whole again.
            self.journal.forgotten(&self.replica);
        }
        if synced != self.told_synced {
            self.told_synced = synced;
            self.push_event(Event::Synced(synced));
        }
        let pending = self.pending();
        if pending != self.told_pending {
            self.told_pending = pending;
            self.push_event(Event::Pending(pending));
        }
        let saved = (self.unsaved(), self.journal.is_failing());
        if self.config.persists && saved != self.told_saved {
            self.told_saved = saved;
            self.push_event(Event::Saved { unsaved: saved.0, up_to: self.saved(), failing: saved.1 });
        }
        let history = (self.can_undo(), self.can_redo());
        if history != self.told_history {
            self.told_history = history;
            self.push_event(Event::History { can_undo: history.0, can_redo: history.1 });
        }
    }
}
