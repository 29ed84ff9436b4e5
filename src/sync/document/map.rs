//! Maps: plain values by key. The last of concurrent writes counts, by Yjs's order.

use std::collections::BTreeMap;

use yrs::{Map, MapRef, branch::BranchPtr};

use super::{Documents, EditError, undo::Step, views};
use crate::{
    base::limits::MAX_VALUE_BYTES,
    sync::{
        update::RootKind,
        value::{check_key, check_value, to_any, weight_of},
    },
    wire::Value,
};

impl Documents {
    /// The values by key; empty if there is no map of that name.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, Value> {
        self.read(name, RootKind::Map, |root, txn| views::map_of(root, txn)).unwrap_or_default()
    }

    /// One value.
    pub(crate) fn map_get(&self, name: &str, key: &str) -> Option<Value> {
        let value = self.read(name, RootKind::Map, |root, txn| {
            Some(views::value_of(&MapRef::from(BranchPtr::from(root)).get(txn, key)?, txn))
        });
        value.flatten()
    }

    /// Writes a value.
    pub(crate) fn map_set(&mut self, name: &str, key: &str, value: &Value) -> Result<Vec<Vec<u8>>, EditError> {
        self.claim(name, RootKind::Map)?;
        check_key("key", key)?;
        check_value("value", value)?;
        if weight_of(value) > MAX_VALUE_BYTES {
            return Err(EditError::TooLarge { what: "the value", max: MAX_VALUE_BYTES as u64 });
        }
        self.open(name, RootKind::Map);
        self.note_set(name, key, Some(value));
        Ok(vec![self.write_key(name, key, value)])
    }

    /// Deletes a key. No update if it is not there.
    pub(crate) fn map_delete(&mut self, name: &str, key: &str) -> Result<Vec<Vec<u8>>, EditError> {
        self.claim(name, RootKind::Map)?;
        check_key("key", key)?;
        if self.map_get(name, key).is_none() {
            return Ok(Vec::new());
        }
        self.note_set(name, key, None);
        Ok(vec![self.remove_key(name, key)])
    }

    fn note_set(&mut self, name: &str, key: &str, after: Option<&Value>) {
        let (before, after) = (self.map_get(name, key), after.cloned());
        self.note(Step::Set { root: name.to_owned(), key: key.to_owned(), before, after });
    }

    pub(super) fn write_key(&mut self, name: &str, key: &str, value: &Value) -> Vec<u8> {
        let map = self.doc.get_or_insert_map(name);
        self.edit(|txn| {
            map.insert(txn, key, to_any(value));
        })
    }

    pub(super) fn remove_key(&mut self, name: &str, key: &str) -> Vec<u8> {
        let map = self.doc.get_or_insert_map(name);
        self.edit(|txn| {
            map.remove(txn, key);
        })
    }
}
