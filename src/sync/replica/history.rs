//! Undo and redo of this replica's own edits, across texts, maps, lists and records (SPEC §5.4): one stack of groups.
//! What others have done since stays.

use std::collections::VecDeque;

use super::Replica;
use crate::{
    base::{
        Timestamp, WallTime,
        limits::{MAX_UNDO_BYTES, MAX_UNDO_GROUPS, MAX_UNDO_STEP_BYTES, UNDO_GROUP_MS},
    },
    sync::{
        document::{DocumentsUndo, EditError},
        records::{RecordsUndo, Standings},
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
    undo: Stack,
    redo: Stack,
    /// Whether the last group may grow.
    open: bool,
    /// The open group grew over the limit: what still belongs to it cannot be undone either.
    lost: bool,
    last_edit: Option<Timestamp>,
}

/// Groups, the newest last, within their limits.
#[derive(Debug, Default)]
struct Stack {
    groups: VecDeque<Group>,
    bytes: usize,
}

impl Group {
    fn weight(&self) -> usize {
        self.records.weight() + self.documents.weight()
    }
}

impl Stack {
    /// The oldest are forgotten for it, if need be. False: it is too large by itself, and everything is forgotten.
    fn push(&mut self, group: Group) -> bool {
        let fits = group.weight() <= MAX_UNDO_STEP_BYTES;
        self.bytes += group.weight();
        self.groups.push_back(group);
        // The newest stays, also if it is larger than what is kept of many.
        let keep = usize::from(fits);
        while self.groups.len() > MAX_UNDO_GROUPS || (self.bytes > MAX_UNDO_BYTES && self.groups.len() > keep) {
            let Some(oldest) = self.groups.pop_front() else { break };
            self.bytes -= oldest.weight();
        }
        fits
    }

    fn pop(&mut self) -> Option<Group> {
        let group = self.groups.pop_back()?;
        self.bytes -= group.weight();
        Some(group)
    }
}

impl Replica {
    /// Tells the time of the edit that follows: one within half a second of the last is undone together with it.
    pub fn begin_edit(&mut self, now: Timestamp) {
        let history = &mut self.history;
        history.open &= history.last_edit.is_some_and(|last| now.since(last) <= UNDO_GROUP_MS);
        history.lost &= history.open;
        history.last_edit = Some(now);
    }

    /// Closes the present group: the next edit is undone by itself.
    pub fn checkpoint(&mut self) {
        self.history.open = false;
        self.history.lost = false;
    }

    /// Whether there is something to undo.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.history.undo.groups.is_empty()
    }

    /// Whether there is something to redo.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.history.redo.groups.is_empty()
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
        while let Some(group) = self.stack(undoing).pop() {
            let mut back = Group::default();
            let entries = self.records.revert(&group.records, &self.standings);
            let mut changed = !entries.is_empty();
            self.write_records(entries, wall, Some(&mut back.records));
            changed |= self.revert_documents(&group.documents, &mut back.documents);
            if changed {
                self.stack(!undoing).push(back);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn stack(&mut self, undoing: bool) -> &mut Stack {
        if undoing { &mut self.history.undo } else { &mut self.history.redo }
    }

    /// The group that the present edit belongs to, to be given back by [`Replica::close_group`].
    pub(super) fn open_group(&mut self) -> Group {
        if self.history.open
            && !self.history.lost
            && let Some(group) = self.history.undo.pop()
        {
            return group;
        }
        Group::default()
    }

    pub(super) fn close_group(&mut self, group: Group) {
        // Half a step undone would be worse than none.
        let history = &mut self.history;
        history.lost |= !history.lost && !history.undo.push(group);
        history.open = true;
    }

    /// A new edit ends what could be redone.
    pub(super) fn forget_redo(&mut self) {
        self.history.redo = Stack::default();
    }

    /// The documents were built anew: nothing that was noted of them fits any more.
    pub(super) fn forget_history(&mut self) {
        self.history = History::default();
        self.standings = Standings::default();
    }
}
