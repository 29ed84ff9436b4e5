//! Changes of the room as JavaScript objects: one event each, and the envelopes of SPEC §8.

use js_sys::Object;
use wasm_bindgen::JsValue;

use super::{
    content::content,
    convert::{delta, list_delta, map_changes, record, record_changes, set, to_js},
    events::{make, op_name},
};
use crate::{
    base::WallTime,
    node::{Change, Client, Envelope, Event, Origin, author_name, envelopes, wall_time},
};

/// The events of a change: itself, and its envelopes once the snapshot has been told.
pub(crate) fn convert(event: Event, told_snapshot: bool) -> Vec<JsValue> {
    let Event::Change { change, origin, author, id, at } = event else { return Vec::new() };
    let author = author.map(author_name).unwrap_or_default();
    let id = id.map(op_name).unwrap_or_default();
    let mut out = vec![told(&change, |out| {
        set(out, "origin", if origin == Origin::Local { "local" } else { "remote" });
        set(out, "author", author.as_str());
        set(out, "id", id.as_str());
    })];
    if origin == Origin::Remote && told_snapshot {
        for (step, made) in envelopes(&change).iter().enumerate() {
            let (operation, data) = operation(made);
            let envelope = envelope("operation", &[&id, "_", &step.to_string()].concat(), &author, at);
            set(&envelope, "operation", operation);
            set(&envelope, "data", data);
            out.push(make("data", |out| set(out, "envelope", envelope)));
        }
    }
    out
}

fn told(change: &Change, origin: impl FnOnce(&Object)) -> JsValue {
    let (kind, name_field, name) = match change {
        Change::Text(change) => ("text", "doc", &change.document),
        Change::Map(change) => ("map", "map", &change.map),
        Change::List(change) => ("list", "list", &change.list),
        Change::Records(change) => ("records", "collection", &change.collection),
    };
    make(kind, |out| {
        set(out, name_field, name.as_str());
        match change {
            Change::Text(change) => set(out, "delta", delta(&change.delta)),
            Change::Map(change) => set(out, "changes", map_changes(&change.entries)),
            Change::List(change) => set(out, "delta", list_delta(&change.delta)),
            Change::Records(change) => set(out, "changes", record_changes(&change.changes)),
        }
        origin(out);
    })
}

/// `operation` and `data`.
fn operation(made: &Envelope<'_>) -> (&'static str, Object) {
    match *made {
        Envelope::InsertText { doc, position, content } => {
            let data = text(doc, position);
            set(&data, "content", content);
            ("INSERT", data)
        }
        Envelope::DeleteText { doc, position, length } => {
            let data = text(doc, position);
            set(&data, "length", length);
            ("DELETE", data)
        }
        Envelope::InsertRecord { collection, id, fields } => {
            let data = record(id, fields);
            set(&data, "collection", collection);
            ("INSERT", data)
        }
        Envelope::UpdateRecord { collection, id, fields } => {
            let data = Object::new();
            for (name, value) in fields {
                set(&data, name, value.as_ref().map_or(JsValue::UNDEFINED, to_js));
            }
            set(&data, "id", id);
            set(&data, "collection", collection);
            ("UPDATE", data)
        }
        Envelope::MoveRecord { collection, id, before } => {
            let data = target(collection, id);
            set(&data, "before", before.map_or(JsValue::NULL, JsValue::from));
            ("MOVE", data)
        }
        Envelope::DeleteRecord { collection, id } => ("DELETE", target(collection, id)),
    }
}

fn text(doc: &str, position: u32) -> Object {
    let data = Object::new();
    set(&data, "doc", doc);
    set(&data, "position", position);
    data
}

fn target(collection: &str, id: &str) -> Object {
    let data = Object::new();
    set(&data, "id", id);
    set(&data, "collection", collection);
    data
}

/// The room's state, as a late joiner's first message.
pub(crate) fn snapshot(client: &Client) -> JsValue {
    let at = wall_time();
    let out = envelope("snapshot", &["snapshot_", &at.0.to_string()].concat(), "", at);
    set(&out, "data", content(client, "documents"));
    make("data", |event| set(event, "envelope", out))
}

fn envelope(kind: &str, id: &str, author: &str, at: WallTime) -> Object {
    let out = Object::new();
    set(&out, "type", kind);
    set(&out, "id", id);
    set(&out, "timestamp", at.0 as f64 / 1_000.0);
    set(&out, "client_id", author);
    set(&out, "parent_id", JsValue::NULL);
    set(&out, "version", 1);
    out
}
