//! What own edits did to texts, maps and lists, as far as it takes to take them back (SPEC U1). A value, kept in the
//! replica's undo groups: ids of what was inserted, copies of what was deleted or overwritten.
//!
//! yrs has an undo manager; it keeps deleted text in the document, which cannot be bounded, and redoes in an order that
//! differs from run to run.

use std::sync::Arc;

use crate::{
    sync::{
        update::RootKind,
        value::{Attributes, weight, weight_of},
    },
    wire::Value,
};

/// A Yjs id: client, clock.
pub(super) type Id = (u64, u32);

/// Edits that are taken back together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DocumentsUndo {
    pub(super) steps: Vec<Step>,
    weight: usize,
}

/// One edit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Items were inserted: own clocks, from and up to.
    Inserted { root: String, kind: RootKind, ranges: Vec<(u32, u32)> },
    /// Characters or items were deleted.
    Deleted { root: String, kind: RootKind, pieces: Vec<Piece> },
    /// Characters were marked.
    Marked { root: String, runs: Vec<MarkedRun> },
    /// A key was set, or deleted.
    Set { root: String, key: String, before: Option<Value>, after: Option<Value> },
}

/// Something deleted: consecutive ids, neighbours in the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    /// The first id.
    pub(super) id: Id,
    /// How many.
    pub(super) len: u32,
    /// What stood before it.
    pub(super) left: Option<Id>,
    /// What it was.
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Text(String, Attributes),
    Embed(Value, Attributes),
    Items(Vec<Value>),
}

/// Consecutive ids, and the values that marks had before and got; null: none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MarkedRun {
    pub(super) id: Id,
    pub(super) len: u32,
    pub(super) before: Attributes,
    /// Shared by all that got the same.
    pub(super) after: Arc<Attributes>,
}

impl DocumentsUndo {
    /// Whether there is nothing to take back.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Bytes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Adds a later edit by the holder of client id `own`.
    pub(crate) fn extend(&mut self, later: Self, own: u64) {
        for step in later.steps {
            self.push(step, own);
        }
    }

    pub(super) fn push(&mut self, step: Step, own: u64) {
        match step {
            Step::Inserted { root, kind, ranges } => self.push_inserted(root, kind, ranges),
            Step::Deleted { root, kind, pieces } => {
                let (mut kept, mut gone) = (Vec::new(), Vec::new());
                for piece in pieces {
                    self.without_inserted(&root, piece, own, &mut kept, &mut gone);
                }
                for piece in gone.iter().rev() {
                    self.lean_past(&root, piece, &mut kept);
                }
                // What was inserted and deleted in one group leaves no trace in it.
                self.steps.retain(|step| !matches!(step, Step::Inserted { ranges, .. } if ranges.is_empty()));
                if self.steps.is_empty() {
                    self.weight = 0;
                }
                self.push_deleted(root, kind, kept);
            }
            Step::Set { root, key, before, after } => {
                let known = self.steps.iter_mut().find_map(|step| match step {
                    Step::Set { root: other, key: same, after, .. } if *other == root && *same == key => Some(after),
                    _ => None,
                });
                match known {
                    Some(known) => {
                        self.weight += after.as_ref().map_or(0, weight_of);
                        *known = after;
                    }
                    None => self.add(Step::Set { root, key, before, after }),
                }
            }
            step @ Step::Marked { .. } => self.add(step),
        }
    }

    fn add(&mut self, step: Step) {
        self.weight += step.weight();
        self.steps.push(step);
    }

    fn push_inserted(&mut self, root: String, kind: RootKind, more: Vec<(u32, u32)>) {
        if let Some(Step::Inserted { root: same, ranges, .. }) = self.steps.last_mut()
            && *same == root
        {
            for (start, end) in more {
                match ranges.last_mut() {
                    Some(last) if last.1 == start => last.1 = end,
                    _ => {
                        self.weight += 8;
                        ranges.push((start, end));
                    }
                }
            }
        } else if !more.is_empty() {
            self.add(Step::Inserted { root, kind, ranges: more });
        }
    }

    fn push_deleted(&mut self, root: String, kind: RootKind, pieces: Vec<Piece>) {
        if let ([piece], Some(Step::Deleted { root: same, pieces: known, .. })) = (&*pieces, self.steps.last_mut())
            && *same == root
            && known.last_mut().is_some_and(|last| last.join(piece))
        {
            self.weight += piece.weight() - PIECE_WEIGHT;
        } else if !pieces.is_empty() {
            self.add(Step::Deleted { root, kind, pieces });
        }
    }

    /// Sorts the parts of a piece into those that were there before this group, and those that it inserted itself and
    /// now forgets.
    fn without_inserted(&mut self, root: &str, piece: Piece, own: u64, kept: &mut Vec<Piece>, gone: &mut Vec<Piece>) {
        let (start, end) = (piece.id.1, piece.id.1 + piece.len);
        let mut at = start;
        let mut inserted = Vec::new();
        for step in self.steps.iter_mut().filter(|_| piece.id.0 == own) {
            let Step::Inserted { root: same, ranges, .. } = step else { continue };
            if same == root {
                inserted.extend(ranges.iter().map(|range| (range.0.max(start), range.1.min(end))));
                *ranges = ranges.iter().flat_map(|range| outside(*range, (start, end))).collect();
            }
        }
        inserted.retain(|(from, to)| from < to);
        inserted.sort_unstable();
        for (from, to) in inserted {
            if at < from {
                kept.push(piece.part(at - start, from - start));
            }
            gone.push(piece.part(from - start, to - start));
            at = to;
        }
        if at < end {
            kept.push(piece.part(at - start, end - start));
        }
    }

    /// What stood behind a piece that is gone for good stands behind what was before that.
    fn lean_past(&mut self, root: &str, gone: &Piece, kept: &mut [Piece]) {
        let known = self.steps.iter_mut().filter_map(|step| match step {
            Step::Deleted { root: same, pieces, .. } if same == root => Some(pieces),
            _ => None,
        });
        for piece in known.flatten().chain(kept) {
            let hit = |left: Id| left.0 == gone.id.0 && (gone.id.1..gone.id.1 + gone.len).contains(&left.1);
            if piece.left.is_some_and(hit) {
                piece.left = gone.left;
            }
        }
    }
}

/// What is left of a range without another.
fn outside(range: (u32, u32), hole: (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
    let parts = [(range.0, range.1.min(hole.0)), (range.0.max(hole.1), range.1)];
    parts.into_iter().filter(|(start, end)| start < end)
}

impl Step {
    fn weight(&self) -> usize {
        96 + match self {
            Self::Inserted { root, ranges, .. } => root.len() + ranges.len() * 8,
            Self::Deleted { root, pieces, .. } => root.len() + pieces.iter().map(Piece::weight).sum::<usize>(),
            Self::Marked { root, runs } => {
                let mut last: Option<&Arc<Attributes>> = None;
                let runs = runs.iter().map(|run| {
                    let shared = last.replace(&run.after).is_some_and(|last| Arc::ptr_eq(last, &run.after));
                    72 + weight(&run.before) + if shared { 0 } else { weight(&run.after) }
                });
                root.len() + runs.sum::<usize>()
            }
            Self::Set { root, key, before, after } => {
                let values = before.iter().chain(after).map(|value| 32 + 2 * weight_of(value)).sum::<usize>();
                root.len() + key.len() + values
            }
        }
    }
}

/// Bytes of a piece without its content, roughly.
const PIECE_WEIGHT: usize = 96;

impl Piece {
    fn weight(&self) -> usize {
        PIECE_WEIGHT
            + match &self.content {
                Content::Text(text, attributes) => text.len() + weight(attributes),
                Content::Embed(value, attributes) => 2 * weight_of(value) + weight(attributes),
                Content::Items(values) => values.iter().map(|value| 32 + 2 * weight_of(value)).sum(),
            }
    }

    /// The part between two offsets, on whole characters.
    pub(super) fn part(&self, start: u32, end: u32) -> Self {
        let content = match &self.content {
            Content::Text(text, attributes) => Content::Text(units(text, start, end).to_owned(), attributes.clone()),
            Content::Items(values) => {
                Content::Items(values.iter().skip(start as usize).take((end - start) as usize).cloned().collect())
            }
            embed @ Content::Embed(..) => embed.clone(),
        };
        let left = if start == 0 { self.left } else { Some((self.id.0, self.id.1 + start - 1)) };
        Self { id: (self.id.0, self.id.1 + start), len: end - start, left, content }
    }

    /// Takes in a piece that was deleted next, if it is the neighbour by id as by place. Whether it did.
    fn join(&mut self, next: &Self) -> bool {
        let last = |piece: &Self| (piece.id.0, piece.id.1 + piece.len - 1);
        let before = (next.id.0, next.id.1 + next.len) == self.id && self.left == Some(last(next));
        let behind =
            (self.id.0, self.id.1 + self.len) == next.id && (next.left == self.left || next.left == Some(last(self)));
        if !before && !behind {
            return false;
        }
        let joined = match (&mut self.content, &next.content) {
            (Content::Text(text, attributes), Content::Text(more, same)) if attributes == same => {
                text.insert_str(if before { 0 } else { text.len() }, more);
                true
            }
            (Content::Items(values), Content::Items(more)) => {
                let at = if before { 0 } else { values.len() };
                values.splice(at..at, more.iter().cloned());
                true
            }
            _ => false,
        };
        if joined {
            self.len += next.len;
            if before {
                (self.id, self.left) = (next.id, next.left);
            }
        }
        joined
    }
}

/// The part of a text between two offsets in UTF-16 units.
pub(super) fn units(text: &str, start: u32, end: u32) -> &str {
    let (mut at, mut from, mut to) = (0, text.len(), text.len());
    for (byte, character) in text.char_indices() {
        if at == start {
            from = byte;
        }
        if at >= end {
            to = byte;
            break;
        }
        at += character.len_utf16() as u32;
    }
    text.get(from..to).unwrap_or_default()
}
