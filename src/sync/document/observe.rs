//! What a transaction changed, as the application is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use yrs::{
    DeepObservable, Map, ReadTxn, TransactionMut,
    types::{Change as YChange, EntryChange, Event, Events, PathSegment},
};

use super::views::{list_of, value_of};
use crate::{
    sync::{
        update::{Holds, RootKind},
        value::{Change, ListChange, ListDelta, MapChange, TextChange, from_delta},
    },
    wire::Value,
};

/// What observers have seen and nobody has fetched.
#[derive(Default)]
pub(super) struct Seen {
    /// Changes, in order.
    pub(super) changes: Vec<Change>,
    /// Whether nobody asks what the present transaction changes.
    pub(super) quiet: bool,
    /// Content of the update that is being applied.
    pub(super) holds: Holds,
    /// Texts and lists into which an update came that holds content they cannot have. It may have gone elsewhere.
    pub(super) suspects: BTreeSet<String>,
}

/// [`Seen`], shared with the observers that yrs keeps.
#[derive(Clone, Default)]
pub(super) struct Sight(Arc<Mutex<Seen>>);

impl Sight {
    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Observes a root from now on, also what is nested in it.
    pub(super) fn watch(&self, root: &impl DeepObservable, name: &str, kind: RootKind) {
        let (sight, name) = (self.clone(), name.to_owned());
        root.observe_deep("peersync", move |txn, events| {
            let quiet = sight.lock().quiet;
            let mut found = if quiet { Vec::new() } else { changes(&name, kind, txn, events) };
            let mut seen = sight.lock();
            let foreign = match kind {
                RootKind::Text => seen.holds.values,
                RootKind::List => seen.holds.text,
                RootKind::Map => false,
            };
            if foreign {
                seen.suspects.insert(name.clone());
            }
            seen.changes.append(&mut found);
        });
    }
}

/// How the root `name` changed. What changed inside a nested type is told as the new value of its key or item.
fn changes(name: &str, kind: RootKind, txn: &TransactionMut, events: &Events<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    let (mut entries, mut items) = (BTreeMap::new(), BTreeSet::new());
    for event in events.iter() {
        match (event.path().front(), event) {
            (None, Event::Text(event)) => {
                let delta = event.delta(txn).iter().map(from_delta).collect::<Vec<_>>();
                if !delta.is_empty() {
                    found.push(Change::Text(TextChange { document: name.to_owned(), delta }));
                }
            }
            (None, Event::Array(event)) => {
                let delta = event.delta(txn).iter().map(|step| list_delta(step, txn)).collect::<Vec<_>>();
                found.extend(list_change(name, delta));
            }
            (None, Event::Map(event)) => {
                let keys = event.keys(txn).iter();
                entries.extend(keys.map(|(key, change)| (key.to_string(), entry(change, txn))));
            }
            (Some(PathSegment::Key(key)), _) if kind == RootKind::Map => {
                if let Some(value) = txn.get_map(name).and_then(|map| map.get(txn, key)) {
                    entries.insert(key.to_string(), Some(value_of(&value, txn)));
                }
            }
            (Some(PathSegment::Index(index)), _) if kind == RootKind::List => {
                items.insert(*index);
            }
            _ => {}
        }
    }
    if !entries.is_empty() {
        found.push(Change::Map(MapChange { map: name.to_owned(), entries }));
    }
    if let Some(list) = txn.get_array(name).filter(|_| !items.is_empty()) {
        let mut values = list_of(list.as_ref(), txn);
        for index in items {
            if let Some(value) = values.get_mut(index as usize) {
                let value = std::mem::replace(value, Value::Null);
                let delta = vec![ListDelta::Retain(index), ListDelta::Insert(vec![value]), ListDelta::Delete(1)];
                found.extend(list_change(name, delta));
            }
        }
    }
    found
}

fn list_change(name: &str, mut delta: Vec<ListDelta>) -> Option<Change> {
    delta.retain(|step| *step != ListDelta::Retain(0));
    (!delta.is_empty()).then(|| Change::List(ListChange { list: name.to_owned(), delta }))
}

fn list_delta(step: &YChange, txn: &TransactionMut) -> ListDelta {
    match step {
        YChange::Added(values) => ListDelta::Insert(values.iter().map(|value| value_of(value, txn)).collect()),
        YChange::Removed(len) => ListDelta::Delete(*len),
        YChange::Retain(len) => ListDelta::Retain(*len),
    }
}

fn entry(change: &EntryChange, txn: &TransactionMut) -> Option<Value> {
    match change {
        EntryChange::Inserted(value) | EntryChange::Updated(_, value) => Some(value_of(value, txn)),
        EntryChange::Removed(_) => None,
    }
}
