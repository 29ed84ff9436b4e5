//! Local edits of the Yjs document: texts, maps, lists.

use super::Replica;
use crate::{
    sync::{
        document::{EditError, splice},
        value::Attributes,
    },
    wire::Value,
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

    /// Moves `len` units from `from` on to before what stands at `to` now, marks included.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn move_text(&mut self, name: &str, from: u32, to: u32, len: u32) -> Result<(), EditError> {
        self.edit(|documents| documents.move_text(name, from, to, len))
    }

    /// Writes a value of a map.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn map_set(&mut self, name: &str, key: &str, value: &Value) -> Result<(), EditError> {
        self.edit(|documents| documents.map_set(name, key, value))
    }

    /// Deletes a key of a map. A key that is not there is no error, and no edit.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn map_delete(&mut self, name: &str, key: &str) -> Result<(), EditError> {
        self.edit(|documents| documents.map_delete(name, key))
    }

    /// Inserts items into a list at `index`.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn list_insert(&mut self, name: &str, index: u32, values: &[Value]) -> Result<(), EditError> {
        self.edit(|documents| documents.list_insert(name, index, values))
    }

    /// Deletes `len` items of a list from `index` on.
    ///
    /// # Errors
    /// [`EditError`]; nothing has changed.
    pub fn list_delete(&mut self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        self.edit(|documents| documents.list_delete(name, index, len))
    }
}
