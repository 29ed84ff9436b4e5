//! Plain JSON-like values and text changes, as applications see them. No yrs types leave this folder.

use std::{collections::BTreeMap, sync::Arc};

use yrs::{Any, Number, Out, types::Attrs};

use super::{EditError, update::is_reserved};
use crate::{
    base::{
        Ordered,
        limits::{MAX_NAME_BYTES, MAX_UPDATE_ELEMENTS, MAX_VALUE_DEPTH},
    },
    wire::Value,
};

/// Marks of a piece of text; `Null` removes one.
pub type Attributes = BTreeMap<String, Value>;

/// One step of a text change, as in Quill's delta format. Lengths are UTF-16 code units.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Goes on over `len` units, marking them if there are attributes.
    Retain {
        /// Units.
        len: u32,
        /// New marks.
        attributes: Attributes,
    },
    /// Inserts text.
    Insert {
        /// The text.
        text: String,
        /// Its marks.
        attributes: Attributes,
    },
    /// Inserts something that is no text and counts as one unit (another Yjs application's embed).
    Embed {
        /// What.
        value: Value,
        /// Its marks.
        attributes: Attributes,
    },
    /// Deletes `len` units.
    Delete {
        /// Units.
        len: u32,
    },
}

/// How one text document changed in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct TextChange {
    /// The document's name.
    pub document: String,
    /// What changed, from its start.
    pub delta: Vec<Delta>,
}

/// How one map changed in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct MapChange {
    /// The map's name.
    pub map: String,
    /// New values by key; `None`: the key is gone.
    pub entries: BTreeMap<String, Option<Value>>,
}

/// One step of a list change.
#[derive(Clone, Debug, PartialEq)]
pub enum ListDelta {
    /// Goes on over so many items.
    Retain(u32),
    /// Inserts items.
    Insert(Vec<Value>),
    /// Deletes so many items.
    Delete(u32),
}

/// How one list changed in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct ListChange {
    /// The list's name.
    pub list: String,
    /// What changed, from its start.
    pub delta: Vec<ListDelta>,
}

/// What happened to one record. Applied in order to the state before, changes give the state after.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    /// It appeared.
    Insert {
        /// Its id.
        id: String,
        /// Its fields.
        fields: Fields,
        /// The record that follows it; none: it is the last.
        before: Option<String>,
    },
    /// Fields changed.
    Update {
        /// Its id.
        id: String,
        /// New values; `None`: the field is gone.
        fields: BTreeMap<String, Option<Value>>,
    },
    /// It stands elsewhere.
    Move {
        /// Its id.
        id: String,
        /// The record that follows it now; none: it is the last.
        before: Option<String>,
    },
    /// It is gone.
    Delete {
        /// Its id.
        id: String,
    },
}

/// How one collection changed in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordsChange {
    /// The collection's name.
    pub collection: String,
    /// What happened, in order.
    pub changes: Vec<RecordChange>,
}

/// Fields of a record.
pub type Fields = BTreeMap<String, Value>;

/// How the room changed in one step.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A text.
    Text(TextChange),
    /// A map.
    Map(MapChange),
    /// A list.
    List(ListChange),
    /// A collection of records.
    Records(RecordsChange),
}

pub(crate) fn from_attrs(attrs: Option<&Attrs>) -> Attributes {
    attrs.into_iter().flatten().map(|(key, value)| (key.to_string(), from_any(value))).into_map()
}

pub(crate) fn to_attrs(attributes: &Attributes) -> Attrs {
    attributes.iter().map(|(key, value)| (key.as_str().into(), to_any(value))).collect()
}

pub(crate) fn from_delta(delta: &yrs::types::Delta) -> Delta {
    match delta {
        yrs::types::Delta::Retain(len, attrs) => Delta::Retain { len: *len, attributes: from_attrs(attrs.as_deref()) },
        yrs::types::Delta::Deleted(len) => Delta::Delete { len: *len },
        yrs::types::Delta::Inserted(content, attrs) => inserted(content, from_attrs(attrs.as_deref())),
    }
}

pub(crate) fn inserted(content: &Out, attributes: Attributes) -> Delta {
    match content {
        Out::Any(Any::String(text)) => Delta::Insert { text: text.to_string(), attributes },
        Out::Any(value) => Delta::Embed { value: from_any(value), attributes },
        // A nested shared type inside text: its place is kept, its content has its own events.
        _ => Delta::Embed { value: Value::Null, attributes },
    }
}

/// Depth is bounded by what `update::inspect` lets in. What JSON does not have is null, as in `JSON.stringify`.
pub(crate) fn from_any(any: &Any) -> Value {
    match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(value) => Value::Bool(*value),
        Any::Number(Number::Int(value)) => Value::Number(*value as f64),
        Any::Number(Number::Float(value)) if value.is_finite() => Value::Number(*value),
        Any::Number(Number::Float(_)) => Value::Null,
        Any::String(value) => Value::String(value.to_string()),
        Any::Buffer(bytes) => Value::Array(bytes.iter().map(|byte| Value::Number(f64::from(*byte))).collect()),
        Any::Array(values) => Value::Array(values.iter().map(from_any).collect()),
        Any::Map(values) => Value::Object(values.iter().map(|(key, value)| (key.clone(), from_any(value))).into_map()),
    }
}

/// Integers as Yjs writes them: as such where JavaScript is exact, never as a `BigInt`.
pub(crate) fn to_any(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => Any::Bool(*value),
        // An integer has no negative zero.
        Value::Number(value) if *value == 0.0 && value.is_sign_negative() => Any::Number(Number::Float(*value)),
        Value::Number(value) => Any::Number(Number::try_i64(*value)),
        Value::String(value) => Any::from(value.as_str()),
        Value::Array(values) => Any::Array(values.iter().map(to_any).collect()),
        Value::Object(values) => {
            Any::Map(Arc::new(values.iter().map(|(key, value)| (key.clone(), to_any(value))).collect()))
        }
    }
}

/// Refuses a key that no map, object or mark may have. `field` is the argument it is in.
pub(crate) fn check_key(field: &'static str, key: &str) -> Result<(), EditError> {
    let bad = key.is_empty() || key.len() > MAX_NAME_BYTES || key.contains('\0') || is_reserved(key);
    if bad { Err(EditError::BadKey { field }) } else { Ok(()) }
}

/// Refuses a value with such keys in it, with numbers that are none, that nests too deep or has too many parts.
pub(crate) fn check_value(field: &'static str, value: &Value) -> Result<(), EditError> {
    if value.depth() > MAX_VALUE_DEPTH {
        return Err(EditError::TooLarge { what: "the nesting of a value", max: MAX_VALUE_DEPTH as u64 });
    }
    if elements_of(value) > MAX_UPDATE_ELEMENTS / 2 {
        return Err(EditError::TooLarge {
            what: "the number of parts of a value",
            max: MAX_UPDATE_ELEMENTS as u64 / 2,
        });
    }
    check_parts(field, value)
}

fn check_parts(field: &'static str, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Number(number) if !number.is_finite() => Err(EditError::NotFinite { field }),
        Value::Array(values) => values.iter().try_for_each(|value| check_parts(field, value)),
        Value::Object(values) => values.iter().try_for_each(|(key, value)| {
            check_key(field, key)?;
            check_parts(field, value)
        }),
        _ => Ok(()),
    }
}

/// At least the bytes of the value in an update.
pub(crate) fn weight_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => 9,
        Value::String(text) => text.len() + 4,
        Value::Array(values) => 4 + values.iter().map(weight_of).sum::<usize>(),
        Value::Object(values) => 4 + values.iter().map(|(key, value)| key.len() + 3 + weight_of(value)).sum::<usize>(),
    }
}

/// The value and everything in it, counted.
pub(crate) fn elements_of(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(elements_of).sum::<usize>(),
        Value::Object(values) => 1 + values.values().map(elements_of).sum::<usize>(),
        _ => 1,
    }
}

/// Rough encoded size, to bound attributes.
pub(crate) fn weight(attributes: &Attributes) -> usize {
    attributes.iter().map(|(key, value)| key.len() + 3 + weight_of(value)).sum()
}
