//! What undoing an edit of records takes (SPEC U2): the values before it, and whose write must still stand for them to
//! come back. What somebody else has written since is left alone.
//!
//! A write that undo makes *stands for* the one that it brings back, so that the step before can be undone too.

use std::collections::BTreeMap;

use super::{DeletePolicy, Entry, Packed, Record, Records, Stamp, Write, position::Position};
use crate::base::limits::MAX_STANDINGS;

/// Which write a write of undo or redo stands for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings(BTreeMap<Stamp, Stamp>);

impl Standings {
    pub(crate) fn note(&mut self, written: Stamp, stands_for: Stamp) {
        self.0.insert(written, self.of(stands_for));
        if self.0.len() > MAX_STANDINGS {
            self.0.pop_first();
        }
    }

    /// The write that one stands for; itself, if it is no undo.
    fn of(&self, stamp: Stamp) -> Stamp {
        self.0.get(&stamp).copied().unwrap_or(stamp)
    }

    fn same(&self, one: Option<Stamp>, other: Stamp) -> bool {
        one.is_some_and(|one| self.of(one) == self.of(other))
    }
}

/// An entry that takes something back, and for each of its writes what it stands for.
pub(crate) type Reversal = (Entry, Vec<Option<Stamp>>);

/// The writes of one undo group, by collection and id.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordsUndo {
    records: BTreeMap<(String, String), RecordUndo>,
    weight: usize,
}

impl RecordsUndo {
    /// Bytes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

/// A cell before: its write, and its value.
type Before = (Stamp, Option<Packed>);

/// One record before a group of edits.
#[derive(Clone, Debug, Default)]
struct RecordUndo {
    /// It was not there, perhaps for a deletion; this created it.
    created: Option<(Stamp, Option<Stamp>)>,
    deleted: Option<Deleted>,
    /// By field: this write, and what was there before.
    cells: BTreeMap<String, (Stamp, Option<Before>)>,
    position: Option<(Stamp, Option<(Stamp, Position)>)>,
}

/// It was there, and was this.
#[derive(Clone, Debug)]
struct Deleted {
    stamp: Stamp,
    created: Option<Stamp>,
    fields: BTreeMap<String, (Stamp, Packed)>,
    position: Option<(Stamp, Position)>,
}

impl RecordUndo {
    fn weight(&self) -> usize {
        let fields = self
            .deleted
            .as_ref()
            .map_or(0, |deleted| deleted.fields.iter().map(|(name, (_, value))| name.len() + 80 + value.len()).sum());
        let value =
            |before: &Option<Before>| before.as_ref().and_then(|(_, value)| value.as_ref()).map_or(0, Packed::len);
        let cells = self.cells.iter().map(|(name, (_, before))| name.len() + 128 + value(before));
        320 + fields + cells.sum::<usize>()
    }

    fn note(&mut self, known: Option<&Record>, entry: &Entry, first: Stamp) {
        let at = |write: usize| Stamp { number: first.number.saturating_add(write as u32), ..first };
        let Some(record) = known.filter(|record| record.is_visible()) else {
            let create = entry.writes.iter().position(|write| *write == Write::Create);
            if let (None, Some(create)) = (&self.deleted, create) {
                let gone = known.and_then(|record| record.erased.max(record.hidden));
                self.created = Some((at(create), gone));
            }
            return;
        };
        if self.created.is_some() || self.deleted.is_some() {
            // It goes, or comes back, as a whole.
            return;
        }
        let delete = entry.writes.iter().position(|write| matches!(write, Write::Delete(_)));
        if let Some(delete) = delete {
            self.note_deletion(record, at(delete));
            return;
        }
        for (number, write) in entry.writes.iter().enumerate() {
            self.note_write(record, write, at(number));
        }
    }

    fn note_deletion(&mut self, record: &Record, stamp: Stamp) {
        let mut fields = BTreeMap::new();
        let mut cells = std::mem::take(&mut self.cells);
        for (name, cell) in &record.cells {
            let before = match cells.remove(name) {
                // What this group changed before it deleted: back to what was before the group.
                Some((written, before)) if written == cell.stamp => before,
                _ => Some((cell.stamp, cell.value.clone())),
            };
            if let Some((stamp, Some(value))) = before {
                fields.insert(name.clone(), (stamp, value));
            }
        }
        let position = match (self.position.take(), &record.position) {
            (Some((written, before)), Some((now, _))) if written == *now => before,
            (_, now) => now.clone(),
        };
        self.deleted = Some(Deleted { stamp, created: record.created, fields, position });
    }

    fn note_write(&mut self, record: &Record, write: &Write, stamp: Stamp) {
        match write {
            Write::Set(name, _) => {
                let now = record.cells.get(name);
                let known = self.cells.get_mut(name);
                match known.filter(|(written, _)| now.is_some_and(|cell| cell.stamp == *written)) {
                    Some((written, _)) => *written = stamp,
                    None => {
                        let before = now.map(|cell| (cell.stamp, cell.value.clone()));
                        self.cells.insert(name.clone(), (stamp, before));
                    }
                }
            }
            Write::Place(_) => {
                let now = record.position.as_ref();
                match self.position.as_mut().filter(|(written, _)| now.is_some_and(|(at, _)| at == written)) {
                    Some((written, _)) => *written = stamp,
                    None => self.position = Some((stamp, now.cloned())),
                }
            }
            Write::Create | Write::Delete(_) => {}
        }
    }

    fn revert(&self, record: &Record, standings: &Standings) -> Vec<(Write, Option<Stamp>)> {
        let is_visible = record.is_visible();
        if let Some((created, gone)) = self.created {
            // What somebody else has written to is no longer this user's alone; a deletion of its own is done again.
            let is_deletion = gone.is_some_and(|gone| gone.writer == created.writer);
            let shared = !is_deletion && record.cells.values().any(|cell| cell.stamp.writer != created.writer);
            let own = is_visible && !shared && standings.same(record.created, created);
            return if own { vec![(Write::Delete(DeletePolicy::DeleteWins), gone)] } else { Vec::new() };
        }
        if let Some(deleted) = &self.deleted {
            return if is_visible { deleted.restore(record) } else { deleted.revive(record, standings) };
        }
        if !is_visible {
            return Vec::new();
        }
        let mut writes = Vec::new();
        for (name, (written, before)) in &self.cells {
            let Some(now) = record.cells.get(name).filter(|cell| standings.same(Some(cell.stamp), *written)) else {
                continue;
            };
            let (stamp, value) = before.clone().map_or((None, None), |(stamp, value)| (Some(stamp), value));
            if now.value != value {
                writes.push((Write::Set(name.clone(), value), stamp));
            }
        }
        if let (Some((written, Some((stamp, before)))), Some((now, position))) = (&self.position, &record.position)
            && standings.same(Some(*now), *written)
            && position != before
        {
            writes.push((Write::Place(before.clone()), Some(*stamp)));
        }
        writes
    }
}

impl Deleted {
    fn revive(&self, record: &Record, standings: &Standings) -> Vec<(Write, Option<Stamp>)> {
        if !standings.same(record.erased.max(record.hidden), self.stamp) {
            return Vec::new();
        }
        let mut writes = vec![(Write::Create, self.created)];
        if let (None, Some((stamp, position))) = (&record.position, &self.position) {
            writes.push((Write::Place(position.clone()), Some(*stamp)));
        }
        // What somebody wrote at the same time, and the deletion did not reach, stays.
        let missing = self.fields.iter().filter(|(name, _)| !record.cells.contains_key(*name));
        writes.extend(
            missing.map(|(name, (stamp, value))| (Write::Set(name.clone(), Some(value.clone())), Some(*stamp))),
        );
        writes
    }

    /// Deleted and created again by the same group; or by somebody else, whose record it is now.
    fn restore(&self, record: &Record) -> Vec<(Write, Option<Stamp>)> {
        if record.created.is_none_or(|stamp| stamp.writer != self.stamp.writer) {
            return Vec::new();
        }
        let now = record.packed();
        let gone = now.keys().filter(|name| !self.fields.contains_key(*name));
        let gone = gone.map(|name| (Write::Set(name.clone(), None), None));
        let back = self.fields.iter().filter(|(name, (_, value))| now.get(*name) != Some(value));
        let back = back.map(|(name, (stamp, value))| (Write::Set(name.clone(), Some(value.clone())), Some(*stamp)));
        let place = self.position.iter().filter(|(_, position)| *position != record.order_key());
        let place = place.map(|(stamp, position)| (Write::Place(position.clone()), Some(*stamp)));
        gone.chain(back).chain(place).collect()
    }
}

impl Records {
    /// Notes what an entry is about to change, for a group that may already hold earlier edits. `first` is the stamp
    /// of its first write.
    pub(crate) fn remember(&self, entry: &Entry, first: Stamp, group: &mut RecordsUndo) {
        let undo = group.records.entry((entry.collection.clone(), entry.id.clone())).or_default();
        let before = undo.weight();
        undo.note(self.record(&entry.collection, &entry.id), entry, first);
        group.weight = (group.weight + undo.weight()).saturating_sub(before);
    }

    /// The writes that take a group back, as far as its own writes still stand.
    pub(crate) fn revert(&self, group: &RecordsUndo, standings: &Standings) -> Vec<Reversal> {
        let reversals = group.records.iter().filter_map(|((collection, id), undo)| {
            let reversal = undo.revert(self.record(collection, id)?, standings);
            let (writes, stands_for): (Vec<Write>, Vec<_>) = reversal.into_iter().unzip();
            let entry = Entry { collection: collection.clone(), id: id.clone(), writes };
            (!entry.writes.is_empty()).then_some((entry, stands_for))
        });
        reversals.collect()
    }
}
