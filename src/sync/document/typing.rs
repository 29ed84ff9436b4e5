//! Typing: an insertion right behind the last one, or the deletion of what was just typed, without looking for the place
//! again. yrs finds a position by walking over every block before it, and walks over all of them once more to say what
//! changed; here the ids around the place are known, so that the update is written by hand and only integrated.
//!
//! The bytes are those that yrs would have made: `t11_typing_is_the_same_as_editing_in_any_other_way`.

use yrs::{Transact, Update, updates::decoder::Decode};

use super::{
    Documents,
    lines::Lines,
    undo::{Content, Id, Piece, Step, units},
};
use crate::{
    base::limits::EDIT_CHUNK_UNITS,
    sync::{
        update::{RootKind, inspect},
        value::{Attributes, Change, Delta, TextChange},
    },
    wire::put_uvarint,
};

/// What was typed last, directly before `right`, with nothing visible in between. Valid until anything else changes.
#[derive(Clone, Debug)]
pub(super) struct Typing {
    root: String,
    /// Position behind it.
    index: u32,
    /// The clock that an own item gets next; the one before it was typed last.
    clock: u32,
    right: Option<Id>,
    /// Marks that it has, and that more will have.
    attributes: Attributes,
    /// What is visible of it, in order: clocks from and up to, and the characters.
    alive: Vec<(u32, u32)>,
    text: String,
}

impl Documents {
    /// Remembers an insertion of plain `text` that ended at `index`, if typing can go on behind it.
    pub(super) fn start_typing(&mut self, root: &str, index: u32, text: &str, update: &[u8], attributes: Attributes) {
        self.typing = None;
        let summary = inspect(update, self.client).unwrap_or_default();
        let ([item], true) = (summary.items.as_slice(), summary.deletes.is_empty()) else {
            self.lines = None;
            return;
        };
        let (Ok(start), Ok(clock)) = (u32::try_from(item.start), u32::try_from(item.end)) else { return };
        let right = match item.origins[1] {
            Some((client, at)) => match u32::try_from(at) {
                Ok(at) => Some((client, at)),
                Err(_) => return,
            },
            None => None,
        };
        self.line(root, index - (clock - start), start, text);
        let (root, text) = (root.to_owned(), text.to_owned());
        self.typing = Some(Typing { root, index, clock, right, attributes, alive: vec![(start, clock)], text });
    }

    /// Types on. `None` if `index` is not where typing is, and nothing has happened.
    pub(super) fn type_on(&mut self, root: &str, index: u32, text: &str) -> Option<Vec<u8>> {
        let mut typing = self.typing.take().filter(|typing| typing.index == index && typing.root == root)?;
        let len = text.encode_utf16().count();
        if len == 0 || len > EDIT_CHUNK_UNITS {
            return None;
        }
        let (start, end) = (typing.clock, typing.clock + len as u32);
        let update = insertion(self.client, start, typing.right, text);
        if !self.integrate(&update) {
            return None;
        }
        self.note_lows(start, text);
        self.note(Step::Inserted { root: root.to_owned(), kind: RootKind::Text, ranges: vec![(start, end)] });
        let inserted = Delta::Insert { text: text.to_owned(), attributes: typing.attributes.clone() };
        self.tell(root, index, inserted);
        self.line(root, index, start, text);
        typing.clock = end;
        typing.index += len as u32;
        typing.text.push_str(text);
        match typing.alive.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => typing.alive.push((start, end)),
        }
        typing.shorten();
        self.typing = Some(typing);
        Some(update)
    }

    /// Deletes the end of what was typed. `None` if the range is anything else, and nothing has happened.
    pub(super) fn type_back(&mut self, root: &str, index: u32, len: u32) -> Option<Vec<u8>> {
        let mut typing = self.typing.take()?;
        // yrs tidies up marks around what it deletes; and what is before the first character is not known.
        let fits = typing.root == root
            && u64::from(index) + u64::from(len) == u64::from(typing.index)
            && len > 0
            && len < typing.alive.iter().map(|(start, end)| end - start).sum()
            && typing.attributes.is_empty();
        if !fits {
            return None;
        }
        let kept = tail(&typing.text, len)?;
        let ranges = typing.cut(len);
        let ids: Vec<_> = ranges.iter().map(|(start, end)| ((self.client, *start), end - start)).collect();
        let update = deletion(&ids);
        if !self.integrate(&update) {
            return None;
        }
        self.note_typed_back(root, &ranges, &typing, kept);
        self.tell(root, index, Delta::Delete { len });
        if let Some((_, lines)) = self.lines.as_mut().filter(|(name, _)| name == root) {
            lines.cut(index, len);
        }
        typing.text.truncate(kept);
        typing.index = index;
        self.typing = Some(typing);
        Some(update)
    }

    fn note_typed_back(&mut self, root: &str, ranges: &[(u32, u32)], typing: &Typing, kept: usize) {
        let mut left = typing.alive.last().map(|(_, end)| (self.client, end - 1));
        let deleted = typing.text.get(kept..).unwrap_or_default();
        let mut at = 0;
        let mut pieces = Vec::new();
        for (start, end) in ranges {
            let len = end - start;
            let content = Content::Text(units(deleted, at, at + len).to_owned(), Attributes::new());
            pieces.push(Piece { id: (self.client, *start), len, left, content });
            left = Some((self.client, end - 1));
            at += len;
        }
        self.note(Step::Deleted { root: root.to_owned(), kind: RootKind::Text, pieces });
    }

    /// Keeps the lines up to date with own characters.
    fn line(&mut self, root: &str, at: u32, clock: u32, text: &str) {
        let own = self.client;
        if let Some((_, lines)) = self.lines.as_mut().filter(|(name, _)| name == root) {
            lines.insert(at, (own, clock), text, text.encode_utf16().count() as u32);
        }
    }

    /// Deletes a range of a text without marks by the ids of its characters. `None` if there are marks, or anything but
    /// characters; nothing has happened then.
    pub(super) fn delete_quickly(&mut self, root: &str, index: u32, len: u32) -> Option<Vec<u8>> {
        if self.marked {
            return None;
        }
        let known = self.lines.take().filter(|(name, _)| name == root).map(|(_, lines)| lines);
        let mut lines = known.or_else(|| Lines::new(self.runs(root)))?;
        let pieces = lines.cut(index, len);
        let mut ids: Vec<_> = pieces.iter().map(|piece| (piece.id, piece.len)).collect();
        ids.sort_unstable();
        let update = deletion(&ids);
        self.typing = None;
        if !self.integrate(&update) {
            return None;
        }
        self.lines = Some((root.to_owned(), lines));
        self.note(Step::Deleted { root: root.to_owned(), kind: RootKind::Text, pieces });
        self.tell(root, index, Delta::Delete { len });
        Some(update)
    }

    /// Applies an update of own making without asking yrs what it changes. Whether it was taken.
    fn integrate(&mut self, update: &[u8]) -> bool {
        let Ok(update) = Update::decode_v1(update) else { return false };
        self.sight.lock().quiet = true;
        let taken = self.doc.transact_mut().apply_update(update).is_ok();
        self.sight.lock().quiet = false;
        taken
    }

    /// Tells of a change at `index`.
    pub(super) fn tell(&self, root: &str, index: u32, step: Delta) {
        let retain = (index > 0).then(|| Delta::Retain { len: index, attributes: Attributes::new() });
        let delta = retain.into_iter().chain([step]).collect();
        self.sight.lock().changes.push(Change::Text(TextChange { document: root.to_owned(), delta }));
    }
}

impl Typing {
    /// Takes the last `len` clocks off; answers them, ascending.
    fn cut(&mut self, mut len: u32) -> Vec<(u32, u32)> {
        let mut cut = Vec::new();
        while len > 0 {
            let Some((start, end)) = self.alive.pop() else { break };
            let from = end - len.min(end - start);
            if from > start {
                self.alive.push((start, from));
            }
            cut.push((from, end));
            len -= end - from;
        }
        cut.reverse();
        cut
    }

    /// Forgets the beginning of a long run: what is deleted is rarely far back.
    fn shorten(&mut self) {
        if self.text.len() <= 4 * EDIT_CHUNK_UNITS {
            return;
        }
        let mut at = self.text.len() - EDIT_CHUNK_UNITS;
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        self.text.drain(..at);
        let kept = self.text.encode_utf16().count() as u32;
        self.alive = self.cut(kept);
    }
}

/// Where the last `len` units begin, if that is between two characters.
fn tail(text: &str, len: u32) -> Option<usize> {
    let mut left = len as usize;
    for (at, character) in text.char_indices().rev() {
        left = left.checked_sub(character.len_utf16())?;
        if left == 0 {
            return Some(at);
        }
    }
    None
}

/// An update that inserts `text` behind the own clock before `clock`.
fn insertion(client: u64, clock: u32, right: Option<Id>, text: &str) -> Vec<u8> {
    let mut update = Vec::with_capacity(text.len() + 48);
    update.extend_from_slice(&[1, 1]);
    put_uvarint(&mut update, client);
    put_uvarint(&mut update, u64::from(clock));
    update.push(0x84 | if right.is_some() { 0x40 } else { 0 });
    put_uvarint(&mut update, client);
    put_uvarint(&mut update, u64::from(clock - 1));
    if let Some((client, clock)) = right {
        put_uvarint(&mut update, client);
        put_uvarint(&mut update, u64::from(clock));
    }
    put_uvarint(&mut update, text.len() as u64);
    update.extend_from_slice(text.as_bytes());
    update.push(0);
    update
}

/// An update that deletes ids, which ascend.
fn deletion(ids: &[(Id, u32)]) -> Vec<u8> {
    let mut ranges: Vec<(Id, u32)> = Vec::with_capacity(ids.len());
    for (id, len) in ids {
        match ranges.last_mut() {
            Some((first, many)) if (first.0, first.1 + *many) == *id => *many += len,
            _ => ranges.push((*id, *len)),
        }
    }
    let mut update = vec![0];
    put_uvarint(&mut update, ranges.chunk_by(|one, other| one.0.0 == other.0.0).count() as u64);
    for group in ranges.chunk_by(|one, other| one.0.0 == other.0.0) {
        put_uvarint(&mut update, group.first().map_or(0, |first| first.0.0));
        put_uvarint(&mut update, group.len() as u64);
        for ((_, clock), len) in group {
            put_uvarint(&mut update, u64::from(*clock));
            put_uvarint(&mut update, u64::from(*len));
        }
    }
    update
}
