//! Plain values to JavaScript.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

use super::input::is_reserved;
use crate::node::{Attributes, Delta, Fields, ListDelta, RecordChange, Value};

pub(crate) fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    // A hostile peer may send these names. The first would change the object's prototype.
    if !is_reserved(name) {
        let _ = Reflect::set(object, &name.into(), &value.into());
    }
}

pub(crate) fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        // One call into JavaScript instead of three for each key.
        nested => {
            let mut json = String::new();
            write_json(nested, &mut json);
            js_sys::JSON::parse(&json).unwrap_or(JsValue::NULL)
        }
    }
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_json_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            // As in `set`.
            for (at, (key, value)) in map.iter().filter(|(key, _)| !is_reserved(key)).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json_string(key, out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\u{1f}' => {
                let digit = |nibble: u32| char::from_digit(nibble, 16).unwrap_or('0');
                out.push_str("\\u00");
                out.push(digit(character as u32 >> 4));
                out.push(digit(character as u32 & 0xf));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

pub(crate) fn array(items: &[Value]) -> Array {
    items.iter().map(to_js).collect()
}

pub(crate) fn object(map: &Attributes) -> Object {
    let out = Object::new();
    for (key, value) in map {
        set(&out, key, to_js(value));
    }
    out
}

/// A record: `{id, …fields}`.
pub(crate) fn record(id: &str, fields: &Fields) -> Object {
    let out = Object::new();
    set(&out, "id", id);
    for (key, value) in fields.iter().filter(|(key, _)| *key != "id") {
        set(&out, key, to_js(value));
    }
    out
}

/// A delta as in Quill: `{retain}`, `{insert}`, `{delete}`, each with `attributes` if it has marks. What is no text
/// stands as U+FFFC, so that positions stay right.
pub(crate) fn delta(steps: &[Delta]) -> Array {
    let step = |step: &Delta| {
        let out = Object::new();
        let attributes = match step {
            Delta::Retain { len, attributes } => {
                set(&out, "retain", *len);
                Some(attributes)
            }
            Delta::Insert { text, attributes } => {
                set(&out, "insert", text.as_str());
                Some(attributes)
            }
            Delta::Embed { attributes, .. } => {
                set(&out, "insert", "\u{fffc}");
                Some(attributes)
            }
            Delta::Delete { len } => {
                set(&out, "delete", *len);
                None
            }
        };
        if let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) {
            set(&out, "attributes", object(attributes));
        }
        JsValue::from(out)
    };
    steps.iter().map(step).collect()
}

/// The same for lists.
pub(crate) fn list_delta(steps: &[ListDelta]) -> Array {
    let step = |step: &ListDelta| {
        let out = Object::new();
        match step {
            ListDelta::Retain(count) => set(&out, "retain", *count),
            ListDelta::Insert(items) => set(&out, "insert", array(items)),
            ListDelta::Delete(count) => set(&out, "delete", *count),
        }
        JsValue::from(out)
    };
    steps.iter().map(step).collect()
}

/// `{key, action, value?}` for each key that changed.
pub(crate) fn map_changes(entries: &std::collections::BTreeMap<String, Option<Value>>) -> Array {
    let change = |(key, value): (&String, &Option<Value>)| {
        let out = Object::new();
        set(&out, "key", key.as_str());
        set(&out, "action", if value.is_some() { "set" } else { "delete" });
        if let Some(value) = value {
            set(&out, "value", to_js(value));
        }
        JsValue::from(out)
    };
    entries.iter().map(change).collect()
}

/// `{type, id, …}` for each step.
pub(crate) fn record_changes(changes: &[RecordChange]) -> Array {
    let change = |change: &RecordChange| {
        let out = Object::new();
        let kind = match change {
            RecordChange::Insert { id, fields, before } => {
                set(&out, "id", id.as_str());
                set(&out, "value", record(id, fields));
                set(&out, "before", before.as_deref().map_or(JsValue::NULL, JsValue::from));
                "insert"
            }
            RecordChange::Update { id, fields } => {
                set(&out, "id", id.as_str());
                let (changed, removed) = (Object::new(), Array::new());
                for (name, value) in fields.iter().filter(|(name, _)| *name != "id") {
                    match value {
                        Some(value) => set(&changed, name, to_js(value)),
                        None => drop(removed.push(&name.as_str().into())),
                    }
                }
                set(&out, "fields", changed);
                set(&out, "removed", removed);
                "update"
            }
            RecordChange::Move { id, before } => {
                set(&out, "id", id.as_str());
                set(&out, "before", before.as_deref().map_or(JsValue::NULL, JsValue::from));
                "move"
            }
            RecordChange::Delete { id } => {
                set(&out, "id", id.as_str());
                "delete"
            }
        };
        set(&out, "type", kind);
        JsValue::from(out)
    };
    changes.iter().map(change).collect()
}
