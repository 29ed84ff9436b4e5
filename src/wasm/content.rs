//! The whole content of a room as a JavaScript object.

use js_sys::{Array, Object};

use super::convert::{array, object, record, set};
use crate::node::{Attributes, Client, Fields, Replica, Value};

/// Content, copied: no lock is held while JavaScript objects are made of it.
struct Copied {
    texts: Vec<(String, String)>,
    maps: Vec<(String, Attributes)>,
    lists: Vec<(String, Vec<Value>)>,
    records: Vec<(String, Vec<(String, Fields)>)>,
}

/// `{<texts>: {name: text}, maps: {name: {…}}, lists: {name: […]}, records: {collection: [{id, …}, …]}}`.
pub(crate) fn content(client: &Client, texts: &str) -> Object {
    let copied = client.read(|engine| Copied::of(engine.replica()));
    let out = Object::new();
    set(&out, texts, named(copied.texts, |text| text.into()));
    set(&out, "maps", named(copied.maps, |map| object(&map).into()));
    set(&out, "lists", named(copied.lists, |list| array(&list).into()));
    set(&out, "records", named(copied.records, |records| records_array(&records).into()));
    out
}

/// Records in their order.
pub(crate) fn records_array(records: &[(String, Fields)]) -> Array {
    records.iter().map(|(id, fields)| record(id, fields)).collect()
}

/// A collection's records, copied.
pub(crate) fn records(replica: &Replica, collection: &str) -> Vec<(String, Fields)> {
    replica.records(collection).map(|(id, fields)| (id.to_owned(), fields)).collect()
}

impl Copied {
    fn of(replica: &Replica) -> Self {
        let collections = replica.collections();
        Self {
            texts: replica.text_names().into_iter().map(|name| (name.clone(), replica.text(&name))).collect(),
            maps: replica.map_names().into_iter().map(|name| (name.clone(), replica.map(&name))).collect(),
            lists: replica.list_names().into_iter().map(|name| (name.clone(), replica.list(&name))).collect(),
            records: collections.map(|name| (name.to_owned(), records(replica, name))).collect(),
        }
    }
}

fn named<T>(items: Vec<(String, T)>, convert: impl Fn(T) -> wasm_bindgen::JsValue) -> Object {
    let out = Object::new();
    for (name, item) in items {
        set(&out, &name, convert(item));
    }
    out
}
