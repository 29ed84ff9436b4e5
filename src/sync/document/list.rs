//! Lists: plain values in order.

use yrs::Array;

use super::{Documents, EditError, undo::Step, views};
use crate::{
    base::limits::{MAX_UPDATE_ELEMENTS, MAX_VALUE_BYTES},
    sync::{
        update::RootKind,
        value::{ListDelta, check_value, elements_of, to_any, weight_of},
    },
    wire::Value,
};

/// Elements of one update of a list, those inside values included: half of what may arrive.
const CHUNK_ELEMENTS: usize = MAX_UPDATE_ELEMENTS / 2;

impl Documents {
    /// The items; empty if there is no list of that name.
    pub(crate) fn list(&self, name: &str) -> Vec<Value> {
        self.read(name, RootKind::List, |root, txn| views::list_of(root, txn)).unwrap_or_default()
    }

    /// How many items there are.
    pub(crate) fn list_len(&self, name: &str) -> u32 {
        if !self.is_pure(name, RootKind::List) {
            return self.list(name).len() as u32;
        }
        self.read(name, RootKind::List, |root, _| root.content_len()).unwrap_or(0)
    }

    /// Inserts at `index`. Answers one update for each chunk that travels alone.
    pub(crate) fn list_insert(&mut self, name: &str, index: u32, values: &[Value]) -> Result<Vec<Vec<u8>>, EditError> {
        self.claim(name, RootKind::List)?;
        self.check_index(name, "index", u64::from(index))?;
        for value in values {
            check_value("values", value)?;
            if weight_of(value) > MAX_VALUE_BYTES {
                return Err(EditError::TooLarge { what: "a value", max: MAX_VALUE_BYTES as u64 });
            }
        }
        if values.is_empty() {
            return Ok(Vec::new());
        }
        self.open(name, RootKind::List);
        let list = self.doc.get_or_insert_array(name);
        let mut updates = Vec::new();
        let mut at = index;
        for chunk in chunks(values) {
            let update = self.edit(|txn| list.insert_range(txn, at, chunk.iter().map(to_any)));
            self.note_inserted(name, RootKind::List, &update);
            updates.push(update);
            at += chunk.len() as u32;
        }
        Ok(updates)
    }

    /// Deletes `len` items from `index` on.
    pub(crate) fn list_delete(&mut self, name: &str, index: u32, len: u32) -> Result<Vec<Vec<u8>>, EditError> {
        self.claim(name, RootKind::List)?;
        self.check_index(name, "index", u64::from(index))?;
        self.check_index(name, "length", u64::from(index) + u64::from(len))?;
        if len == 0 {
            return Ok(Vec::new());
        }
        let pieces = self.pick_items(name, index, len);
        self.note(Step::Deleted { root: name.to_owned(), kind: RootKind::List, pieces });
        let list = self.doc.get_or_insert_array(name);
        Ok(vec![self.edit(|txn| list.remove_range(txn, index, len))])
    }

    fn check_index(&self, name: &str, field: &'static str, value: u64) -> Result<(), EditError> {
        let len = self.list_len(name);
        if value > u64::from(len) { Err(EditError::OutOfRange { field, value, len }) } else { Ok(()) }
    }
}

/// Pieces that fit a payload, one value at least.
pub(super) fn chunks(values: &[Value]) -> impl Iterator<Item = &[Value]> {
    let mut rest = values;
    std::iter::from_fn(move || {
        let (mut bytes, mut elements, mut end) = (0, 0, 0);
        for value in rest {
            bytes += weight_of(value);
            elements += elements_of(value);
            if end > 0 && (bytes > MAX_VALUE_BYTES / 2 || elements > CHUNK_ELEMENTS) {
                break;
            }
            end += 1;
        }
        let (chunk, left) = rest.split_at(end);
        rest = left;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// The one splice that turns `old` into `new`.
pub(super) fn splice_delta(old: &[Value], mut new: Vec<Value>) -> Vec<ListDelta> {
    if *old == *new {
        return Vec::new();
    }
    let prefix = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let suffix = old.iter().skip(prefix).rev().zip(new.iter().skip(prefix).rev()).take_while(|(a, b)| a == b).count();
    let deleted = old.len() - suffix - prefix;
    new.truncate(new.len() - suffix);
    let inserted = new.split_off(prefix);
    let mut delta = Vec::new();
    if prefix > 0 {
        delta.push(ListDelta::Retain(prefix as u32));
    }
    if !inserted.is_empty() {
        delta.push(ListDelta::Insert(inserted));
    }
    if deleted > 0 {
        delta.push(ListDelta::Delete(deleted as u32));
    }
    delta
}
