//! Plain JSON-like values and text changes, as applications see them. No yrs types leave this folder.

use std::{collections::BTreeMap, sync::Arc};

use yrs::{Any, Number, Out, types::Attrs};

use crate::wire::Value;

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
    attrs.into_iter().flatten().map(|(key, value)| (key.to_string(), from_any(value))).collect()
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

/// Depth is bounded by what `update::inspect` lets in.
fn from_any(any: &Any) -> Value {
    match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(value) => Value::Bool(*value),
        Any::Number(Number::Int(value)) => Value::Number(*value as f64),
        Any::Number(Number::Float(value)) => Value::Number(*value),
        Any::String(value) => Value::String(value.to_string()),
        Any::Buffer(bytes) => Value::Array(bytes.iter().map(|byte| Value::Number(f64::from(*byte))).collect()),
        Any::Array(values) => Value::Array(values.iter().map(from_any).collect()),
        Any::Map(values) => Value::Object(values.iter().map(|(key, value)| (key.clone(), from_any(value))).collect()),
    }
}

fn to_any(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => Any::Bool(*value),
        Value::Number(value) => Any::Number(Number::Float(*value)),
        Value::String(value) => Any::from(value.as_str()),
        Value::Array(values) => Any::Array(values.iter().map(to_any).collect()),
        Value::Object(values) => {
            Any::Map(Arc::new(values.iter().map(|(key, value)| (key.clone(), to_any(value))).collect()))
        }
    }
}

/// Rough encoded size, to bound attributes.
pub(crate) fn weight(attributes: &Attributes) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) => 1,
            Value::Number(_) => 9,
            Value::String(text) => text.len() + 3,
            Value::Array(values) => 3 + values.iter().map(of).sum::<usize>(),
            Value::Object(values) => 3 + values.iter().map(|(key, value)| key.len() + 3 + of(value)).sum::<usize>(),
        }
    }
    attributes.iter().map(|(key, value)| key.len() + 3 + of(value)).sum()
}
