//! An application that knows only what it was told: events, replayed, must add up to the state (SPEC T4, L2).

use std::collections::BTreeMap;

use peersync::{
    engine::Engine,
    sync::{Change, Delta, Fields, ListDelta, RecordChange, Value},
};

#[derive(Debug, Default)]
pub struct Listener {
    texts: BTreeMap<String, Vec<u16>>,
    maps: BTreeMap<String, BTreeMap<String, Value>>,
    lists: BTreeMap<String, Vec<Value>>,
    records: BTreeMap<String, Vec<(String, Fields)>>,
}

impl Listener {
    /// One that starts to listen to a room that was read back.
    pub fn of(engine: &Engine) -> Self {
        let replica = engine.replica();
        let mut listener = Self::default();
        for name in replica.text_names() {
            listener.texts.insert(name.clone(), replica.text(&name).encode_utf16().collect());
        }
        for name in replica.map_names() {
            listener.maps.insert(name.clone(), replica.map(&name));
        }
        for name in replica.list_names() {
            listener.lists.insert(name.clone(), replica.list(&name));
        }
        for name in replica.collections() {
            let records = replica.records(name).map(|(id, fields)| (id.to_owned(), fields)).collect();
            listener.records.insert(name.to_owned(), records);
        }
        listener
    }

    pub fn hear(&mut self, change: Change) {
        match change {
            Change::Text(change) => {
                let text = self.texts.entry(change.document).or_default();
                let mut at = 0;
                for step in change.delta {
                    match step {
                        Delta::Retain { len, .. } => at += len as usize,
                        Delta::Insert { text: inserted, .. } => {
                            let units: Vec<u16> = inserted.encode_utf16().collect();
                            let len = units.len();
                            text.splice(at..at, units);
                            at += len;
                        }
                        Delta::Embed { .. } => at += 1,
                        Delta::Delete { len } => drop(text.drain(at..at + len as usize)),
                    }
                }
            }
            Change::Map(change) => {
                let map = self.maps.entry(change.map).or_default();
                for (key, value) in change.entries {
                    match value {
                        Some(value) => drop(map.insert(key, value)),
                        None => drop(map.remove(&key)),
                    }
                }
            }
            Change::List(change) => {
                let list = self.lists.entry(change.list).or_default();
                let mut at = 0;
                for step in change.delta {
                    match step {
                        ListDelta::Retain(len) => at += len as usize,
                        ListDelta::Insert(values) => {
                            let len = values.len();
                            list.splice(at..at, values);
                            at += len;
                        }
                        ListDelta::Delete(len) => drop(list.drain(at..at + len as usize)),
                    }
                }
            }
            Change::Records(change) => {
                let records = self.records.entry(change.collection).or_default();
                change.changes.into_iter().for_each(|change| hear_record(records, change));
            }
        }
    }

    /// Panics if what was told is not what is there.
    pub fn check(&self, engine: &Engine, whom: &str) {
        let replica = engine.replica();
        for name in replica.text_names().iter().chain(self.texts.keys()) {
            let told = self.texts.get(name).map_or_else(String::new, |units| String::from_utf16_lossy(units));
            assert_eq!(told, replica.text(name), "{whom}: text {name}");
        }
        for name in replica.map_names().iter().chain(self.maps.keys()) {
            assert_eq!(self.maps.get(name).cloned().unwrap_or_default(), replica.map(name), "{whom}: map {name}");
        }
        for name in replica.list_names().iter().chain(self.lists.keys()) {
            assert_eq!(self.lists.get(name).cloned().unwrap_or_default(), replica.list(name), "{whom}: list {name}");
        }
        for name in replica.collections().chain(self.records.keys().map(String::as_str)) {
            let there: Vec<_> = replica.records(name).map(|(id, fields)| (id.to_owned(), fields)).collect();
            assert_eq!(self.records.get(name).cloned().unwrap_or_default(), there, "{whom}: records {name}");
        }
    }
}

fn hear_record(records: &mut Vec<(String, Fields)>, change: RecordChange) {
    let find = |records: &[(String, Fields)], wanted: &str| records.iter().position(|(id, _)| id == wanted).unwrap();
    let put = |records: &mut Vec<(String, Fields)>, record, before: Option<String>| {
        let at = before.map_or(records.len(), |before| find(records, &before));
        records.insert(at, record);
    };
    match change {
        RecordChange::Insert { id, fields, before } => {
            assert!(records.iter().all(|(other, _)| *other != id), "{id} is there already");
            put(records, (id, fields), before);
        }
        RecordChange::Delete { id } => {
            let at = find(records, &id);
            records.remove(at);
        }
        RecordChange::Move { id, before } => {
            let at = find(records, &id);
            let record = records.remove(at);
            put(records, record, before);
        }
        RecordChange::Update { id, fields } => {
            let at = find(records, &id);
            for (name, value) in fields {
                match value {
                    Some(value) => drop(records[at].1.insert(name, value)),
                    None => drop(records[at].1.remove(&name)),
                }
            }
        }
    }
}
