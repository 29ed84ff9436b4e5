//! Changes as the JSON envelopes of `/sync/1.0.0` (SPEC §8): what `send` would take to make the same change. Maps and
//! lists have none.

use std::collections::BTreeMap;

use crate::{
    sync::{Change, Delta, Fields, RecordChange, RecordsChange, TextChange},
    wire::Value,
};

/// One envelope's `operation` and `data`. Positions and lengths are UTF-16 units, in the text as the envelopes before
/// it left it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Envelope<'a> {
    /// `INSERT` of text.
    InsertText {
        /// The text's name.
        doc: &'a str,
        /// Where.
        position: u32,
        /// What.
        content: &'a str,
    },
    /// `DELETE` of text.
    DeleteText {
        /// The text's name.
        doc: &'a str,
        /// Where.
        position: u32,
        /// How much.
        length: u32,
    },
    /// `INSERT` of a record, at the end.
    InsertRecord {
        /// The collection's name.
        collection: &'a str,
        /// The record.
        id: &'a str,
        /// Its fields.
        fields: &'a Fields,
    },
    /// `UPDATE` of a record.
    UpdateRecord {
        /// The collection's name.
        collection: &'a str,
        /// The record.
        id: &'a str,
        /// New values; `None`: the field is gone.
        fields: &'a BTreeMap<String, Option<Value>>,
    },
    /// `MOVE` of a record.
    MoveRecord {
        /// The collection's name.
        collection: &'a str,
        /// The record.
        id: &'a str,
        /// The record that follows it then; none: it is the last.
        before: Option<&'a str>,
    },
    /// `DELETE` of a record.
    DeleteRecord {
        /// The collection's name.
        collection: &'a str,
        /// The record.
        id: &'a str,
    },
}

/// The envelopes of a change, to be applied in order. Marks alone make none.
#[must_use]
pub fn envelopes(change: &Change) -> Vec<Envelope<'_>> {
    match change {
        Change::Text(change) => of_text(change),
        Change::Records(change) => of_records(change),
        Change::Map(_) | Change::List(_) => Vec::new(),
    }
}

fn of_text(change: &TextChange) -> Vec<Envelope<'_>> {
    let doc = change.document.as_str();
    let mut position = 0;
    let mut out = Vec::new();
    for step in &change.delta {
        match step {
            Delta::Retain { len, .. } => position += len,
            Delta::Insert { text, .. } => {
                out.push(Envelope::InsertText { doc, position, content: text });
                position += text.chars().map(|character| character.len_utf16() as u32).sum::<u32>();
            }
            Delta::Embed { .. } => position += 1,
            Delta::Delete { len } => out.push(Envelope::DeleteText { doc, position, length: *len }),
        }
    }
    out
}

fn of_records(change: &RecordsChange) -> Vec<Envelope<'_>> {
    let collection = change.collection.as_str();
    let mut out = Vec::new();
    for step in &change.changes {
        match step {
            RecordChange::Insert { id, fields, before } => {
                out.push(Envelope::InsertRecord { collection, id, fields });
                // An insertion goes to the end: it has no place for any other, since every key may be a field.
                if before.is_some() {
                    out.push(Envelope::MoveRecord { collection, id, before: before.as_deref() });
                }
            }
            RecordChange::Update { id, fields } => out.push(Envelope::UpdateRecord { collection, id, fields }),
            RecordChange::Move { id, before } => {
                out.push(Envelope::MoveRecord { collection, id, before: before.as_deref() });
            }
            RecordChange::Delete { id } => out.push(Envelope::DeleteRecord { collection, id }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Attributes, ListChange, MapChange};

    #[test]
    fn e1_steps_become_envelopes_in_applicable_order() {
        let marks = Attributes::from([("bold".to_owned(), Value::Bool(true))]);
        let delta = vec![
            Delta::Retain { len: 2, attributes: marks },
            Delta::Insert { text: "a😀".into(), attributes: Attributes::new() },
            Delta::Embed { value: Value::Null, attributes: Attributes::new() },
            Delta::Retain { len: 1, attributes: Attributes::new() },
            Delta::Delete { len: 4 },
        ];
        let change = Change::Text(TextChange { document: "d".into(), delta });
        let insert = Envelope::InsertText { doc: "d", position: 2, content: "a😀" };
        assert_eq!(envelopes(&change), [insert, Envelope::DeleteText { doc: "d", position: 7, length: 4 }]);
    }

    #[test]
    fn e4_changes_of_records_become_envelopes_in_applicable_order() {
        let fields = Fields::from([("x".to_owned(), Value::Number(1.0))]);
        let unset = BTreeMap::from([("x".to_owned(), None)]);
        let (id, before) = (|name: &str| name.to_owned(), Some("c".to_owned()));
        let changes = vec![
            RecordChange::Insert { id: id("a"), fields: fields.clone(), before: None },
            RecordChange::Insert { id: id("b"), fields: fields.clone(), before: before.clone() },
            RecordChange::Update { id: id("a"), fields: unset.clone() },
            RecordChange::Move { id: id("a"), before },
            RecordChange::Move { id: id("a"), before: None },
            RecordChange::Delete { id: id("a") },
        ];
        let change = Change::Records(RecordsChange { collection: "s".into(), changes });
        let collection = "s";
        let expected = [
            Envelope::InsertRecord { collection, id: "a", fields: &fields },
            Envelope::InsertRecord { collection, id: "b", fields: &fields },
            Envelope::MoveRecord { collection, id: "b", before: Some("c") },
            Envelope::UpdateRecord { collection, id: "a", fields: &unset },
            Envelope::MoveRecord { collection, id: "a", before: Some("c") },
            Envelope::MoveRecord { collection, id: "a", before: None },
            Envelope::DeleteRecord { collection, id: "a" },
        ];
        assert_eq!(envelopes(&change), expected);
    }

    #[test]
    fn e1_maps_and_lists_make_no_envelopes() {
        let map = MapChange { map: "m".into(), entries: BTreeMap::from([("k".to_owned(), None)]) };
        let list = ListChange { list: "l".into(), delta: Vec::new() };
        assert!(envelopes(&Change::Map(map)).is_empty());
        assert!(envelopes(&Change::List(list)).is_empty());
    }
}
