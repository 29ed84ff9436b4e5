//! Local edits: applied at once, collected, signed as operations of this replica's own writer.

use super::{Admission, Delivery, Replica};
use crate::{
    base::{
        Hash, Hlc, OpId, Seq, WallTime, hash,
        limits::{COALESCE_BYTES, MAX_CLOCK_AHEAD_MS, MAX_PAYLOAD_BYTES},
    },
    sync::{
        document::{Documents, DocumentsUndo, EditError},
        update,
    },
    wire::{Header, Kind, Op, OpSource, put_uvarint},
};

impl Replica {
    /// Makes an edit of the Yjs document; its updates wait to become an operation.
    pub(super) fn edit(
        &mut self,
        edit: impl FnOnce(&mut Documents) -> Result<Vec<Vec<u8>>, EditError>,
    ) -> Result<(), EditError> {
        self.check_editor()?;
        let documents = self.documents.as_mut().ok_or(EditError::NotAnEditor)?;
        let updates = edit(documents)?;
        let undo = documents.take_undo();
        if !undo.is_empty() {
            self.forget_redo();
            let mut group = self.open_group();
            group.documents.extend(undo, self.author.client);
            self.close_group(group);
        }
        self.note_updates(updates);
        Ok(())
    }

    /// Takes back what a group did to the Yjs document; `back` is how to undo that. Whether anything changed.
    pub(super) fn revert_documents(&mut self, undo: &DocumentsUndo, back: &mut DocumentsUndo) -> bool {
        let Some(documents) = self.documents.as_mut().filter(|_| !undo.is_empty()) else { return false };
        let updates = documents.revert(undo);
        *back = documents.take_undo();
        let changed = !updates.is_empty();
        self.note_updates(updates);
        changed
    }

    /// Keeps own updates for the next operation, and what they changed for the application.
    fn note_updates(&mut self, updates: Vec<Vec<u8>>) {
        let id = OpId { writer: self.author.writer, seq: self.update_seq() };
        let changes = self.documents.as_mut().map_or_else(Vec::new, Documents::take_changes);
        self.changes.extend(changes.into_iter().map(|change| (change, Some(id))));
        self.pending.extend(updates);
    }

    /// The position that the next local operation will take.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.log.head(self.author.writer) + 1
    }

    /// Whether local edits wait to become an operation.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty() || !self.patch.is_empty()
    }

    /// The position of the last operation that the waiting edits will become, if they are few.
    #[must_use]
    pub fn pending_seq(&self) -> Seq {
        self.next_seq() - 1 + Seq::from(!self.patch.is_empty()) + Seq::from(!self.pending.is_empty())
    }

    /// Bytes of local edits that wait.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending.iter().map(Vec::len).sum::<usize>() + self.patch.bytes
    }

    /// Whether the waiting edits should not wait longer.
    #[must_use]
    pub fn pending_is_large(&self) -> bool {
        self.pending_bytes() > COALESCE_BYTES
    }

    /// Makes operations of the waiting edits, as few as the payload limit allows, and delivers them here. Answers
    /// every own operation that was not answered before.
    pub fn commit(&mut self, wall: WallTime) -> Vec<Delivery> {
        self.commit_all(wall);
        self.take_made()
    }

    /// Own operations that were made since this was last asked.
    pub fn take_made(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.made)
    }

    pub(super) fn commit_all(&mut self, wall: WallTime) {
        self.commit_patch();
        let pending = std::mem::take(&mut self.pending);
        for batch in batches(pending) {
            for payload in update::split(&batch, self.author.client, MAX_PAYLOAD_BYTES) {
                self.clock = self.clock.next(wall);
                let delivery = self.make(Kind::YJS, payload, self.clock);
                self.made.push(delivery);
            }
        }
    }

    /// Issues the payload of this replica's own voided operation `seq` again. `None` if there is none such.
    pub fn reissue(&mut self, seq: Seq, wall: WallTime) -> Option<Delivery> {
        // What waits was promised the next place.
        self.commit_all(wall);
        let id = OpId { writer: self.author.writer, seq };
        let op = self.log.entry(id).map(|entry| &entry.op).or_else(|| self.voided.get(&seq))?;
        let (kind, payload) = (op.header.kind, op.payload.clone()?);
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
        if payload.len() > MAX_PAYLOAD_BYTES {
            return None;
        }
        self.voided.remove(&seq);
        self.clock = self.clock.next(wall);
        Some(self.make(Kind::REISSUE, payload, self.clock))
    }

    /// Sets the clock back after a backend said that it was ahead.
    pub fn reset_clock(&mut self) {
        self.clock = Hlc::default();
    }

    pub(super) fn make(&mut self, kind: Kind, payload: Vec<u8>, hlc: Hlc) -> Delivery {
        let writer = self.author.writer;
        let header = Header {
            room: self.log.room(),
            author: self.signer.author(),
            writer,
            seq: self.next_seq(),
            prev: self.log.head_of(writer).map_or(Hash::default(), |(_, hash, _)| hash),
            deps: self.log.unseen_heads(writer),
            hlc,
            kind,
            auth: None,
            payload_len: payload.len() as u32,
            payload_hash: hash(&payload),
        };
        let hash = header.hash();
        let op = Op::sign(header, payload, self.signer.as_ref());
        self.place(op, hash, Admission::Own)
    }

    /// Makes local stamps follow what was read back at start, now that the time is known.
    pub fn observe_restored(&mut self, wall: WallTime) {
        if !std::mem::take(&mut self.unobserved) {
            return;
        }
        let kept = self.log.entries().iter().map(|entry| entry.op.header.hlc);
        let stamps: Vec<Hlc> = kept.chain(self.log.folded_stamps()).collect();
        stamps.into_iter().for_each(|hlc| self.observe_clock(hlc, wall));
    }

    /// Local stamps follow what was seen, but never a stamp that no honest clock would give (SPEC D9).
    pub(super) fn observe_clock(&mut self, hlc: Hlc, wall: WallTime) {
        if hlc.millis() <= wall.0.saturating_add(MAX_CLOCK_AHEAD_MS) {
            self.clock = self.clock.max(hlc);
        }
    }
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
