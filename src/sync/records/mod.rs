//! Records: collections of objects whose fields are last-writer-wins registers, in an order of their own (SPEC §5.3).
//!
//! Per field the write with the greatest stamp counts. A stamp is the operation's hybrid clock, then its writer, then
//! the write's number within the operation: no two writes share one, so that replicas agree in whatever order they
//! learn of them.

mod patch;
mod plan;
mod position;
mod undo;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use crate::{
    base::{Hlc, Ordered, WriterId},
    sync::value::{Fields, RecordChange, RecordsChange},
    wire::Value,
};

pub use patch::DeletePolicy;
use patch::Packed;
pub(crate) use patch::{Entry, Write, decode, encode, encoded_len};
pub(crate) use plan::Plan;
pub use plan::{Place, RecordError, RecordWrite};
use position::Position;
pub(crate) use undo::{RecordsUndo, Reversal, Standings};

/// When and by whom something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) hlc: Hlc,
    pub(crate) writer: WriterId,
    /// Number of the write within its operation.
    pub(crate) number: u32,
}

#[derive(Clone, Debug)]
struct Cell {
    stamp: Stamp,
    value: Option<Packed>,
}

type PackedFields = BTreeMap<String, Packed>;

/// What is known of one id. Kept after a deletion, without what the deletion erased.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    created: Option<Stamp>,
    /// The latest deletion that wins over updates: nothing older exists any more.
    erased: Option<Stamp>,
    /// The latest deletion that a later write undoes.
    hidden: Option<Stamp>,
    position: Option<(Stamp, Position)>,
    cells: BTreeMap<String, Cell>,
}

/// One ordered collection.
#[derive(Clone, Debug, Default)]
struct Collection {
    records: BTreeMap<String, Record>,
    /// What is there, as it stands.
    order: BTreeSet<(Position, String)>,
}

/// All collections of a room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    collections: BTreeMap<String, Collection>,
}

impl Record {
    fn is_visible(&self) -> bool {
        if self.created.is_none() || self.created < self.erased {
            return false;
        }
        self.hidden.is_none() || self.latest_write() > self.hidden
    }

    fn latest_write(&self) -> Option<Stamp> {
        let cells = self.cells.values().map(|cell| cell.stamp);
        cells.chain(self.created).chain(self.position.as_ref().map(|(stamp, _)| *stamp)).max()
    }

    fn order_key(&self) -> Position {
        self.position.as_ref().map(|(_, position)| position.clone()).unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&Packed> {
        self.cells.get(name)?.value.as_ref()
    }

    fn fields(&self) -> Fields {
        let set = self.cells.iter().filter_map(|(name, cell)| Some((name.clone(), cell.value.as_ref()?.value())));
        set.into_map()
    }

    fn packed(&self) -> PackedFields {
        let set = self.cells.iter().filter_map(|(name, cell)| Some((name.clone(), cell.value.clone()?)));
        set.into_map()
    }

    fn write(&mut self, write: &Write, stamp: Stamp) {
        // What a deletion erased stays erased, in whatever order it is learnt of.
        if self.erased.is_some_and(|erased| stamp <= erased) && !matches!(write, Write::Delete(_)) {
            return;
        }
        match write {
            Write::Create => self.created = self.created.max(Some(stamp)),
            Write::Set(name, value) => {
                if self.cells.get(name).is_none_or(|cell| cell.stamp <= stamp) {
                    self.cells.insert(name.clone(), Cell { stamp, value: value.clone() });
                }
            }
            Write::Place(position) => {
                if self.position.as_ref().is_none_or(|(known, _)| *known <= stamp) {
                    self.position = Some((stamp, position.clone()));
                }
            }
            Write::Delete(DeletePolicy::UpdateWins) => self.hidden = self.hidden.max(Some(stamp)),
            Write::Delete(DeletePolicy::DeleteWins) => self.erase(stamp),
        }
    }

    fn erase(&mut self, stamp: Stamp) {
        self.erased = self.erased.max(Some(stamp));
        let erased = self.erased;
        self.cells.retain(|_, cell| Some(cell.stamp) > erased);
        self.position.take_if(|(written, _)| Some(*written) < erased);
        self.created.take_if(|created| Some(*created) < erased);
        self.hidden.take_if(|hidden| Some(*hidden) < erased);
    }
}

impl Records {
    /// Applies the writes of one operation (or of a part of one: `first` is the number of its first write). Answers
    /// what changed, by collection.
    pub(crate) fn apply(&mut self, entries: &[Entry], hlc: Hlc, writer: WriterId, first: u32) -> Vec<RecordsChange> {
        let mut number = first;
        let mut changes: Vec<RecordsChange> = Vec::new();
        for entry in entries {
            let collection = self.collections.entry(entry.collection.clone()).or_default();
            let happened = collection.apply(entry, Stamp { hlc, writer, number });
            number = number.saturating_add(entry.writes.len() as u32);
            match changes.last_mut().filter(|last| last.collection == entry.collection) {
                Some(last) => last.changes.extend(happened),
                None if happened.is_empty() => {}
                None => {
                    changes.push(RecordsChange { collection: entry.collection.clone(), changes: happened });
                }
            }
        }
        changes
    }

    /// Names of the collections that have records, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let filled = self.collections.iter().filter(|(_, collection)| !collection.order.is_empty());
        filled.map(|(name, _)| name.as_str())
    }

    /// A collection's records as they stand.
    pub(crate) fn list(&self, collection: &str) -> impl Iterator<Item = (&str, Fields)> {
        let collection = self.collections.get(collection);
        collection.into_iter().flat_map(|collection| {
            let known = |id: &str| collection.records.get(id).map(Record::fields).unwrap_or_default();
            collection.order.iter().map(move |(_, id)| (id.as_str(), known(id)))
        })
    }

    /// Ids of a collection as they stand.
    pub(crate) fn ids(&self, collection: &str) -> impl Iterator<Item = &str> {
        let collection = self.collections.get(collection);
        collection.into_iter().flat_map(|collection| collection.order.iter().map(|(_, id)| id.as_str()))
    }

    /// How many records are in a collection.
    pub(crate) fn len(&self, collection: &str) -> usize {
        self.collections.get(collection).map_or(0, |collection| collection.order.len())
    }

    /// A record's fields, if it is there.
    pub(crate) fn fields(&self, collection: &str, id: &str) -> Option<Fields> {
        self.visible(collection, id).map(Record::fields)
    }

    /// What turns `self` into `later`, by collection.
    pub(crate) fn differences(&self, later: &Self) -> Vec<RecordsChange> {
        let names = self.collections.keys().chain(later.collections.keys()).into_set();
        let empty = Collection::default();
        let changes = names.into_iter().filter_map(|name| {
            let old = self.collections.get(name).unwrap_or(&empty);
            let changes = old.differences(later.collections.get(name).unwrap_or(&empty));
            (!changes.is_empty()).then(|| RecordsChange { collection: name.clone(), changes })
        });
        changes.collect()
    }

    fn visible(&self, collection: &str, id: &str) -> Option<&Record> {
        self.record(collection, id).filter(|record| record.is_visible())
    }

    fn record(&self, collection: &str, id: &str) -> Option<&Record> {
        self.collections.get(collection)?.records.get(id)
    }
}

impl Collection {
    fn apply(&mut self, entry: &Entry, first: Stamp) -> Vec<RecordChange> {
        let record = self.records.entry(entry.id.clone()).or_default();
        let was_visible = record.is_visible();
        let old_key = record.order_key();
        let old_fields = if was_visible { touched(record, entry) } else { PackedFields::new() };
        for (at, write) in entry.writes.iter().enumerate() {
            let number = first.number.saturating_add(at as u32);
            record.write(write, Stamp { number, ..first });
        }
        let (is_visible, key) = (record.is_visible(), record.order_key());
        let moved = key != old_key;
        let updates = changed(record, entry, &old_fields);
        let all = if is_visible && !was_visible { record.fields() } else { Fields::new() };
        if was_visible && (moved || !is_visible) {
            self.order.remove(&(old_key, entry.id.clone()));
        }
        if is_visible && (moved || !was_visible) {
            self.order.insert((key.clone(), entry.id.clone()));
        }
        let id = entry.id.clone();
        match (was_visible, is_visible) {
            (false, false) => Vec::new(),
            (true, false) => vec![RecordChange::Delete { id }],
            (false, true) => {
                let before = self.follower(&key, &id);
                vec![RecordChange::Insert { id, fields: all, before }]
            }
            (true, true) => {
                let mut changes = Vec::new();
                if moved {
                    let before = self.follower(&key, &id);
                    changes.push(RecordChange::Move { id: id.clone(), before });
                }
                if !updates.is_empty() {
                    changes.push(RecordChange::Update { id, fields: updates });
                }
                changes
            }
        }
    }

    /// The record that stands behind this one.
    fn follower(&self, key: &[u8], id: &str) -> Option<String> {
        let place = (key.to_vec(), id.to_owned());
        self.order.range((Bound::Excluded(place), Bound::Unbounded)).next().map(|(_, id)| id.clone())
    }

    fn differences(&self, later: &Self) -> Vec<RecordChange> {
        let mut changes = Vec::new();
        let is_there = |collection: &Self, id: &str| collection.records.get(id).is_some_and(Record::is_visible);
        for (_, id) in &self.order {
            if !is_there(later, id) {
                changes.push(RecordChange::Delete { id: id.clone() });
            }
        }
        // From the end, so that what a record is put before is already where it belongs.
        let mut before: Option<String> = None;
        for (key, id) in later.order.iter().rev() {
            let (Some(new), old) = (later.records.get(id), self.records.get(id)) else { continue };
            match old.filter(|record| record.is_visible()) {
                None => {
                    let (id, before) = (id.clone(), before.clone());
                    changes.push(RecordChange::Insert { id, fields: new.fields(), before });
                }
                Some(old) => {
                    if old.order_key() != *key {
                        changes.push(RecordChange::Move { id: id.clone(), before: before.clone() });
                    }
                    let (was, is) = (old.packed(), new.packed());
                    let fields = field_differences(&was, &is);
                    if !fields.is_empty() {
                        changes.push(RecordChange::Update { id: id.clone(), fields });
                    }
                }
            }
            before = Some(id.clone());
        }
        changes
    }
}

/// Values of what an entry may change; all of them if it deletes.
fn touched(record: &Record, entry: &Entry) -> PackedFields {
    if entry.writes.iter().any(|write| matches!(write, Write::Delete(_))) {
        return record.packed();
    }
    let names = entry.writes.iter().filter_map(|write| match write {
        Write::Set(name, _) => Some(name),
        _ => None,
    });
    names.filter_map(|name| Some((name.clone(), record.value(name)?.clone()))).into_map()
}

fn changed(record: &Record, entry: &Entry, old: &PackedFields) -> BTreeMap<String, Option<Value>> {
    let names = entry
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::Set(name, _) => Some(name),
            _ => None,
        })
        .chain(old.keys())
        .into_set();
    let differs = |name: &&String| record.value(name) != old.get(*name);
    names.into_iter().filter(differs).map(|name| (name.clone(), record.value(name).map(Packed::value))).into_map()
}

fn field_differences(old: &PackedFields, new: &PackedFields) -> BTreeMap<String, Option<Value>> {
    let names = old.keys().chain(new.keys()).into_set();
    let differs = |name: &&String| old.get(*name) != new.get(*name);
    names.into_iter().filter(differs).map(|name| (name.clone(), new.get(name).map(Packed::value))).into_map()
}

#[cfg(all(test, has_proptest))]
mod tests;
