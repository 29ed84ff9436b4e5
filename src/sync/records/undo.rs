//! What undoing an edit of records takes (SPEC U2): the values before it, and whose write must still stand for them to
//! come back. What somebody else has written since is left alone.

use std::collections::BTreeMap;

use super::{DeletePolicy, Entry, Record, Records, Stamp, Write, position::Position};
use crate::{sync::value::Fields, wire::Value};

/// The writes of one undo group, by collection and id.
pub(crate) type RecordsUndo = BTreeMap<(String, String), RecordUndo>;

/// One record before a group of edits.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordUndo {
    /// It was not there; this created it.
    created: Option<Stamp>,
    /// It was deleted then, and was this.
    deleted: Option<(Stamp, Fields, Option<Position>)>,
    cells: BTreeMap<String, (Stamp, Option<Value>)>,
    position: Option<(Stamp, Option<Position>)>,
}

impl RecordUndo {
    /// Bytes it takes, roughly.
    pub(crate) fn weight(&self) -> usize {
        let fields = self
            .deleted
            .as_ref()
            .map_or(0, |(_, fields, _)| fields.iter().map(|(name, value)| name.len() + 48 + value.weight()).sum());
        let cells =
            self.cells.iter().map(|(name, (_, value))| name.len() + 80 + value.as_ref().map_or(0, Value::weight));
        256 + fields + cells.sum::<usize>()
    }

    fn note_deletion(&mut self, record: &Record, stamp: Stamp) {
        let mut fields = record.fields();
        // What this group changed before it deleted: back to what was before the group.
        for (name, (written, prior)) in std::mem::take(&mut self.cells) {
            if record.cells.get(&name).is_some_and(|cell| cell.stamp.same_op(written)) {
                match prior {
                    Some(value) => drop(fields.insert(name, value)),
                    None => drop(fields.remove(&name)),
                }
            }
        }
        let now = record.position.as_ref();
        let position = match self.position.take() {
            Some((written, prior)) if now.is_some_and(|(stamp, _)| stamp.same_op(written)) => prior,
            _ => now.map(|(_, position)| position.clone()),
        };
        self.deleted = Some((stamp, fields, position));
    }

    fn note_write(&mut self, record: &Record, write: &Write, stamp: Stamp) {
        match write {
            Write::Set(name, _) => {
                let now = record.cells.get(name);
                let prior = now.and_then(|cell| cell.value.clone());
                let known = self.cells.get_mut(name);
                match known.filter(|(written, _)| now.is_some_and(|cell| cell.stamp.same_op(*written))) {
                    Some((written, _)) => *written = stamp,
                    None => drop(self.cells.insert(name.clone(), (stamp, prior))),
                }
            }
            Write::Place(_) => {
                let now = record.position.as_ref();
                match self.position.as_mut().filter(|(written, _)| now.is_some_and(|(at, _)| at.same_op(*written))) {
                    Some((written, _)) => *written = stamp,
                    None => self.position = Some((stamp, now.map(|(_, position)| position.clone()))),
                }
            }
            Write::Create | Write::Delete(_) => {}
        }
    }
}

impl Records {
    /// Notes what an entry is about to change, for a group that may already hold earlier edits.
    pub(crate) fn remember(&self, entry: &Entry, stamp: Stamp, group: &mut RecordsUndo) {
        let undo = group.entry((entry.collection.clone(), entry.id.clone())).or_default();
        let Some(record) = self.visible(&entry.collection, &entry.id) else {
            if undo.deleted.is_none() {
                undo.created = Some(stamp);
            }
            return;
        };
        if undo.created.is_some() || undo.deleted.is_some() {
            // It goes, or comes back, as a whole.
            return;
        }
        if entry.writes.iter().any(|write| matches!(write, Write::Delete(_))) {
            undo.note_deletion(record, stamp);
            return;
        }
        for write in &entry.writes {
            undo.note_write(record, write, stamp);
        }
    }

    /// The writes that take a group back, as far as its own writes still stand.
    pub(crate) fn revert(&self, group: &RecordsUndo) -> Vec<Entry> {
        let entries = group.iter().map(|((collection, id), undo)| {
            let writes = self.record(collection, id).map(|record| revert(record, undo)).unwrap_or_default();
            Entry { collection: collection.clone(), id: id.clone(), writes }
        });
        entries.filter(|entry| !entry.writes.is_empty()).collect()
    }
}

fn revert(record: &Record, undo: &RecordUndo) -> Vec<Write> {
    let is_visible = record.is_visible();
    if let Some(created) = undo.created {
        let own = is_visible && record.created.is_some_and(|stamp| stamp.same_op(created));
        return if own { vec![Write::Delete(DeletePolicy::DeleteWins)] } else { Vec::new() };
    }
    if let Some((deleted, fields, position)) = &undo.deleted {
        return revive(record, *deleted, fields, position.as_ref());
    }
    if !is_visible {
        return Vec::new();
    }
    let mut writes = Vec::new();
    for (name, (written, prior)) in &undo.cells {
        let now = record.cells.get(name);
        if now.is_some_and(|cell| cell.stamp.same_op(*written) && cell.value != *prior) {
            writes.push(Write::Set(name.clone(), prior.clone()));
        }
    }
    if let Some((written, Some(prior))) = &undo.position
        && record.position.as_ref().is_some_and(|(stamp, now)| stamp.same_op(*written) && now != prior)
    {
        writes.push(Write::Place(prior.clone()));
    }
    writes
}

fn revive(record: &Record, deleted: Stamp, fields: &Fields, position: Option<&Position>) -> Vec<Write> {
    let mut writes = Vec::new();
    if record.is_visible() {
        // Deleted and created again by the same group, or by somebody else, whose record it is now.
        if !record.created.is_some_and(|stamp| stamp.writer == deleted.writer) {
            return writes;
        }
        let now = record.fields();
        let gone = now.keys().filter(|name| !fields.contains_key(*name));
        writes.extend(gone.map(|name| Write::Set(name.clone(), None)));
        let back = fields.iter().filter(|(name, value)| now.get(*name) != Some(value));
        writes.extend(back.map(|(name, value)| Write::Set(name.clone(), Some(value.clone()))));
        return writes;
    }
    if !record.erased.max(record.hidden).is_some_and(|stamp| stamp.same_op(deleted)) {
        return writes;
    }
    writes.push(Write::Create);
    if record.position.is_none() {
        writes.extend(position.map(|position| Write::Place(position.clone())));
    }
    // What somebody wrote at the same time, and the deletion did not reach, stays.
    let missing = fields.iter().filter(|(name, _)| !record.cells.contains_key(*name));
    writes.extend(missing.map(|(name, value)| Write::Set(name.clone(), Some(value.clone()))));
    writes
}
