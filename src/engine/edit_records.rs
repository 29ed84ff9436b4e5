//! Local edits of records, undo and redo.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    base::{Seq, Timestamp},
    sync::{DeletePolicy, EditError, Place, RecordWrite, Value},
};

impl Engine {
    /// Creates a record at the end of its collection, or sets the named fields of one; `None` removes a field.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn record_set(
        &mut self,
        now: Timestamp,
        collection: &str,
        id: &str,
        fields: &BTreeMap<String, Option<Value>>,
        mode: RecordWrite,
    ) -> Result<Seq, EditError> {
        let wall = self.wall.corrected(now);
        self.edit(now, |replica| replica.record_set(wall, collection, id, fields, mode))
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn record_delete(
        &mut self,
        now: Timestamp,
        collection: &str,
        id: &str,
        policy: DeletePolicy,
    ) -> Result<Seq, EditError> {
        let wall = self.wall.corrected(now);
        self.edit(now, |replica| replica.record_delete(wall, collection, id, policy))
    }

    /// Moves a record within its collection.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn record_move(&mut self, now: Timestamp, collection: &str, id: &str, to: &Place) -> Result<Seq, EditError> {
        let wall = self.wall.corrected(now);
        self.edit(now, |replica| replica.record_move(wall, collection, id, to))
    }

    /// Takes back the last group of own edits, as far as they still stand. `None`: there was nothing to undo.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn undo(&mut self, now: Timestamp) -> Result<Option<Seq>, EditError> {
        self.travel(now, true)
    }

    /// Takes back the last undo. `None`: there was nothing to redo.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn redo(&mut self, now: Timestamp) -> Result<Option<Seq>, EditError> {
        self.travel(now, false)
    }

    fn travel(&mut self, now: Timestamp, undoing: bool) -> Result<Option<Seq>, EditError> {
        let wall = self.wall.corrected(now);
        let mut changed = false;
        let seq = self.edit(now, |replica| {
            changed = if undoing { replica.undo(wall)? } else { replica.redo(wall)? };
            Ok(())
        })?;
        Ok(changed.then_some(seq))
    }

    /// Closes the present undo group: the next edit is undone by itself.
    pub fn checkpoint(&mut self) {
        self.replica.checkpoint();
    }

    /// Whether there is something to undo.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        self.replica.can_undo()
    }

    /// Whether there is something to redo.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        self.replica.can_redo()
    }
}
