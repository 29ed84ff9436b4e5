//! Undo and redo of this replica's own edits, across texts, maps, lists and records (SPEC §5.4): one stack of groups.
//! What others have done since stays.

use std::collections::VecDeque;

use super::Replica;
use crate::{
    base::{
        Timestamp, WallTime,
        limits::{MAX_UNDO_BYTES, MAX_UNDO_GROUPS, UNDO_GROUP_MS},
    },
    sync::{
        document::{DocumentsUndo, EditError},
        records::RecordsUndo,
    },
};

/// Edits that are undone together.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) records: RecordsUndo,
    pub(super) documents: DocumentsUndo,
}

#[derive(Debug, Default)]
pub(super) struct History {
    undo: VecDeque<Group>,
    redo: VecDeque<Group>,
    /// Whether the last group may grow.
    open: bool,
    last_edit: Option<Timestamp>,
}

impl Group {
    fn weight(&self) -> usize {
        let records = self.records.iter();
        let records: usize = records.map(|((collection, id), undo)| collection.len() + id.len() + undo.weight()).sum();
        records + self.documents.weight()
    }
}

impl History {
    /// Forgets the oldest groups over the limits. Whether any was forgotten.
    fn trim(groups: &mut VecDeque<Group>) -> bool {
        let before = groups.len();
        let mut bytes: usize = groups.iter().map(Group::weight).sum();
        while groups.len() > MAX_UNDO_GROUPS || bytes > MAX_UNDO_BYTES {
            bytes -= groups.pop_front().map_or(bytes, |group| group.weight());
        }
        groups.len() < before
    }
}

impl Replica {
    /// Tells the time of the edit that follows: one within half a second of the last is undone together with it.
    pub fn begin_edit(&mut self, now: Timestamp) {
        let history = &mut self.history;
        history.open &= history.last_edit.is_some_and(|last| now.since(last) <= UNDO_GROUP_MS);
        history.last_edit = Some(now);
    }

    /// Closes the present group: the next edit is undone by itself.
    pub fn checkpoint(&mut self) {
        self.history.open = false;
    }

    /// Whether there is something to undo.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.history.undo.is_empty()
    }

    /// Whether there is something to redo.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.history.redo.is_empty()
    }

    /// Takes back the last group of own edits, as far as they still stand. Whether anything changed.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn undo(&mut self, wall: WallTime) -> Result<bool, EditError> {
        self.travel(wall, true)
    }

    /// Takes back the last undo. Whether anything changed.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn redo(&mut self, wall: WallTime) -> Result<bool, EditError> {
        self.travel(wall, false)
    }

    fn travel(&mut self, wall: WallTime, undoing: bool) -> Result<bool, EditError> {
        self.check_editor()?;
        self.refresh_records();
        self.history.open = false;
        while let Some(group) = self.stack(undoing).pop_back() {
            let mut back = Group::default();
            let entries = self.records.revert(&group.records);
            let mut changed = !entries.is_empty();
            self.write_records(entries, wall, Some(&mut back.records));
            changed |= self.revert_documents(&group.documents, &mut back.documents);
            if changed {
                self.stack(!undoing).push_back(back);
                self.trim();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn stack(&mut self, undoing: bool) -> &mut VecDeque<Group> {
        if undoing { &mut self.history.undo } else { &mut self.history.redo }
    }

    /// The group that the present edit belongs to, to be given back by [`Replica::close_group`].
    pub(super) fn open_group(&mut self) -> Group {
        if self.history.open
            && let Some(group) = self.history.undo.pop_back()
        {
            return group;
        }
        Group::default()
    }

    pub(super) fn close_group(&mut self, group: Group) {
        self.history.undo.push_back(group);
        self.history.open = true;
        self.trim();
    }

    /// A new edit ends what could be redone.
    pub(super) fn forget_redo(&mut self) {
        self.history.redo.clear();
    }

    /// The documents were built anew: nothing that was noted of them fits any more.
    pub(super) fn forget_history(&mut self) {
        self.history = History::default();
    }

    fn trim(&mut self) {
        History::trim(&mut self.history.undo);
        History::trim(&mut self.history.redo);
    }
}
