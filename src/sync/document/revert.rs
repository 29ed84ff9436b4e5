//! Taking own edits back (SPEC U1, U2): what was inserted is deleted by its ids; what was deleted is inserted anew where
//! it stood, under ids that count for the old ones from then on; marks and keys get their old values where they still
//! have the new ones.

use std::collections::BTreeMap;

use yrs::{Array, Assoc, Text};

use super::{
    Documents,
    capture::Run,
    list,
    text::chunks,
    undo::{Content, DocumentsUndo, Id, MarkedRun, Piece, Step},
};
use crate::{
    base::{Ordered, limits::MAX_UNDO_REDIRECTS},
    sync::{
        update::{RootKind, inspect},
        value::{Attributes, to_any, to_attrs},
    },
    wire::Value,
};

/// Ids under which deleted content lives on: from the first old id, how many, and the first new one.
#[derive(Debug, Default)]
pub(super) struct Redirects(BTreeMap<Id, (u32, Id)>);

impl Redirects {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, old: Id, len: u32, new: Id) {
        if self.0.len() >= MAX_UNDO_REDIRECTS {
            self.0.clear();
        }
        self.0.insert(old, (len, new));
    }

    /// The present ids of a run of ids.
    fn resolve(&self, id: Id, len: u32) -> Vec<(Id, u32)> {
        let mut open = vec![(id, len)];
        let mut resolved = Vec::new();
        // Each step follows one link, and links lead to newer ids only.
        while let Some(((client, clock), len)) = open.pop() {
            let end = clock + len;
            let before = self.0.range(..=(client, clock)).next_back();
            let after = self.0.range((client, clock)..(client, end)).next();
            let hit = before.filter(|(old, (many, _))| old.0 == client && clock < old.1 + many).or(after);
            let Some((old, (many, new))) = hit else {
                resolved.push(((client, clock), len));
                continue;
            };
            let (from, to) = (clock.max(old.1), end.min(old.1 + many));
            open.push(((new.0, new.1 + from - old.1), to - from));
            if clock < from {
                resolved.push(((client, clock), from - clock));
            }
            if to < end {
                open.push(((client, to), end - to));
            }
        }
        resolved
    }
}

impl Documents {
    /// What edits since the last call did, to be taken back.
    pub(crate) fn take_undo(&mut self) -> DocumentsUndo {
        std::mem::take(&mut self.undo)
    }

    /// Takes edits back as far as they still stand. Answers the updates; [`Documents::take_undo`] then has the way back.
    pub(crate) fn revert(&mut self, undo: &DocumentsUndo) -> Vec<Vec<u8>> {
        let mut updates = Vec::new();
        for step in undo.steps.iter().rev() {
            match step {
                Step::Inserted { root, kind, ranges } => self.remove(root, *kind, ranges, &mut updates),
                Step::Deleted { root, kind, pieces } => self.restore(root, *kind, pieces, &mut updates),
                Step::Marked { root, runs, after } => self.mark_back(root, runs, after, &mut updates),
                Step::Set { root, key, before, after } => {
                    self.set_back(root, key, before.as_ref(), after.as_ref(), &mut updates);
                }
            }
        }
        updates
    }

    pub(super) fn note(&mut self, step: Step) {
        self.undo.push(step, self.client);
    }

    /// Notes what an own update inserted. Marks stay when what they mark goes: later ones may lean on them.
    pub(super) fn note_inserted(&mut self, root: &str, kind: RootKind, update: &[u8]) {
        let Ok(summary) = inspect(update, self.client) else { return };
        self.lows.extend(summary.low_surrogates.iter().map(|clock| (self.client, *clock as u32)));
        self.marked |= summary.items.iter().any(|item| item.mark);
        let ranges = summary.items.iter().filter(|item| !item.mark);
        let ranges = ranges.map(|item| (item.start as u32, item.end as u32)).collect();
        self.note(Step::Inserted { root: root.to_owned(), kind, ranges });
    }

    // ---- insertions ----

    fn remove(&mut self, root: &str, kind: RootKind, ranges: &[(u32, u32)], updates: &mut Vec<Vec<u8>>) {
        let own = self.client;
        let ids: Vec<_> =
            ranges.iter().flat_map(|(start, end)| self.redirects.resolve((own, *start), end - start)).collect();
        let (pieces, places) = match kind {
            RootKind::Text => (self.pick_text(root, |run| overlaps(&ids, run)), self.text_places(root, &ids)),
            RootKind::List | RootKind::Map => {
                let places = self.list_places(root, &ids);
                (places.iter().flat_map(|(at, len)| self.pick_items(root, *at, *len)).collect(), places)
            }
        };
        if places.is_empty() {
            return;
        }
        self.note(Step::Deleted { root: root.to_owned(), kind, pieces });
        // The last first, so that the others stay where they are.
        let places = places.into_iter().rev();
        updates.push(if kind == RootKind::Text {
            let text = self.doc.get_or_insert_text(root);
            self.edit(|txn| places.for_each(|(at, len)| text.remove_range(txn, at, len)))
        } else {
            let list = self.doc.get_or_insert_array(root);
            self.edit(|txn| places.for_each(|(at, len)| list.remove_range(txn, at, len)))
        });
    }

    /// Where characters with these ids stand: positions and lengths, ascending.
    fn text_places(&self, root: &str, ids: &[(Id, u32)]) -> Vec<(u32, u32)> {
        let mut places: Vec<(u32, u32)> = Vec::new();
        for run in self.runs(root) {
            for (from, to) in overlaps(ids, &run) {
                match places.last_mut() {
                    Some((at, len)) if *at + *len == run.at + from => *len += to - from,
                    _ => places.push((run.at + from, to - from)),
                }
            }
        }
        places
    }

    /// Where items with these ids stand.
    fn list_places(&self, root: &str, ids: &[(Id, u32)]) -> Vec<(u32, u32)> {
        let every = ids.iter().flat_map(|((client, clock), len)| (*clock..clock + len).map(move |at| (*client, at)));
        let places = every.filter_map(|id| {
            let at = self.index_of(root, RootKind::List, id, Assoc::After)?;
            (self.item_id(root, at) == Some(id)).then_some(at)
        });
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for at in places.into_set() {
            match runs.last_mut() {
                Some((start, len)) if *start + *len == at => *len += 1,
                _ => runs.push((at, 1)),
            }
        }
        runs
    }

    // ---- deletions ----

    fn restore(&mut self, root: &str, kind: RootKind, pieces: &[Piece], updates: &mut Vec<Vec<u8>>) {
        for piece in pieces {
            let mut at = self.place_of(root, kind, piece);
            let mut old = piece.id;
            for (update, len) in self.insert_piece(root, &mut at, piece) {
                if let Ok(summary) = inspect(&update, self.client)
                    && let Some(item) = summary.items.iter().find(|item| !item.mark)
                {
                    self.redirects.add(old, len, (self.client, item.start as u32));
                }
                old.1 += len;
                self.note_inserted(root, kind, &update);
                updates.push(update);
            }
        }
    }

    /// Where something deleted belongs: behind what stood before it, if that is still or again there; or else where it
    /// was.
    fn place_of(&self, root: &str, kind: RootKind, piece: &Piece) -> u32 {
        let Some(left) = piece.left else { return 0 };
        let left = self.redirects.resolve(left, 1).first().map_or(left, |(left, _)| *left);
        let behind = self.index_of(root, kind, left, Assoc::Before);
        let is_there = behind != self.index_of(root, kind, left, Assoc::After);
        let place = behind.filter(|_| is_there).or_else(|| self.index_of(root, kind, piece.id, Assoc::After));
        place.unwrap_or(0)
    }

    /// Inserts a piece with its marks, in as many updates as it takes; answers them with their lengths.
    fn insert_piece(&mut self, root: &str, at: &mut u32, piece: &Piece) -> Vec<(Vec<u8>, u32)> {
        let mut made = Vec::new();
        let mut add = |at: &mut u32, update: Vec<u8>, len: u32| {
            made.push((update, len));
            *at += len;
        };
        match &piece.content {
            Content::Text(text, marks) => {
                let root = self.doc.get_or_insert_text(root);
                for (chunk, units) in chunks(text) {
                    let update = self.edit(|txn| root.insert_with_attributes(txn, *at, chunk, to_attrs(marks)));
                    add(at, update, units);
                }
            }
            // A shared type that was embedded in a text does not come back.
            Content::Embed(Value::Null, _) => {}
            Content::Embed(value, marks) => {
                let root = self.doc.get_or_insert_text(root);
                let update = self.edit(|txn| {
                    root.insert_embed_with_attributes(txn, *at, to_any(value), to_attrs(marks));
                });
                add(at, update, 1);
            }
            Content::Items(values) => {
                let root = self.doc.get_or_insert_array(root);
                for chunk in list::chunks(values) {
                    let update = self.edit(|txn| root.insert_range(txn, *at, chunk.iter().map(to_any)));
                    add(at, update, chunk.len() as u32);
                }
            }
        }
        made
    }

    // ---- marks and keys ----

    fn mark_back(&mut self, root: &str, runs: &[MarkedRun], after: &Attributes, updates: &mut Vec<Vec<u8>>) {
        let mut fixes: Vec<(u32, u32, Attributes)> = Vec::new();
        let present = self.runs(root);
        for marked in runs {
            let ids = self.redirects.resolve(marked.id, marked.len);
            for run in &present {
                let value = |key: &String| run.attributes().get(key).unwrap_or(&Value::Null);
                // What somebody has marked otherwise since is left alone.
                let stands = after.iter().filter(|(key, set)| value(key) == *set).map(|(key, _)| key);
                let fix: Attributes = stands
                    .filter_map(|key| Some((key.clone(), marked.before.get(key)?.clone())))
                    .filter(|(key, old)| value(key) != old)
                    .into_map();
                if !fix.is_empty() {
                    let parts = overlaps(&ids, run).into_iter();
                    fixes.extend(parts.map(|(from, to)| (run.at + from, to - from, fix.clone())));
                }
            }
        }
        for (at, len, fix) in fixes {
            self.note_marked(root, at, len, &fix);
            updates.push(self.mark(root, at, len, &fix));
        }
    }

    /// Notes the marks of a range before it gets others.
    pub(super) fn note_marked(&mut self, root: &str, at: u32, len: u32, after: &Attributes) {
        let mut runs = Vec::new();
        for run in self.runs(root) {
            let (start, end) = (at.max(run.at), (at + len).min(run.at + run.len));
            if start < end {
                let old = |key: &String| run.attributes().get(key).cloned().unwrap_or(Value::Null);
                let before = after.keys().map(|key| (key.clone(), old(key))).into_map();
                let id = (run.id.0, run.id.1 + start - run.at);
                runs.push(MarkedRun { id, len: end - start, before });
            }
        }
        self.note(Step::Marked { root: root.to_owned(), runs, after: after.clone() });
    }

    pub(super) fn mark(&mut self, root: &str, at: u32, len: u32, marks: &Attributes) -> Vec<u8> {
        self.marked = true;
        let text = self.doc.get_or_insert_text(root);
        self.edit(|txn| text.format(txn, at, len, to_attrs(marks)))
    }

    fn set_back(
        &mut self,
        root: &str,
        key: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        updates: &mut Vec<Vec<u8>>,
    ) {
        // What somebody has set since is left alone.
        if self.map_get(root, key).as_ref() != after || before == after {
            return;
        }
        let update = match before {
            Some(value) => self.write_key(root, key, value),
            None => self.remove_key(root, key),
        };
        updates.push(update);
        let (before, after) = (after.cloned(), before.cloned());
        self.note(Step::Set { root: root.to_owned(), key: key.to_owned(), before, after });
    }
}

/// Offsets within a run that ids cover, ascending.
fn overlaps(ids: &[(Id, u32)], run: &Run) -> Vec<(u32, u32)> {
    let (start, end) = (run.id.1, run.id.1 + run.len);
    let hits = ids.iter().filter(|((client, clock), len)| *client == run.id.0 && *clock < end && clock + len > start);
    let mut parts: Vec<_> =
        hits.map(|((_, clock), len)| (clock.max(&start) - start, (clock + len).min(end) - start)).collect();
    parts.sort_unstable();
    parts
}
