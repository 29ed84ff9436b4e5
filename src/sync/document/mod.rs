//! The room's Yjs document: applies payloads that `update::inspect` let in, turns local edits into updates, collects
//! what changed. One Y.Doc per room; a text, map or list is a root of it, under its name.

mod bounded;
mod capture;
mod cursor;
mod error;
mod lines;
mod list;
mod map;
mod observe;
mod revert;
mod state;
mod text;
mod typing;
mod undo;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use yrs::{
    ClientID, Doc, OffsetKind, Options, ReadTxn, Transact, TransactionMut, Update, branch::Branch,
    updates::decoder::Decode,
};

pub use error::EditError;
pub(crate) use text::splice;
pub(crate) use undo::DocumentsUndo;

use super::{
    update::{RootKind, UpdateSummary},
    value::{Change, ListChange, MapChange, TextChange},
};
use crate::{
    base::{Ordered, limits::MAX_NAME_BYTES},
    wire::Value,
};
use lines::Lines;
use observe::{Seen, Sight};
use revert::Redirects;
use typing::Typing;
use undo::Id;

/// A replica's texts, maps and lists.
pub(crate) struct Documents {
    doc: Doc,
    /// The client id of own edits.
    client: u64,
    /// What each root is used as. Usually one thing; more if replicas first used a name at the same time.
    roots: BTreeMap<String, BTreeSet<RootKind>>,
    sight: Sight,
    /// Second halves of surrogate pairs: a position before one splits a character.
    lows: BTreeSet<Id>,
    /// Whether anything was ever marked. If not, changes can be told without asking yrs.
    marked: bool,
    /// Whether another application has stored bytes as items of their own.
    binaries: bool,
    typing: Option<Typing>,
    /// The text that is being edited, by name.
    lines: Option<(String, Lines)>,
    /// What own edits did since that was last fetched.
    undo: DocumentsUndo,
    redirects: Redirects,
}

/// What every root holds, to find out what a rebuild changed.
pub(crate) struct Views(BTreeMap<(String, RootKind), View>);

#[derive(PartialEq)]
enum View {
    Text(String),
    Map(BTreeMap<String, Value>),
    List(Vec<Value>),
}

impl Documents {
    /// Empty documents whose local edits use `client` (below 2^53).
    pub(crate) fn new(client: u64) -> Self {
        // A fixed guid: it never travels, and the default one would read ambient randomness.
        let mut options = Options::with_guid_and_client_id("peersync".into(), ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        // Tidying formats while applying a remote update would delete items without an operation that says so.
        options.cleanup_formatting = false;
        Self {
            doc: Doc::with_options(options),
            client,
            roots: BTreeMap::new(),
            sight: Sight::default(),
            lows: BTreeSet::new(),
            marked: false,
            binaries: false,
            typing: None,
            lines: None,
            undo: DocumentsUndo::default(),
            redirects: Redirects::default(),
        }
    }

    /// Applies an inspected payload.
    pub(crate) fn apply(&mut self, payload: &[u8], summary: &UpdateSummary) -> Result<(), String> {
        for (name, kind) in &summary.roots {
            self.open(name, *kind);
        }
        let client = summary.structs.map_or(self.client, |(client, ..)| client);
        self.lows.extend(summary.low_surrogates.iter().map(|clock| (client, *clock as u32)));
        self.marked |= summary.items.iter().any(|item| item.mark);
        self.binaries |= summary.holds.binaries;
        (self.typing, self.lines) = (None, None);
        self.sight.lock().holds = summary.holds;
        let update = Update::decode_v1(payload).map_err(|error| error.to_string());
        let result =
            update.and_then(|update| self.doc.transact_mut().apply_update(update).map_err(|error| error.to_string()));
        self.sight.lock().holds = crate::sync::update::Holds::default();
        result
    }

    /// Whether anybody asks what updates change: to find that out takes a walk over the text for each.
    pub(crate) fn listen(&mut self, listens: bool) {
        self.sight.lock().quiet = !listens;
    }

    /// What changed since the last call, in order; what changed at once by name.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        let Seen { changes, .. } = &mut *self.sight.lock();
        let mut changes = std::mem::take(changes);
        // yrs tells of roots in an order of its own making, different in each run.
        changes.sort_by(|one, other| name_of(one).cmp(name_of(other)));
        changes
    }

    /// Names of everything that is used as a `kind`, ascending.
    pub(crate) fn names(&self, kind: RootKind) -> impl Iterator<Item = &str> {
        self.roots.iter().filter(move |(_, kinds)| kinds.contains(&kind)).map(|(name, _)| name.as_str())
    }

    /// What every root holds.
    pub(crate) fn views(&self) -> Views {
        let all = self.roots.iter().flat_map(|(name, kinds)| kinds.iter().map(move |kind| (name.clone(), *kind)));
        Views(
            all.map(|(name, kind)| (name.clone(), kind, self.view(&name, kind)))
                .map(|(n, k, v)| ((n, k), v))
                .into_map(),
        )
    }

    /// What an application that shows `before` must change; forgets changes that were not fetched.
    pub(crate) fn differences(&mut self, before: &Views) -> Vec<Change> {
        self.sight.lock().changes.clear();
        let now = self.views();
        let names = before.0.keys().chain(now.0.keys()).into_set();
        names.into_iter().filter_map(|key| difference(&key.0, before.0.get(key), now.0.get(key))).collect()
    }

    /// Appends everything visible in a canonical form, the same on every replica, whatever it uses the names as
    /// (SPEC D12).
    pub(crate) fn write_canonical(&self, out: &mut String) {
        let txn = self.doc.transact();
        let roots = txn.root_refs().into_map();
        for (name, root) in &roots {
            let Some(branch) = root.try_branch() else { continue };
            let text = views::text_of(branch, &txn);
            let (map, list) = (views::map_of(branch, &txn), views::list_of(branch, &txn));
            if !text.is_empty() || !map.is_empty() || !list.is_empty() {
                // Writing to a string does not fail.
                let _ = write!(out, "{name:?}{text:?}{map:?}{list:?}");
            }
        }
    }

    fn view(&self, name: &str, kind: RootKind) -> View {
        match kind {
            RootKind::Text => View::Text(self.text(name)),
            RootKind::Map => View::Map(self.map(name)),
            RootKind::List => View::List(self.list(name)),
        }
    }

    fn is_used_as(&self, name: &str, kind: RootKind) -> bool {
        self.roots.get(name).is_some_and(|kinds| kinds.contains(&kind))
    }

    /// What is in the root of that name, if it is used as a `kind`.
    fn read<V>(&self, name: &str, kind: RootKind, read: impl FnOnce(&Branch, &yrs::Transaction<'_>) -> V) -> Option<V> {
        if !self.is_used_as(name, kind) {
            return None;
        }
        let txn = self.doc.transact();
        let root = txn.get_map(name)?;
        Some(read(root.as_ref(), &txn))
    }

    /// Makes a local edit of its own transaction; answers its update.
    fn edit(&mut self, edit: impl FnOnce(&mut TransactionMut<'_>)) -> Vec<u8> {
        (self.typing, self.lines) = (None, None);
        let mut txn = self.doc.transact_mut();
        edit(&mut txn);
        txn.encode_update_v1()
    }

    /// [`Documents::edit`], when what it changes is known and need not be found out.
    fn edit_quietly(&mut self, edit: impl FnOnce(&mut TransactionMut<'_>)) -> Vec<u8> {
        self.sight.lock().quiet = true;
        let update = self.edit(edit);
        self.sight.lock().quiet = false;
        update
    }

    /// The root of that name is used as a `kind` from now on, and observed.
    fn open(&mut self, name: &str, kind: RootKind) {
        let kinds = self.roots.entry(name.to_owned()).or_default();
        let known = !kinds.is_empty();
        if !kinds.insert(kind) || known {
            return;
        }
        match kind {
            RootKind::Text => self.sight.watch(&self.doc.get_or_insert_text(name), name, kind),
            RootKind::Map => self.sight.watch(&self.doc.get_or_insert_map(name), name, kind),
            RootKind::List => self.sight.watch(&self.doc.get_or_insert_array(name), name, kind),
        }
    }

    /// Whether a local edit may use that name as a `kind`.
    pub(crate) fn claim(&self, name: &str, kind: RootKind) -> Result<(), EditError> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(EditError::BadName);
        }
        let Some(kinds) = self.roots.get(name) else { return Ok(()) };
        let other = kinds.iter().find(|used| **used != kind);
        match other {
            Some(other) if !kinds.contains(&kind) => Err(EditError::TypeMismatch { actual: other.name() }),
            _ if self.is_pure(name, kind) => Ok(()),
            _ => Err(EditError::TypeMismatch { actual: if kind == RootKind::Text { "list" } else { "text" } }),
        }
    }

    /// Whether a sequence holds nothing that a text, or a list, cannot have: yrs panics on edits that meet it.
    fn is_pure(&self, name: &str, kind: RootKind) -> bool {
        let both = self.is_used_as(name, RootKind::Text) && self.is_used_as(name, RootKind::List);
        let suspect = both || self.sight.lock().suspects.contains(name);
        let pure = !suspect
            || self.read(name, kind, |root, txn| match kind {
                RootKind::Text => views::units_of(&views::text_of(root, txn)) == root.content_len(),
                RootKind::List => !views::has_characters(root, txn),
                RootKind::Map => true,
            }) == Some(true);
        if suspect && pure && !both {
            self.sight.lock().suspects.remove(name);
        }
        pure
    }
}

/// The name of what changed.
fn name_of(change: &Change) -> &str {
    match change {
        Change::Text(change) => &change.document,
        Change::Map(change) => &change.map,
        Change::List(change) => &change.list,
        Change::Records(change) => &change.collection,
    }
}

/// One step from one view to another.
fn difference(name: &str, before: Option<&View>, now: Option<&View>) -> Option<Change> {
    if before == now {
        return None;
    }
    match before.or(now)? {
        View::Text(_) => {
            let text = |view: Option<&View>| match view {
                Some(View::Text(text)) => text.clone(),
                _ => String::new(),
            };
            let delta = text::splice_delta(&text(before), &text(now));
            (!delta.is_empty()).then(|| Change::Text(TextChange { document: name.to_owned(), delta }))
        }
        View::Map(_) => {
            let map = |view: Option<&View>| match view {
                Some(View::Map(map)) => map.clone(),
                _ => BTreeMap::new(),
            };
            let (before, now) = (map(before), map(now));
            let gone = before.keys().filter(|key| !now.contains_key(*key)).map(|key| (key.clone(), None));
            let set = now.iter().filter(|(key, value)| before.get(*key) != Some(value));
            let entries = gone.chain(set.map(|(key, value)| (key.clone(), Some(value.clone())))).into_map();
            (!entries.is_empty()).then(|| Change::Map(MapChange { map: name.to_owned(), entries }))
        }
        View::List(_) => {
            let list = |view: Option<&View>| match view {
                Some(View::List(list)) => list.clone(),
                _ => Vec::new(),
            };
            let delta = list::splice_delta(&list(before), list(now));
            (!delta.is_empty()).then(|| Change::List(ListChange { list: name.to_owned(), delta }))
        }
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("roots", &self.roots).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
