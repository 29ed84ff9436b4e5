//! Taking own edits back (SPEC U1, U2): what was inserted is deleted by its ids; what was deleted is inserted anew where
//! it stood, under ids that count for the old ones from then on; marks and keys get their old values where they still
//! have the new ones.

use std::{collections::BTreeMap, iter, sync::Arc};

use yrs::{Array, Assoc, In, Text, types};

use super::{
    Documents,
    capture::Run,
    list,
    text::chunks,
    undo::{Content, DocumentsUndo, Id, MarkedRun, Piece, Step},
};
use crate::{
    base::{
        Ordered,
        limits::{MAX_NAME_BYTES, MAX_UNDO_REDIRECTS, MAX_UPDATE_ELEMENTS, MAX_VALUE_BYTES, MAX_VALUE_DEPTH},
    },
    sync::{
        update::{RootKind, inspect},
        value::{Attributes, Delta, elements_of, to_any, to_attrs, weight_of},
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
                Step::Marked { root, runs } => self.mark_back(root, runs, &mut updates),
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
        let mut ids: Vec<_> =
            ranges.iter().flat_map(|(start, end)| self.redirects.resolve((own, *start), end - start)).collect();
        ids.sort_unstable();
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
        // What came back last, and the position behind it: what stood behind it need not be looked for.
        let mut end: Option<(Id, u32)> = None;
        for Restored { piece, parts } in joined(pieces) {
            let known = end.filter(|(last, _)| piece.left == Some(*last)).map(|(_, at)| at);
            let mut at = known.unwrap_or_else(|| self.place_of(root, kind, &piece));
            let mut restored = 0;
            for (update, offset, len) in self.insert_piece(root, &mut at, &piece) {
                if let Ok(summary) = inspect(&update, self.client)
                    && let Some(item) = summary.items.iter().find(|item| !item.mark)
                {
                    self.redirect(&parts, offset, len, item.start as u32);
                }
                restored += len;
                self.note_inserted(root, kind, &update);
                updates.push(update);
            }
            let last = parts.last().filter(|_| restored == piece.len);
            end = last.map(|((client, clock), len)| ((*client, clock + len - 1), at));
        }
    }

    /// What is `offset` into these ids, `len` long, lives on under own clocks from `first` on.
    fn redirect(&mut self, parts: &[(Id, u32)], offset: u32, len: u32, first: u32) {
        let mut start = 0;
        for ((client, clock), many) in parts {
            let (from, to) = (offset.max(start), (offset + len).min(start + many));
            if from < to {
                self.redirects.add((*client, clock + from - start), to - from, (self.client, first + from - offset));
            }
            start += many;
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

    /// Inserts a piece with its marks, in as many updates as it takes; answers them with the offsets and lengths of what
    /// they bring back. Left out is what no operation can carry: another application's shared type may have grown larger
    /// over many.
    fn insert_piece(&mut self, name: &str, at: &mut u32, piece: &Piece) -> Vec<(Vec<u8>, u32, u32)> {
        let mut made = Vec::new();
        let mut offset = 0;
        match &piece.content {
            Content::Text(text, marks) => {
                let (root, marks) = (self.doc.get_or_insert_text(name), portable_marks(marks));
                for (chunk, units) in chunks(text) {
                    // What it changes is known; yrs would walk over the whole text for it.
                    let update =
                        self.edit_quietly(|txn| root.insert_with_attributes(txn, *at, chunk, to_attrs(&marks)));
                    self.tell(name, *at, Delta::Insert { text: chunk.to_owned(), attributes: marks.clone() });
                    made.push((update, offset, units));
                    *at += units;
                    offset += units;
                }
            }
            // A shared type that was embedded in a text does not come back.
            Content::Embed(Value::Null, _) => {}
            Content::Embed(value, marks) if fits_json(value) => {
                let (root, marks) = (self.doc.get_or_insert_text(name), portable_marks(marks));
                let update = self.edit(|txn| {
                    root.insert_embed_with_attributes(txn, *at, to_any(value), to_attrs(&marks));
                });
                made.push((update, 0, 1));
                *at += 1;
            }
            Content::Embed(..) => {}
            Content::Items(values) => {
                let root = self.doc.get_or_insert_array(name);
                for stretch in values.chunk_by(|one, other| fits(one) == fits(other)) {
                    let portable = stretch.first().is_some_and(fits);
                    for chunk in list::chunks(stretch) {
                        let len = chunk.len() as u32;
                        if portable {
                            let update = self.edit(|txn| root.insert_range(txn, *at, chunk.iter().map(to_any)));
                            made.push((update, offset, len));
                            *at += len;
                        }
                        offset += len;
                    }
                }
            }
        }
        made
    }

    // ---- marks and keys ----

    /// One walk over the text and one update, however many runs there are.
    fn mark_back<'a>(&mut self, root: &str, runs: &'a [MarkedRun], updates: &mut Vec<Vec<u8>>) {
        let resolved = |run: &'a MarkedRun| self.redirects.resolve(run.id, run.len).into_iter().zip(iter::repeat(run));
        let mut marked: Vec<((Id, u32), &MarkedRun)> = runs.iter().flat_map(resolved).collect();
        marked.sort_unstable_by_key(|(ids, _)| *ids);
        let mut back: Vec<MarkedRun> = Vec::new();
        let mut fixes: Vec<(u32, u32, Arc<Attributes>)> = Vec::new();
        for run in self.runs(root) {
            let (client, start, end) = (run.id.0, run.id.1, run.id.1 + run.len);
            let first = marked.partition_point(|((id, len), _)| (id.0, id.1 + len) <= run.id);
            let hits = marked.iter().skip(first).take_while(|((id, _), _)| *id < (client, end));
            for ((id, len), was) in hits {
                let (from, to) = (id.1.max(start), (id.1 + len).min(end));
                let fix = old_marks(&run, was);
                if from >= to || fix.is_empty() {
                    continue;
                }
                let (at, len) = (run.at + from - start, to - from);
                let before = present_marks(&run, &fix);
                let fix = match back.last() {
                    Some(last) if *last.after == fix => last.after.clone(),
                    _ => Arc::new(fix),
                };
                match fixes.last_mut() {
                    Some((place, many, same)) if *place + *many == at && Arc::ptr_eq(same, &fix) => *many += len,
                    _ => fixes.push((at, len, fix.clone())),
                }
                back.push(MarkedRun { id: (client, from), len, before, after: fix });
            }
        }
        if back.is_empty() {
            return;
        }
        self.note(Step::Marked { root: root.to_owned(), runs: back });
        self.marked = true;
        let text = self.doc.get_or_insert_text(root);
        updates.push(self.edit(|txn| text.apply_delta(txn, steps(&fixes))));
    }

    /// Notes the marks of a range before it gets others.
    pub(super) fn note_marked(&mut self, root: &str, at: u32, len: u32, after: &Attributes) {
        let after = Arc::new(after.clone());
        let mut runs = Vec::new();
        for run in self.runs(root) {
            let (start, end) = (at.max(run.at), (at + len).min(run.at + run.len));
            if start < end {
                let id = (run.id.0, run.id.1 + start - run.at);
                let before = present_marks(&run, &after);
                runs.push(MarkedRun { id, len: end - start, before, after: after.clone() });
            }
        }
        self.note(Step::Marked { root: root.to_owned(), runs });
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
        // What no operation can carry stays away: it would take every later edit with it.
        if before.is_some_and(|value| !fits(value) || key.len() + weight_of(value) > MAX_VALUE_BYTES) {
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

/// Deleted pieces that stood side by side and are of one kind, as one; and the ids of its parts.
struct Restored {
    piece: Piece,
    parts: Vec<(Id, u32)>,
}

/// Pieces, as few as they can be inserted by.
fn joined(pieces: &[Piece]) -> Vec<Restored> {
    let mut all: Vec<Restored> = Vec::new();
    for piece in pieces {
        if let Some(Restored { piece: whole, parts }) = all.last_mut()
            && parts.last().is_some_and(|((client, clock), len)| piece.left == Some((*client, clock + len - 1)))
        {
            let same_kind = match (&mut whole.content, &piece.content) {
                (Content::Text(text, marks), Content::Text(more, same)) if marks == same => {
                    text.push_str(more);
                    true
                }
                (Content::Items(values), Content::Items(more)) => {
                    values.extend_from_slice(more);
                    true
                }
                _ => false,
            };
            if same_kind {
                whole.len += piece.len;
                parts.push((piece.id, piece.len));
                continue;
            }
        }
        all.push(Restored { piece: piece.clone(), parts: vec![(piece.id, piece.len)] });
    }
    all
}

/// Whether an operation can carry a value, so that every replica reads it.
fn fits(value: &Value) -> bool {
    weight_of(value) <= MAX_VALUE_BYTES
        && elements_of(value) <= MAX_UPDATE_ELEMENTS / 2
        && value.depth() <= MAX_VALUE_DEPTH
}

/// The same for marks and what is embedded in texts: they travel as JSON text.
fn fits_json(value: &Value) -> bool {
    // No character takes more than six bytes, and no number more than thirty.
    weight_of(value) <= MAX_VALUE_BYTES / 8 || {
        let mut json = String::new();
        to_any(value).to_json(&mut json);
        json.len() <= MAX_VALUE_BYTES - MAX_NAME_BYTES
    }
}

fn portable_marks(marks: &Attributes) -> Attributes {
    let portable = marks.iter().filter(|(key, value)| key.len() <= MAX_NAME_BYTES && fits_json(value));
    portable.map(|(key, value)| (key.clone(), value.clone())).into_map()
}

/// The marks that a run has to get back. What somebody has marked otherwise since is left alone.
fn old_marks(run: &Run, was: &MarkedRun) -> Attributes {
    let value = |key: &String| run.attributes().get(key).unwrap_or(&Value::Null);
    let stands = was.after.iter().filter(|(key, set)| value(key) == *set).map(|(key, _)| key);
    let fix = stands
        .filter_map(|key| Some((key.clone(), was.before.get(key)?.clone())))
        .filter(|(key, old)| value(key) != old)
        .into_map();
    portable_marks(&fix)
}

/// The values that a run has of these marks; null: none.
fn present_marks(run: &Run, marks: &Attributes) -> Attributes {
    let value = |key: &String| run.attributes().get(key).cloned().unwrap_or(Value::Null);
    marks.keys().map(|key| (key.clone(), value(key))).into_map()
}

/// Marks of ranges, which ascend, as one pass over the text.
fn steps(fixes: &[(u32, u32, Arc<Attributes>)]) -> Vec<types::Delta<In>> {
    let mut end = 0;
    let mut steps = Vec::new();
    for (at, len, fix) in fixes {
        if *at > end {
            steps.push(types::Delta::Retain(at - end, None));
        }
        steps.push(types::Delta::Retain(*len, Some(Box::new(to_attrs(fix)))));
        end = at + len;
    }
    steps
}

/// Offsets within a run that ids cover, ascending. The ids ascend.
fn overlaps(ids: &[(Id, u32)], run: &Run) -> Vec<(u32, u32)> {
    let (client, start, end) = (run.id.0, run.id.1, run.id.1 + run.len);
    let first = ids.partition_point(|(id, len)| (id.0, id.1 + len) <= run.id);
    let hits = ids.iter().skip(first).take_while(|(id, _)| *id < (client, end));
    let parts = hits.map(|((_, clock), len)| (clock.max(&start) - start, (clock + len).min(end) - start));
    parts.filter(|(from, to)| from < to).collect()
}
