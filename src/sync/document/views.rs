//! What is in a shared type, as plain values. Any shared type may be looked at as text, map or list, whatever it is used
//! as, and nothing that a hostile update put there makes a view panic, hang or differ between replicas.

use std::collections::BTreeMap;

use yrs::{
    Any, Array, ArrayRef, GetString, Map, MapRef, Out, ReadTxn, Text, TextRef, XmlElementRef,
    branch::{Branch, BranchPtr},
    types::text::YChange,
};

use crate::{
    base::Ordered,
    sync::value::{Delta, from_any, from_attrs, inserted},
    wire::Value,
};

/// A value, with the shared types of other Yjs applications as plain JSON. Depth is bounded by SPEC Y4 and Y14.
pub(super) fn value_of<T: ReadTxn>(out: &Out, txn: &T) -> Value {
    match out {
        Out::Any(value) => from_any(value),
        Out::YText(text) => Value::String(text.get_string(txn)),
        Out::YXmlText(text) => Value::String(plain(text.as_ref(), txn)),
        Out::YArray(list) => Value::Array(list_of(list.as_ref(), txn)),
        Out::YXmlFragment(nodes) => untyped(nodes.as_ref(), txn),
        Out::YMap(map) => Value::Object(map_of(map.as_ref(), txn)),
        Out::YXmlElement(element) => element_of(element, txn),
        _ => Value::Null,
    }
}

/// Yjs 14 has one shared type for everything and calls it a fragment: what it holds says what it is.
fn untyped<T: ReadTxn>(branch: &Branch, txn: &T) -> Value {
    if has_characters(branch, txn) {
        return Value::String(plain(branch, txn));
    }
    let (keys, items) = (map_of(branch, txn), list_of(branch, txn));
    if items.is_empty() && !keys.is_empty() { Value::Object(keys) } else { Value::Array(items) }
}

fn element_of<T: ReadTxn>(element: &XmlElementRef, txn: &T) -> Value {
    let fields = [
        ("attributes", Value::Object(map_of(element.as_ref(), txn))),
        ("children", Value::Array(list_of(element.as_ref(), txn))),
        ("tag", Value::String(element.tag().to_string())),
    ];
    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).into_map())
}

fn plain<T: ReadTxn>(branch: &Branch, txn: &T) -> String {
    TextRef::from(BranchPtr::from(branch)).get_string(txn)
}

/// The characters with their marks, and whatever else counts as one of them.
pub(super) fn text_of<T: ReadTxn>(branch: &Branch, txn: &T) -> Vec<Delta> {
    let mut merged: Vec<Delta> = Vec::new();
    for piece in TextRef::from(BranchPtr::from(branch)).diff(txn, YChange::identity) {
        let piece = inserted(&piece.insert, from_attrs(piece.attributes.as_deref()));
        // yrs begins a new piece at every mark, also where marks that ended left nothing visible.
        match (merged.last_mut(), piece) {
            (Some(Delta::Insert { text, attributes }), Delta::Insert { text: more, attributes: same })
                if *attributes == same =>
            {
                text.push_str(&more)
            }
            (_, piece) => merged.push(piece),
        }
    }
    merged
}

/// UTF-16 units of [`text_of`].
pub(super) fn units_of(pieces: &[Delta]) -> u32 {
    let units = |piece: &Delta| match piece {
        Delta::Insert { text, .. } => text.encode_utf16().count() as u32,
        Delta::Embed { .. } => 1,
        Delta::Retain { .. } | Delta::Delete { .. } => 0,
    };
    pieces.iter().map(units).sum()
}

/// UTF-16 units of one piece.
pub(super) fn units_of_out(piece: &Out) -> u32 {
    match piece {
        Out::Any(Any::String(text)) => text.encode_utf16().count() as u32,
        _ => 1,
    }
}

/// The values by key.
pub(super) fn map_of<T: ReadTxn>(branch: &Branch, txn: &T) -> BTreeMap<String, Value> {
    let map = MapRef::from(BranchPtr::from(branch));
    let entries = map.keys(txn).filter_map(|key| Some((key.to_owned(), value_of(&map.get(txn, key)?, txn))));
    entries.into_map()
}

/// The items. None if there are characters among them, which only happens when a name is used for a text as well: yrs
/// counts those in two ways at once, and would look for the second half of a surrogate pair for ever.
pub(super) fn list_of<T: ReadTxn>(branch: &Branch, txn: &T) -> Vec<Value> {
    if has_characters(branch, txn) {
        return Vec::new();
    }
    ArrayRef::from(BranchPtr::from(branch)).iter(txn).map(|item| value_of(&item, txn)).collect()
}

/// Whether a sequence holds characters.
pub(super) fn has_characters<T: ReadTxn>(branch: &Branch, txn: &T) -> bool {
    let pieces = TextRef::from(BranchPtr::from(branch)).diff(txn, YChange::identity);
    pieces.iter().any(|piece| matches!(piece.insert, Out::Any(Any::String(_))))
}
