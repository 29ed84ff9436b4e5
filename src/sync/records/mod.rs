//! Records: collections of objects whose fields are last-writer-wins registers, in an order of their own (SPEC §5.3).
//!
//! Per field the write with the greatest stamp counts. A stamp is the operation's hybrid clock, then its writer, then
//! the write's number within the operation: no two writes share one, so that replicas agree in whatever order they
//! learn of them.

mod patch;
mod plan;
mod position;
mod state;
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
        let mut touched: BTreeMap<&str, Touched<'_>> = BTreeMap::new();
        for entry in entries {
            let collection = touched.entry(&entry.collection).or_default();
            collection.entry(&entry.id).or_default().push((entry, number));
            number = number.saturating_add(entry.writes.len() as u32);
        }
        let mut changes = Vec::new();
        for (name, records) in touched {
            let collection = self.collections.entry(name.to_owned()).or_default();
            let happened = collection.apply(records, Stamp { hlc, writer, number: 0 });
            if !happened.is_empty() {
                changes.push(RecordsChange { collection: name.to_owned(), changes: happened });
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

/// Entries of one operation by record, each with the number of its first write.
type Touched<'a> = BTreeMap<&'a str, Vec<(&'a Entry, u32)>>;

/// One record before an operation, as far as the operation may change it.
struct Earlier<'a> {
    id: &'a str,
    visible: bool,
    key: Position,
    fields: PackedFields,
    /// Fields that the operation names.
    named: BTreeSet<&'a str>,
}

impl Collection {
    /// Applies writes, by record: each is looked at once before and once after, however often an operation turns it.
    fn apply(&mut self, touched: Touched<'_>, stamp: Stamp) -> Vec<RecordChange> {
        let mut earlier = Vec::new();
        for (id, entries) in touched {
            let record = self.records.entry(id.to_owned()).or_default();
            earlier.push(Earlier::of(id, record, &entries));
            for (entry, first) in entries {
                for (at, write) in (first..).zip(&entry.writes) {
                    record.write(write, Stamp { number: at, ..stamp });
                }
            }
        }
        let mut changes = Vec::new();
        let mut later = Vec::new();
        for before in earlier {
            let Some(record) = self.records.get(before.id) else { continue };
            let (visible, key) = (record.is_visible(), record.order_key());
            if before.visible && (!visible || key != before.key) {
                self.order.remove(&(before.key.clone(), before.id.to_owned()));
            }
            match (before.visible, visible) {
                (true, false) => changes.push(RecordChange::Delete { id: before.id.to_owned() }),
                (_, true) => later.push((key, before)),
                (false, false) => {}
            }
        }
        // From the end, so that what a record is put before is already where it belongs.
        later.sort_by(|(one, a), (other, b)| (other, b.id).cmp(&(one, a.id)));
        for (key, before) in later {
            self.note_change(key, &before, &mut changes);
        }
        changes
    }

    fn note_change(&mut self, key: Position, before: &Earlier<'_>, changes: &mut Vec<RecordChange>) {
        let id = before.id.to_owned();
        if !before.visible || key != before.key {
            self.order.insert((key.clone(), id.clone()));
        }
        let Some(record) = self.records.get(before.id) else { return };
        if !before.visible {
            let (fields, before) = (record.fields(), self.follower(&key, &id));
            changes.push(RecordChange::Insert { id, fields, before });
            return;
        }
        if key != before.key {
            changes.push(RecordChange::Move { id: id.clone(), before: self.follower(&key, &id) });
        }
        let fields = before.differences(record);
        if !fields.is_empty() {
            changes.push(RecordChange::Update { id, fields });
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

impl<'a> Earlier<'a> {
    fn of(id: &'a str, record: &Record, entries: &[(&'a Entry, u32)]) -> Self {
        let visible = record.is_visible();
        let writes = || entries.iter().flat_map(|(entry, _)| &entry.writes);
        let named = writes().filter_map(|write| match write {
            Write::Set(name, _) => Some(name.as_str()),
            _ => None,
        });
        let named = named.into_set();
        let fields = if !visible {
            PackedFields::new()
        } else if writes().any(|write| matches!(write, Write::Delete(_))) {
            record.packed()
        } else {
            named.iter().filter_map(|name| Some(((*name).to_owned(), record.value(name)?.clone()))).into_map()
        };
        Self { id, visible, key: record.order_key(), fields, named }
    }

    fn differences(&self, record: &Record) -> BTreeMap<String, Option<Value>> {
        let names = self.named.iter().copied().chain(self.fields.keys().map(String::as_str)).into_set();
        let differs = |name: &&str| record.value(name) != self.fields.get(*name);
        let changed = names.into_iter().filter(differs);
        changed.map(|name| (name.to_owned(), record.value(name).map(Packed::value))).into_map()
    }
}

fn field_differences(old: &PackedFields, new: &PackedFields) -> BTreeMap<String, Option<Value>> {
    let names = old.keys().chain(new.keys()).into_set();
    let differs = |name: &&String| old.get(*name) != new.get(*name);
    names.into_iter().filter(differs).map(|name| (name.clone(), new.get(name).map(Packed::value))).into_map()
}

#[cfg(all(test, has_proptest))]
mod tests;
