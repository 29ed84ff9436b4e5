//! Texts: characters with marks. Positions are UTF-16 code units.

use yrs::{GetString, Text, TextRef, TransactionMut, branch::BranchPtr};

use super::{Documents, EditError, undo::Step, views};
use crate::{
    base::limits::{EDIT_CHUNK_UNITS, MAX_ATTRIBUTE_BYTES, MAX_YJS_CLOCK},
    sync::{
        update::RootKind,
        value::{Attributes, Change, Delta, TextChange, check_key, check_value, to_any, to_attrs, weight},
    },
};

impl Documents {
    /// The characters; empty if there is no text of that name.
    pub(crate) fn text(&self, name: &str) -> String {
        let text = self.read(name, RootKind::Text, |root, txn| TextRef::from(BranchPtr::from(root)).get_string(txn));
        text.unwrap_or_default()
    }

    /// How many positions there are.
    pub(crate) fn text_len(&self, name: &str) -> u32 {
        let pure = self.is_pure(name, RootKind::Text);
        let len = self.read(name, RootKind::Text, |root, txn| {
            if pure { root.content_len() } else { views::units_of(&views::text_of(root, txn)) }
        });
        len.unwrap_or(0)
    }

    /// The text as insertions with marks.
    pub(crate) fn text_delta(&self, name: &str) -> Vec<Delta> {
        self.read(name, RootKind::Text, |root, txn| views::text_of(root, txn)).unwrap_or_default()
    }

    /// Inserts at `index`. Answers one update for each chunk that travels alone.
    pub(crate) fn insert(
        &mut self,
        name: &str,
        index: u32,
        text: &str,
        attributes: Option<&Attributes>,
    ) -> Result<Vec<Vec<u8>>, EditError> {
        if attributes.is_none()
            && let Some(update) = self.type_on(name, index, text)
        {
            return Ok(vec![update]);
        }
        self.claim(name, RootKind::Text)?;
        check_attributes(attributes)?;
        self.check_position(name, "index", u64::from(index))?;
        if text.len() as u64 > MAX_YJS_CLOCK / 4 {
            return Err(EditError::TooLarge { what: "the text", max: MAX_YJS_CLOCK / 4 });
        }
        let mut updates = Vec::new();
        let mut at = index;
        for (chunk, units) in chunks(text) {
            self.open(name, RootKind::Text);
            updates.push(match attributes.filter(|attributes| !attributes.is_empty() || self.marked) {
                None => self.insert_plain(name, at, chunk, units),
                Some(attributes) => {
                    let root = self.doc.get_or_insert_text(name);
                    let update = self.edit(|txn| root.insert_with_attributes(txn, at, chunk, to_attrs(attributes)));
                    self.note_inserted(name, RootKind::Text, &update);
                    update
                }
            });
            at += units;
        }
        Ok(updates)
    }

    /// Inserts with the marks of what stands before it, and begins typing.
    fn insert_plain(&mut self, name: &str, at: u32, chunk: &str, units: u32) -> Vec<u8> {
        let root = self.doc.get_or_insert_text(name);
        let lines = self.lines.take();
        let update = if self.marked {
            self.edit(|txn| root.insert(txn, at, chunk))
        } else {
            let update = self.edit_quietly(|txn| root.insert(txn, at, chunk));
            self.tell(name, at, Delta::Insert { text: chunk.to_owned(), attributes: Attributes::new() });
            update
        };
        self.lines = lines;
        let marks = match self.sight.lock().changes.last() {
            Some(Change::Text(TextChange { delta, .. })) => match delta.last() {
                Some(Delta::Insert { attributes, .. }) => attributes.clone(),
                _ => Attributes::new(),
            },
            _ => Attributes::new(),
        };
        self.note_inserted(name, RootKind::Text, &update);
        self.start_typing(name, at + units, chunk, &update, marks);
        update
    }

    /// Deletes `len` units from `index` on.
    pub(crate) fn delete(&mut self, name: &str, index: u32, len: u32) -> Result<Vec<Vec<u8>>, EditError> {
        if let Some(update) = self.type_back(name, index, len) {
            return Ok(vec![update]);
        }
        self.claim(name, RootKind::Text)?;
        self.check_range(name, index, len)?;
        if len == 0 {
            return Ok(Vec::new());
        }
        if let Some(update) = self.delete_quickly(name, index, len) {
            return Ok(vec![update]);
        }
        self.note_deleted(name, index, len);
        let root = self.doc.get_or_insert_text(name);
        Ok(vec![self.edit(|txn| root.remove_range(txn, index, len))])
    }

    /// Marks `len` units from `index` on; a `Null` removes a mark.
    pub(crate) fn format(
        &mut self,
        name: &str,
        index: u32,
        len: u32,
        attributes: &Attributes,
    ) -> Result<Vec<Vec<u8>>, EditError> {
        self.claim(name, RootKind::Text)?;
        check_attributes(Some(attributes))?;
        self.check_range(name, index, len)?;
        if len == 0 || attributes.is_empty() {
            return Ok(Vec::new());
        }
        self.note_marked(name, index, len, attributes);
        Ok(vec![self.mark(name, index, len, attributes)])
    }

    /// Moves `len` units from `from` on to before what stands at `to` now, with their marks: deletes them and inserts
    /// them anew, in one transaction.
    pub(crate) fn move_text(&mut self, name: &str, from: u32, to: u32, len: u32) -> Result<Vec<Vec<u8>>, EditError> {
        self.claim(name, RootKind::Text)?;
        self.check_range(name, from, len)?;
        self.check_position(name, "to", u64::from(to))?;
        if to > from && to < from + len {
            return Err(EditError::InsideRange { field: "to", value: u64::from(to) });
        }
        if len == 0 || to == from || to == from + len {
            return Ok(Vec::new());
        }
        let pieces = slice(&self.text_delta(name), from, len);
        self.note_deleted(name, from, len);
        let root = self.doc.get_or_insert_text(name);
        let update = self.edit(|txn| {
            root.remove_range(txn, from, len);
            insert_pieces(&root, txn, if to > from { to - len } else { to }, &pieces);
        });
        self.note_inserted(name, RootKind::Text, &update);
        Ok(vec![update])
    }

    fn note_deleted(&mut self, name: &str, index: u32, len: u32) {
        let pieces = self.pick_range(name, index, len);
        self.note(Step::Deleted { root: name.to_owned(), kind: RootKind::Text, pieces });
    }

    pub(super) fn check_range(&self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        self.check_position(name, "index", u64::from(index))?;
        self.check_position(name, "length", u64::from(index) + u64::from(len))
    }

    pub(super) fn check_position(&self, name: &str, field: &'static str, value: u64) -> Result<(), EditError> {
        let len = self.text_len(name);
        if value > u64::from(len) {
            return Err(EditError::OutOfRange { field, value, len });
        }
        if self.splits_character(name, value) { Err(EditError::SplitsCharacter { field, value }) } else { Ok(()) }
    }

    /// Whether a position lies between the halves of a surrogate pair.
    pub(super) fn splits_character(&self, name: &str, position: u64) -> bool {
        let Ok(position) = u32::try_from(position) else { return false };
        !self.lows.is_empty() && self.id_at(name, RootKind::Text, position).is_some_and(|id| self.lows.contains(&id))
    }

    /// Notes the surrogate pairs of own text that begins at `clock`.
    pub(super) fn note_lows(&mut self, clock: u32, text: &str) {
        let mut at = clock;
        for character in text.chars() {
            at += character.len_utf16() as u32;
            if character.len_utf16() == 2 {
                self.lows.insert((self.client, at - 1));
            }
        }
    }
}

/// The part of a text that begins at `from` and is `len` units long, on whole characters.
pub(super) fn slice(pieces: &[Delta], from: u32, len: u32) -> Vec<Delta> {
    let (mut at, end) = (0, from + len);
    let mut slice = Vec::new();
    for piece in pieces {
        match piece {
            Delta::Insert { text, attributes } => {
                let mut kept = String::new();
                for character in text.chars() {
                    if at >= from && at < end {
                        kept.push(character);
                    }
                    at += character.len_utf16() as u32;
                }
                if !kept.is_empty() {
                    slice.push(Delta::Insert { text: kept, attributes: attributes.clone() });
                }
            }
            other => {
                if at >= from && at < end {
                    slice.push(other.clone());
                }
                at += 1;
            }
        }
        if at >= end {
            break;
        }
    }
    slice
}

/// Inserts pieces with exactly their marks; answers the position behind them.
pub(super) fn insert_pieces(root: &TextRef, txn: &mut TransactionMut<'_>, mut at: u32, pieces: &[Delta]) -> u32 {
    for piece in pieces {
        match piece {
            Delta::Insert { text, attributes } => {
                for (chunk, units) in chunks(text) {
                    root.insert_with_attributes(txn, at, chunk, to_attrs(attributes));
                    at += units;
                }
            }
            Delta::Embed { value, attributes } => {
                root.insert_embed_with_attributes(txn, at, to_any(value), to_attrs(attributes));
                at += 1;
            }
            Delta::Retain { .. } | Delta::Delete { .. } => {}
        }
    }
    at
}

fn check_attributes(attributes: Option<&Attributes>) -> Result<(), EditError> {
    let Some(attributes) = attributes else { return Ok(()) };
    for (key, value) in attributes {
        check_key("attributes", key)?;
        check_value("attributes", value)?;
    }
    let over = weight(attributes) > MAX_ATTRIBUTE_BYTES;
    if over { Err(EditError::TooLarge { what: "attributes", max: MAX_ATTRIBUTE_BYTES as u64 }) } else { Ok(()) }
}

/// Pieces of at most [`EDIT_CHUNK_UNITS`] UTF-16 units, cut between characters, with their lengths.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = (&str, u32)> {
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

/// [`splice`] as a change.
pub(super) fn splice_delta(old: &str, new: &str) -> Vec<Delta> {
    let (at, deleted, inserted) = splice(old, new);
    if deleted == 0 && inserted.is_empty() {
        return Vec::new();
    }
    let mut delta = Vec::new();
    if at > 0 {
        delta.push(Delta::Retain { len: at, attributes: Attributes::new() });
    }
    if !inserted.is_empty() {
        delta.push(Delta::Insert { text: inserted.to_owned(), attributes: Attributes::new() });
    }
    if deleted > 0 {
        delta.push(Delta::Delete { len: deleted });
    }
    delta
}
