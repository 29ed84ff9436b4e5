//! Local edits: applied at once, collected, signed as operations of this replica's own writer.

use super::{Delivery, Replica};
use crate::{
    base::{
        Hash, Hlc, OpId, Seq, WallTime, hash,
        limits::{COALESCE_BYTES, MAX_CLOCK_AHEAD_MS, MAX_PAYLOAD_BYTES, MAX_ROOM_BYTES},
    },
    sync::{
        document::{Documents, EditError, splice},
        update,
        value::Attributes,
    },
    wire::{Header, Kind, Op, OpSource, put_uvarint},
};

impl Replica {
    /// Inserts `text` at `index` (UTF-16 units), with marks if given.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn insert(&mut self, name: &str, index: u32, text: &str, marks: Option<&Attributes>) -> Result<(), EditError> {
        self.edit(|documents| documents.insert(name, index, text, marks))
    }

    /// Deletes `len` units from `index` on.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn delete(&mut self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        self.edit(|documents| documents.delete(name, index, len))
    }

    /// Marks `len` units from `index` on.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn format(&mut self, name: &str, index: u32, len: u32, marks: &Attributes) -> Result<(), EditError> {
        self.edit(|documents| documents.format(name, index, len, marks))
    }

    /// Makes the text equal `new` by one splice.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn replace(&mut self, name: &str, new: &str) -> Result<(), EditError> {
        let old = self.text(name);
        let (at, deleted, inserted) = splice(&old, new);
        if deleted > 0 {
            self.delete(name, at, deleted)?;
        }
        if inserted.is_empty() { Ok(()) } else { self.insert(name, at, inserted, None) }
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Documents) -> Result<Vec<Vec<u8>>, EditError>) -> Result<(), EditError> {
        if self.log.bytes() + self.pending_bytes() > MAX_ROOM_BYTES {
            return Err(EditError::RoomFull);
        }
        let documents = self.documents.as_mut().ok_or(EditError::NotAnEditor)?;
        let updates = edit(documents)?;
        let id = OpId { writer: self.author.writer, seq: self.next_seq() };
        let documents = self.documents.as_mut().ok_or(EditError::NotAnEditor)?;
        self.changes.extend(documents.take_changes().into_iter().map(|change| (change, Some(id))));
        self.pending.extend(updates);
        Ok(())
    }

    /// The position that the next local operation will take.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.log.head(self.author.writer) + 1
    }

    /// Whether local edits wait to become an operation.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Bytes of local edits that wait.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending.iter().map(Vec::len).sum()
    }

    /// Whether the waiting edits should not wait longer.
    #[must_use]
    pub fn pending_is_large(&self) -> bool {
        self.pending_bytes() > COALESCE_BYTES
    }

    /// Makes operations of the waiting edits, as few as the payload limit allows, and delivers them here.
    pub fn commit(&mut self, wall: WallTime) -> Vec<Delivery> {
        let pending = std::mem::take(&mut self.pending);
        let mut deliveries = Vec::new();
        for batch in batches(pending) {
            for payload in update::split(&batch, self.author.client, MAX_PAYLOAD_BYTES) {
                deliveries.push(self.make(Kind::YJS, payload, wall));
            }
        }
        deliveries
    }

    /// Issues the payload of this replica's own voided operation `seq` again. `None` if there is none such.
    pub fn reissue(&mut self, seq: Seq, wall: WallTime) -> Option<Delivery> {
        let entry = self.log.entry(OpId { writer: self.author.writer, seq })?;
        let (kind, payload) = (entry.op.header.kind, entry.op.payload.clone()?);
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
        (payload.len() <= MAX_PAYLOAD_BYTES).then(|| self.make(Kind::REISSUE, payload, wall))
    }

    /// Sets the clock back after a backend said that it was ahead.
    pub fn reset_clock(&mut self) {
        self.clock = Hlc::default();
    }

    pub(super) fn make(&mut self, kind: Kind, payload: Vec<u8>, wall: WallTime) -> Delivery {
        let writer = self.author.writer;
        self.clock = self.clock.next(wall);
        let header = Header {
            room: self.log.room(),
            author: self.signer.author(),
            writer,
            seq: self.next_seq(),
            prev: self.log.head_of(writer).map_or(Hash::default(), |(_, hash, _)| hash),
            deps: self.log.unseen_heads(writer),
            hlc: self.clock,
            kind,
            auth: None,
            payload_len: payload.len() as u32,
            payload_hash: hash(&payload),
        };
        let hash = header.hash();
        let op = Op::sign(header, payload, self.signer.as_ref());
        self.place(op, hash, None)
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
