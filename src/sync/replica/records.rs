//! The records of a replica: local edits, merging, and building them anew where an operation lost its effect.

use std::collections::BTreeMap;

use super::{
    Replica,
    folding::{is_patch, last_issues, original},
    reissued, reissued_of,
};
use crate::{
    base::{
        Hlc, OpId, Refusal, Seq, WallTime,
        limits::{MAX_PATCH_BYTES, MAX_ROOM_BYTES},
    },
    sync::{
        document::EditError,
        records::{
            self, DeletePolicy, Entry, Place, Plan, RecordError, RecordWrite, Records, RecordsUndo, Reversal, Stamp,
        },
        value::{Change, Fields, RecordsChange},
    },
    wire::{Kind, Op, Value},
};

/// Local writes that wait to become one operation. Their stamp is taken when the first is made, so that what is shown
/// at once is what everyone will see.
#[derive(Debug, Default)]
pub(super) struct PendingPatch {
    entries: Vec<Entry>,
    pub(super) hlc: Hlc,
    /// Number of the next write.
    number: u32,
    pub(super) bytes: usize,
}

impl PendingPatch {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Replica {
    /// Creates a record at the end of its collection or sets its named fields; `None` removes one.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn record_set(
        &mut self,
        wall: WallTime,
        collection: &str,
        id: &str,
        fields: &BTreeMap<String, Option<Value>>,
        mode: RecordWrite,
    ) -> Result<(), EditError> {
        let writer = self.author.writer;
        self.edit_records(wall, |records| records.plan_set(collection, id, fields, mode, writer))
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn record_delete(
        &mut self,
        wall: WallTime,
        collection: &str,
        id: &str,
        policy: DeletePolicy,
    ) -> Result<(), EditError> {
        self.edit_records(wall, |records| records.plan_delete(collection, id, policy))
    }

    /// Moves a record.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn record_move(&mut self, wall: WallTime, collection: &str, id: &str, to: &Place) -> Result<(), EditError> {
        let writer = self.author.writer;
        self.edit_records(wall, |records| records.plan_move(collection, id, to, writer))
    }

    /// A record's fields, if it is there.
    #[must_use]
    pub fn record_fields(&self, collection: &str, id: &str) -> Option<Fields> {
        self.records.fields(collection, id)
    }

    /// A collection's records in their order.
    pub fn records(&self, collection: &str) -> impl Iterator<Item = (&str, Fields)> {
        self.records.list(collection)
    }

    /// Ids of a collection in their order.
    pub fn record_ids(&self, collection: &str) -> impl Iterator<Item = &str> {
        self.records.ids(collection)
    }

    /// How many records a collection has.
    #[must_use]
    pub fn records_len(&self, collection: &str) -> usize {
        self.records.len(collection)
    }

    /// Names of the collections that are not empty, ascending.
    pub fn collections(&self) -> impl Iterator<Item = &str> {
        self.records.names()
    }

    fn edit_records(
        &mut self,
        wall: WallTime,
        plan: impl FnOnce(&Records) -> Result<Plan, RecordError>,
    ) -> Result<(), EditError> {
        self.check_editor()?;
        self.refresh_records();
        let Plan { entries, neighbours } = plan(&self.records)?;
        if entries.iter().any(|entry| records::encoded_len(entry) > MAX_PATCH_BYTES) {
            return Err(EditError::TooLarge { what: "the record", max: MAX_PATCH_BYTES as u64 });
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.forget_redo();
        let plain = |entries: Vec<Entry>| entries.into_iter().map(|entry| (entry, Vec::new())).collect();
        self.write_records(plain(neighbours), wall, None);
        let mut group = self.open_group();
        self.write_records(plain(entries), wall, Some(&mut group.records));
        self.close_group(group);
        Ok(())
    }

    pub(super) fn check_editor(&self) -> Result<(), EditError> {
        if !self.policy.documents {
            return Err(EditError::NotAnEditor);
        }
        let full = self.log.bytes() + self.pending_bytes() > MAX_ROOM_BYTES;
        if full { Err(EditError::RoomFull) } else { Ok(()) }
    }

    /// Applies own writes at once and keeps them for the next operation.
    pub(super) fn write_records(&mut self, entries: Vec<Reversal>, wall: WallTime, mut undo: Option<&mut RecordsUndo>) {
        for (entry, stands_for) in entries.into_iter().flat_map(split_reversal) {
            let bytes = records::encoded_len(&entry);
            // What was typed before stays before; and a patch is one operation.
            if !self.pending.is_empty() || self.patch.bytes + bytes > MAX_PATCH_BYTES {
                self.commit_all(wall);
            }
            if self.patch.is_empty() {
                self.clock = self.clock.next(wall);
                self.patch.hlc = self.clock;
            }
            let (hlc, number, writer) = (self.patch.hlc, self.patch.number, self.author.writer);
            let first = Stamp { hlc, writer, number };
            if let Some(undo) = &mut undo {
                self.records.remember(&entry, first, undo);
            }
            for (number, original) in (number..).zip(stands_for) {
                if let Some(original) = original {
                    self.standings.note(Stamp { number, ..first }, original);
                }
            }
            let entries = std::slice::from_ref(&entry);
            let changes = self.records.apply(entries, hlc, writer, number);
            self.note_record_changes(changes, Some(OpId { writer, seq: self.next_seq() }));
            self.patch.number = number.saturating_add(entry.writes.len() as u32);
            self.patch.bytes += bytes;
            self.patch.entries.push(entry);
        }
    }

    /// Makes an operation of the waiting writes.
    pub(super) fn commit_patch(&mut self) {
        if self.patch.is_empty() {
            return;
        }
        let patch = std::mem::take(&mut self.patch);
        let payload = records::encode(&patch.entries);
        let delivery = self.make(Kind::RECORDS, payload, patch.hlc);
        self.made.push(delivery);
    }

    pub(super) fn merge_records(&mut self, op: &Op) {
        if let Some((seq, ..)) = reissued_of(op) {
            self.supersede(OpId { seq, ..op.header.id() }, op);
        }
        if !self.policy.documents {
            return;
        }
        let entries = patch_of(op);
        let changes = self.records.apply(&entries, op.header.hlc, op.header.writer, 0);
        if self.stale.is_none() {
            self.note_record_changes(changes, Some(op.header.id()));
        }
    }

    /// A later issue counts in place of the earlier ones (SPEC V4).
    fn supersede(&mut self, original: OpId, issue: &Op) {
        let id = issue.header.id();
        let last = self.issues.insert(original, id).unwrap_or(original);
        let Some(entry) = self.log.entry(last) else { return };
        let (had_effect, hlc) = (entry.void.is_none(), entry.op.header.hlc);
        if id.writer == self.author.writer {
            // Own edits are undone under their new stamps.
            let writes: usize = patch_of(issue).iter().map(|entry| entry.writes.len()).sum();
            let writer = id.writer;
            for number in 0..writes as u32 {
                let written = Stamp { hlc: issue.header.hlc, writer, number };
                self.standings.note(written, Stamp { hlc, writer, number });
            }
        }
        if had_effect {
            self.rebuild_records_later();
        }
    }

    /// The backend has voided somebody's records for their stamp (SPEC V5), or own ones cannot be issued again.
    pub fn void_records(&mut self, id: OpId) {
        let is_patch = self.log.entry(id).is_some_and(|entry| is_patch(&entry.op));
        if is_patch && self.log.void(id, Refusal::ClockAhead) {
            self.rebuild_records_later();
        }
    }

    /// A void that this backend has decided goes to others once it is stored: forgotten in a crash, and known to
    /// others only without its payload, the operation would be lost (SPEC V6).
    pub fn hold_void(&mut self, id: OpId) {
        self.log.hold(id);
    }

    /// A void is stored. Whether it was held.
    pub fn release_void(&mut self, id: OpId) -> bool {
        self.log.release(id)
    }

    fn rebuild_records_later(&mut self) {
        if self.policy.documents && self.stale.is_none() {
            self.stale = Some(self.records.clone());
        }
    }

    /// Builds the records anew if an operation lost its effect: what it had overwritten is in the log only.
    pub(super) fn refresh_records(&mut self) {
        let Some(told) = self.stale.take() else { return };
        let last = last_issues(self.log.entries().iter());
        let mut fresh = self.base_records();
        for entry in self.log.entries().iter().filter(|entry| entry.void.is_none() && is_patch(&entry.op)) {
            let header = &entry.op.header;
            if last.get(&original(&entry.op)) == Some(&header.id()) {
                fresh.apply(&patch_of(&entry.op), header.hlc, header.writer, 0);
            }
        }
        fresh.apply(&self.patch.entries, self.patch.hlc, self.author.writer, 0);
        self.records = fresh;
        let changes = told.differences(&self.records);
        self.note_record_changes(changes, None);
    }

    /// What is visible of the records, for the state hash.
    pub(super) fn write_canonical_records(&self, out: &mut String) {
        for name in self.records.names() {
            out.push_str(&format!("{name:?}"));
            for (id, fields) in self.records.list(name) {
                out.push_str(&format!("{id:?}{fields:?}"));
            }
        }
    }

    fn note_record_changes(&mut self, changes: Vec<RecordsChange>, id: Option<OpId>) {
        self.changes.extend(changes.into_iter().map(|change| (Change::Records(change), id)));
    }

    /// The position of the operation in which a text edited now would travel.
    pub(super) fn update_seq(&self) -> Seq {
        self.next_seq() + Seq::from(!self.patch.is_empty())
    }
}

/// What undo brings back may be larger than any edit was: it goes in pieces, the creation first.
fn split_reversal((entry, stands_for): Reversal) -> Vec<Reversal> {
    if records::encoded_len(&entry) <= MAX_PATCH_BYTES {
        return vec![(entry, stands_for)];
    }
    let Entry { collection, id, writes } = entry;
    let mut originals = stands_for.into_iter();
    let mut pieces: Vec<Reversal> = Vec::new();
    let mut room = 0;
    for write in writes {
        let original = originals.next().flatten();
        let bytes = records::encoded_len(&Entry {
            collection: collection.clone(),
            id: id.clone(),
            writes: vec![write.clone()],
        });
        match pieces.last_mut().filter(|_| bytes <= room) {
            Some((piece, stands_for)) => {
                piece.writes.push(write);
                stands_for.push(original);
            }
            None => {
                let piece = Entry { collection: collection.clone(), id: id.clone(), writes: vec![write] };
                pieces.push((piece, vec![original]));
                room = MAX_PATCH_BYTES;
            }
        }
        room = room.saturating_sub(bytes);
    }
    pieces
}

/// What an operation writes to records; nothing if it is of another kind or has no payload.
pub(super) fn patch_of(op: &Op) -> Vec<Entry> {
    let payload = op.payload.as_deref().unwrap_or_default();
    let inner = match op.header.kind {
        Kind::RECORDS => Some(payload),
        Kind::REISSUE => reissued(payload).filter(|(_, kind, _)| *kind == Kind::RECORDS).map(|(.., inner)| inner),
        _ => None,
    };
    inner.and_then(|inner| records::decode(inner).ok()).unwrap_or_default()
}
