//! The files of `tests/vectors/yjs`, and a replica's content in their form.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use peersync::sync::{Attributes, Delta, Replica, Value};
use serde_json::{Map, Value as Json, json};

/// Content: `texts` as deltas, `maps`, `lists`.
pub(crate) type Content = Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/yjs")
}

/// Every vector whose name starts so, by name.
pub(crate) fn vectors(prefix: &str) -> BTreeMap<String, Json> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), file));
    named.filter(|(name, _)| name.starts_with(prefix)).map(|(name, file)| (name, read(&file))).collect()
}

fn read(file: &Path) -> Json {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

pub(crate) fn read_if_there(name: &str) -> Option<Json> {
    let file = folder().join(format!("{name}.json"));
    file.exists().then(|| read(&file))
}

pub(crate) fn write(name: &str, vector: &Json) {
    let text = serde_json::to_string_pretty(vector).unwrap() + "\n";
    fs::write(folder().join(format!("{name}.json")), text).unwrap();
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What a vector says that a reader must see.
pub(crate) fn expected(vector: &Json) -> Content {
    let part = |name: &str| (name.to_owned(), to_value(&vector[name]));
    Value::Object(["texts", "maps", "lists"].map(part).into())
}

/// What a replica shows.
pub(crate) fn content(replica: &Replica) -> Content {
    let texts = replica.text_names().into_iter().map(|name| (delta_of(&replica.text_delta(&name)), name));
    let maps = replica.map_names().into_iter().map(|name| (Value::Object(replica.map(&name)), name));
    let lists = replica.list_names().into_iter().map(|name| (Value::Array(replica.list(&name)), name));
    let object = |entries: BTreeMap<String, Value>| Value::Object(entries);
    let parts = [
        ("texts", object(texts.map(|(value, name)| (name, value)).collect())),
        ("maps", object(maps.map(|(value, name)| (name, value)).collect())),
        ("lists", object(lists.map(|(value, name)| (name, value)).collect())),
    ];
    Value::Object(parts.map(|(name, value)| (name.to_owned(), value)).into())
}

fn delta_of(delta: &[Delta]) -> Value {
    let piece = |insert: Value, attributes: &Attributes| {
        let mut piece = BTreeMap::from([("insert".to_owned(), insert)]);
        if !attributes.is_empty() {
            piece.insert("attributes".to_owned(), Value::Object(attributes.clone()));
        }
        Value::Object(piece)
    };
    let pieces = delta.iter().map(|step| match step {
        Delta::Insert { text, attributes } => piece(Value::String(text.clone()), attributes),
        Delta::Embed { value, attributes } => piece(value.clone(), attributes),
        other => panic!("not an insertion: {other:?}"),
    });
    Value::Array(pieces.collect())
}

/// Equal also in the sign of zeros, which `==` does not see.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    let bytes = |value: &Value| {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        bytes
    };
    bytes(one) == bytes(other)
}

pub(crate) fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Number(value.as_f64().unwrap()),
        Json::String(value) => Value::String(value.clone()),
        Json::Array(values) => Value::Array(values.iter().map(to_value).collect()),
        Json::Object(values) => {
            Value::Object(values.iter().map(|(key, value)| (key.clone(), to_value(value))).collect())
        }
    }
}

/// Integers as integers: this parser reads long floats less than exactly.
fn number(value: f64) -> Json {
    let negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() != 0.0 || value.abs() > 1e19 || negative_zero {
        json!(value)
    } else if value < 0.0 {
        json!(value as i64)
    } else {
        json!(value as u64)
    }
}

pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) => number(*value),
        Value::String(value) => Json::String(value.clone()),
        Value::Array(values) => Json::Array(values.iter().map(to_json).collect()),
        Value::Object(values) => {
            Json::Object(values.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Map<_, _>>())
        }
    }
}
