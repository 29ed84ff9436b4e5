//! Local edits: applied at once, sent as operations within a few milliseconds (SPEC S11).

use super::Engine;
use crate::{
    base::{Seq, Timestamp, limits::COALESCE_MS},
    sync::{Attributes, EditError, Replica, Value},
};

impl Engine {
    /// Inserts into a text at `index` (UTF-16 units). Answers the position of the operation it will travel in.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn insert(
        &mut self,
        now: Timestamp,
        name: &str,
        index: u32,
        text: &str,
        marks: Option<&Attributes>,
    ) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.insert(name, index, text, marks))
    }

    /// Deletes `len` UTF-16 units.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn delete(&mut self, now: Timestamp, name: &str, index: u32, len: u32) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.delete(name, index, len))
    }

    /// Marks `len` UTF-16 units; a `Null` value removes a mark.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn format(
        &mut self,
        now: Timestamp,
        name: &str,
        index: u32,
        len: u32,
        marks: &Attributes,
    ) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.format(name, index, len, marks))
    }

    /// Makes a text equal `new` by one splice.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn replace(&mut self, now: Timestamp, name: &str, new: &str) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.replace(name, new))
    }

    /// Moves `len` UTF-16 units from `from` on to before what stands at `to` now, marks included.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn move_text(&mut self, now: Timestamp, name: &str, from: u32, to: u32, len: u32) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.move_text(name, from, to, len))
    }

    /// Writes a value of a map.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn map_set(&mut self, now: Timestamp, name: &str, key: &str, value: &Value) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.map_set(name, key, value))
    }

    /// Deletes a key of a map; one that is not there is no error.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn map_delete(&mut self, now: Timestamp, name: &str, key: &str) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.map_delete(name, key))
    }

    /// Inserts items into a list at `index`.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn list_insert(&mut self, now: Timestamp, name: &str, index: u32, values: &[Value]) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.list_insert(name, index, values))
    }

    /// Deletes `len` items of a list from `index` on.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn list_delete(&mut self, now: Timestamp, name: &str, index: u32, len: u32) -> Result<Seq, EditError> {
        self.edit(now, |replica| replica.list_delete(name, index, len))
    }

    pub(super) fn edit(
        &mut self,
        now: Timestamp,
        edit: impl FnOnce(&mut Replica) -> Result<(), EditError>,
    ) -> Result<Seq, EditError> {
        self.replica.begin_edit(now);
        edit(&mut self.replica)?;
        if self.replica.has_pending() && self.commit_at.is_none() {
            // The first edit goes out at once, what follows within the window travels together.
            self.commit_at = Some(self.last_commit.map_or(now, |last| last.plus(COALESCE_MS)).max(now));
        }
        let (last, pending) = (self.replica.pending_seq(), self.replica.has_pending());
        self.advance(now);
        Ok(if pending { last.max(self.replica.next_seq() - 1) } else { last })
    }

    /// Sends waiting edits now, without the coalescing delay.
    pub fn commit_now(&mut self, now: Timestamp) {
        if self.replica.has_pending() {
            self.commit_at = Some(now);
            self.advance(now);
        }
    }
}
