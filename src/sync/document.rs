//! The room's Yjs document: applies payloads that `update::inspect` let in, turns local edits into updates, collects
//! what changed. One Y.Doc per room; a document's name is its root's name.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use thiserror::Error;
use yrs::{
    ClientID, Doc, GetString, Observable, OffsetKind, Options, Text, TextRef, Transact, Update, types::text::YChange,
    updates::decoder::Decode,
};

use super::update::{RootKind, UpdateSummary};
use super::value::{Attributes, Change, Delta, TextChange, from_attrs, from_delta, inserted, to_attrs, weight};
use crate::base::limits::{EDIT_CHUNK_UNITS, MAX_ATTRIBUTE_BYTES, MAX_NAME_BYTES, MAX_YJS_CLOCK};

/// Why a local edit cannot be made. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EditError {
    /// A document's name is empty or too long.
    #[error("a document's name must have 1 to {MAX_NAME_BYTES} bytes of UTF-8")]
    BadName,
    /// A position or range outside the text.
    #[error("{field} {value} is outside the text of {len} UTF-16 units")]
    OutOfRange {
        /// The argument.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The text's length.
        len: u32,
    },
    /// A position between the two halves of a surrogate pair.
    #[error("{field} {value} lies inside a surrogate pair")]
    SplitsCharacter {
        /// The argument.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// Attributes or text over the limit.
    #[error("{what} is over its limit of {max}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The room's log is full.
    #[error("the room is full")]
    RoomFull,
    /// This replica only keeps operations and has no documents.
    #[error("this node does not edit")]
    NotAnEditor,
    /// Presence that is no encoded JSON object.
    #[error("presence must be an object")]
    BadPresence,
}

type Changes = Arc<Mutex<Vec<Change>>>;

/// A replica's documents.
pub(crate) struct Documents {
    doc: Doc,
    texts: BTreeMap<String, TextRef>,
    changes: Changes,
    /// Whether any text ever held a character outside the BMP: only then can a position split one.
    astral: bool,
}

impl Documents {
    /// Empty documents whose local edits use `client` (below 2^53).
    pub(crate) fn new(client: u64) -> Self {
        // A fixed guid: it never travels, and the default one would read ambient randomness.
        let mut options = Options::with_guid_and_client_id("peersync".into(), ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        // Tidying formats while applying a remote update would delete items without an operation that says so.
        options.cleanup_formatting = false;
        Self { doc: Doc::with_options(options), texts: BTreeMap::new(), changes: Changes::default(), astral: false }
    }

    /// Applies an inspected payload.
    pub(crate) fn apply(&mut self, payload: &[u8], summary: &UpdateSummary) -> Result<(), String> {
        for (name, _) in summary.roots.iter().filter(|(_, kind)| *kind == RootKind::Text) {
            self.open(name);
        }
        self.astral |= !summary.low_surrogates.is_empty();
        let update = Update::decode_v1(payload).map_err(|error| error.to_string())?;
        self.doc.transact_mut().apply_update(update).map_err(|error| error.to_string())
    }

    /// What changed since the last call, in order.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Names of every text, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.texts.get(name).map_or_else(String::new, |text| text.get_string(&self.doc.transact()))
    }

    pub(crate) fn text_len(&self, name: &str) -> u32 {
        self.texts.get(name).map_or(0, |text| text.len(&self.doc.transact()))
    }

    /// The text as insertions with marks.
    pub(crate) fn text_delta(&self, name: &str) -> Vec<Delta> {
        let Some(text) = self.texts.get(name) else { return Vec::new() };
        let pieces = text.diff(&self.doc.transact(), YChange::identity);
        pieces.iter().map(|piece| inserted(&piece.insert, from_attrs(piece.attributes.as_deref()))).collect()
    }

    /// Inserts at `index`. Answers one update for each chunk that travels alone.
    pub(crate) fn insert(
        &mut self,
        name: &str,
        index: u32,
        text: &str,
        attributes: Option<&Attributes>,
    ) -> Result<Vec<Vec<u8>>, EditError> {
        check_attributes(attributes)?;
        check_name(name)?;
        self.check_position(name, "index", u64::from(index))?;
        if text.len() as u64 > MAX_YJS_CLOCK / 4 {
            return Err(EditError::TooLarge { what: "the text", max: MAX_YJS_CLOCK / 4 });
        }
        let root = self.open(name);
        self.astral |= text.chars().any(|character| character.len_utf16() == 2);
        let mut updates = Vec::new();
        let mut at = index;
        for (chunk, units) in chunks(text) {
            let mut txn = self.doc.transact_mut();
            match attributes {
                None => root.insert(&mut txn, at, chunk),
                Some(attributes) => root.insert_with_attributes(&mut txn, at, chunk, to_attrs(attributes)),
            }
            updates.push(txn.encode_update_v1());
            at += units;
        }
        Ok(updates)
    }

    /// Deletes `len` units from `index` on.
    pub(crate) fn delete(&mut self, name: &str, index: u32, len: u32) -> Result<Vec<Vec<u8>>, EditError> {
        check_name(name)?;
        self.check_range(name, index, len)?;
        if len == 0 {
            return Ok(Vec::new());
        }
        let root = self.open(name);
        let mut txn = self.doc.transact_mut();
        root.remove_range(&mut txn, index, len);
        Ok(vec![txn.encode_update_v1()])
    }

    /// Marks `len` units from `index` on; a `Null` removes a mark.
    pub(crate) fn format(
        &mut self,
        name: &str,
        index: u32,
        len: u32,
        attributes: &Attributes,
    ) -> Result<Vec<Vec<u8>>, EditError> {
        check_attributes(Some(attributes))?;
        check_name(name)?;
        self.check_range(name, index, len)?;
        if len == 0 || attributes.is_empty() {
            return Ok(Vec::new());
        }
        let root = self.open(name);
        let mut txn = self.doc.transact_mut();
        root.format(&mut txn, index, len, to_attrs(attributes));
        Ok(vec![txn.encode_update_v1()])
    }

    /// The root text of that name, observed from now on.
    fn open(&mut self, name: &str) -> TextRef {
        if let Some(text) = self.texts.get(name) {
            return text.clone();
        }
        let text = self.doc.get_or_insert_text(name);
        let (changes, document) = (Arc::clone(&self.changes), name.to_owned());
        text.observe("peersync", move |txn, event| {
            let delta = event.delta(txn).iter().map(from_delta).collect();
            let change = Change::Text(TextChange { document: document.clone(), delta });
            changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        });
        self.texts.insert(name.to_owned(), text.clone());
        text
    }

    fn check_range(&self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        self.check_position(name, "index", u64::from(index))?;
        self.check_position(name, "length", u64::from(index) + u64::from(len))
    }

    fn check_position(&self, name: &str, field: &'static str, value: u64) -> Result<(), EditError> {
        let len = self.text_len(name);
        if value > u64::from(len) {
            return Err(EditError::OutOfRange { field, value, len });
        }
        if !self.astral {
            return Ok(());
        }
        let mut at = 0;
        for character in self.text(name).chars() {
            if at >= value {
                break;
            }
            at += character.len_utf16() as u64;
        }
        if at > value { Err(EditError::SplitsCharacter { field, value }) } else { Ok(()) }
    }
}

fn check_name(name: &str) -> Result<(), EditError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES { Err(EditError::BadName) } else { Ok(()) }
}

fn check_attributes(attributes: Option<&Attributes>) -> Result<(), EditError> {
    let over = attributes.is_some_and(|attributes| weight(attributes) > MAX_ATTRIBUTE_BYTES);
    if over { Err(EditError::TooLarge { what: "attributes", max: MAX_ATTRIBUTE_BYTES as u64 }) } else { Ok(()) }
}

/// Pieces of at most [`EDIT_CHUNK_UNITS`] UTF-16 units, cut between characters, with their lengths.
fn chunks(text: &str) -> impl Iterator<Item = (&str, u32)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (mut units, mut end) = (0, 0);
        for (at, character) in rest.char_indices() {
            if units + character.len_utf16() > EDIT_CHUNK_UNITS {
                break;
            }
            units += character.len_utf16();
            end = at + character.len_utf8();
        }
        let (chunk, left) = rest.split_at(end);
        rest = left;
        (!chunk.is_empty()).then_some((chunk, units as u32))
    })
}

/// The one splice that turns `old` into `new`: position, units to delete, text to insert. Positions are UTF-16 units
/// and never split a character.
pub(crate) fn splice<'a>(old: &str, new: &'a str) -> (u32, u32, &'a str) {
    let units = |text: &str| text.chars().map(|character| character.len_utf16() as u32).sum::<u32>();
    let prefix: usize = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix: usize =
        old_rest.chars().rev().zip(new_rest.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let removed = &old_rest[..old_rest.len() - suffix];
    (units(&old[..prefix]), units(removed), &new_rest[..new_rest.len() - suffix])
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("texts", &self.texts.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_positions_are_utf16_and_checked() {
        let mut documents = Documents::new(7);
        documents.insert("n", 0, "a😀b", None).unwrap();
        assert_eq!(documents.text_len("n"), 4);
        assert!(matches!(documents.insert("n", 2, "x", None), Err(EditError::SplitsCharacter { .. })));
        assert!(matches!(documents.insert("n", 5, "x", None), Err(EditError::OutOfRange { .. })));
        assert!(matches!(documents.delete("n", 3, 2), Err(EditError::OutOfRange { .. })));
        assert!(matches!(documents.delete("n", u32::MAX, u32::MAX), Err(EditError::OutOfRange { .. })));
        documents.delete("n", 1, 2).unwrap();
        assert_eq!(documents.text("n"), "ab");
        assert_eq!(documents.insert("", 0, "x", None), Err(EditError::BadName));
    }

    #[test]
    fn t2_long_insertions_travel_in_chunks_that_fit() {
        let mut documents = Documents::new(7);
        let long = "ä😀".repeat(20_000);
        let updates = documents.insert("n", 0, &long, None).unwrap();
        assert!(updates.len() > 5);
        assert!(updates.iter().all(|update| update.len() < crate::base::limits::MAX_PAYLOAD_BYTES));
        assert_eq!(documents.text("n"), long);
    }

    #[test]
    fn t3_splice_is_minimal_and_whole_characters() {
        assert_eq!(splice("abc", "abXc"), (2, 0, "X"));
        assert_eq!(splice("abc", "ac"), (1, 1, ""));
        assert_eq!(splice("aaa", "aa"), (2, 1, ""));
        assert_eq!(splice("x😀y", "x😁y"), (1, 2, "😁"));
        assert_eq!(splice("", "abc"), (0, 0, "abc"));
        assert_eq!(splice("same", "same"), (4, 0, ""));
    }

    #[test]
    fn t4_changes_carry_deltas_with_marks() {
        let mut documents = Documents::new(7);
        documents.insert("n", 0, "hello", None).unwrap();
        documents.take_changes();
        let bold = Attributes::from([("bold".to_owned(), crate::sync::Value::Bool(true))]);
        documents.format("n", 1, 2, &bold).unwrap();
        let changes = documents.take_changes();
        let expected = vec![
            Delta::Retain { len: 1, attributes: Attributes::new() },
            Delta::Retain { len: 2, attributes: bold.clone() },
        ];
        assert_eq!(changes, vec![Change::Text(TextChange { document: "n".into(), delta: expected })]);
        assert_eq!(documents.text_delta("n").len(), 3);
    }
}
