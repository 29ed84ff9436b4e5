//! Ids and content of what is in a text or list: what an undo must know of it.

use std::collections::BTreeMap;

use yrs::{
    Assoc, ClientID, ID, IdSet, ReadTxn, Snapshot, StateVector, StickyIndex, Text, TextRef, Transact,
    branch::{Branch, BranchPtr},
    types::text::YChange,
};

use super::{
    Documents,
    undo::{Content, Id, Piece},
    views,
};
use crate::sync::{
    update::RootKind,
    value::{Attributes, Delta, from_attrs, inserted},
};

/// Visible characters with consecutive ids, and the same marks.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// The first id.
    pub(super) id: Id,
    /// UTF-16 units.
    pub(super) len: u32,
    /// Position of the first.
    pub(super) at: u32,
    /// What they are: an insertion or embed.
    pub(super) piece: Delta,
}

impl Run {
    pub(super) fn attributes(&self) -> &Attributes {
        const NONE: &Attributes = &BTreeMap::new();
        match &self.piece {
            Delta::Insert { attributes, .. } | Delta::Embed { attributes, .. } => attributes,
            Delta::Retain { .. } | Delta::Delete { .. } => NONE,
        }
    }
}

impl Documents {
    /// A text as runs, in order. They cover it exactly.
    pub(super) fn runs(&self, name: &str) -> Vec<Run> {
        if !self.is_used_as(name, RootKind::Text) {
            return Vec::new();
        }
        // Everything against nothing: yrs then says of each piece by which id it came.
        let mut txn = self.doc.transact_mut();
        let Some(text) = txn.get_text(name) else { return Vec::new() };
        let everything = Snapshot::new(txn.state_vector(), IdSet::new());
        let nothing = Snapshot::new(StateVector::default(), IdSet::new());
        let pieces = text.diff_range(&mut txn, Some(&everything), Some(&nothing), YChange::identity);
        let mut runs = Vec::with_capacity(pieces.len());
        let mut at = 0;
        for piece in pieces {
            let len = views::units_of_out(&piece.insert);
            // It says so of characters only.
            let id = piece.ychange.as_ref().map_or_else(|| id_at(&text, &txn, at), |change| Some(change.id));
            let delta = inserted(&piece.insert, from_attrs(piece.attributes.as_deref()));
            runs.extend(id.map(|id| Run { id: (id.client.get(), id.clock), len, at, piece: delta }));
            at += len;
        }
        runs
    }

    /// What `select` picks of a text, by offsets within each run, ascending.
    pub(super) fn pick_text(&self, name: &str, select: impl Fn(&Run) -> Vec<(u32, u32)>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut left = None;
        for run in self.runs(name) {
            let content = match &run.piece {
                Delta::Insert { text, attributes } => Content::Text(text.clone(), attributes.clone()),
                Delta::Embed { value, attributes } => Content::Embed(value.clone(), attributes.clone()),
                Delta::Retain { .. } | Delta::Delete { .. } => continue,
            };
            let whole = Piece { id: run.id, len: run.len, left, content };
            pieces.extend(select(&run).into_iter().map(|(start, end)| whole.part(start, end)));
            left = Some((run.id.0, run.id.1 + run.len - 1));
        }
        pieces
    }

    /// A range of a text.
    pub(super) fn pick_range(&self, name: &str, from: u32, len: u32) -> Vec<Piece> {
        self.pick_text(name, |run| {
            let (start, end) = (from.max(run.at), (from + len).min(run.at + run.len));
            if start < end { vec![(start - run.at, end - run.at)] } else { Vec::new() }
        })
    }

    /// A range of a list.
    pub(super) fn pick_items(&self, name: &str, from: u32, len: u32) -> Vec<Piece> {
        let values = self.list(name);
        let mut left = from.checked_sub(1).and_then(|at| self.item_id(name, at));
        let mut pieces: Vec<Piece> = Vec::new();
        for (at, value) in (from..from + len).zip(values.into_iter().skip(from as usize)) {
            let Some(id) = self.item_id(name, at) else { continue };
            match pieces.last_mut() {
                Some(Piece { id: first, len, content: Content::Items(values), .. })
                    if (first.0, first.1 + *len) == id =>
                {
                    *len += 1;
                    values.push(value);
                }
                _ => pieces.push(Piece { id, len: 1, left, content: Content::Items(vec![value]) }),
            }
            left = Some(id);
        }
        pieces
    }

    /// The id of a list's item.
    pub(super) fn item_id(&self, name: &str, index: u32) -> Option<Id> {
        self.id_at(name, RootKind::List, index)
    }

    /// The id of what stands at a position.
    pub(super) fn id_at(&self, name: &str, kind: RootKind, index: u32) -> Option<Id> {
        let id = self.read(name, kind, |root, txn| sticky_id(root, txn, index))??;
        Some((id.client.get(), id.clock))
    }

    /// The position before (or, for [`Assoc::Before`], behind) what an id stands for, or where it was.
    pub(super) fn index_of(&self, name: &str, kind: RootKind, (client, clock): Id, assoc: Assoc) -> Option<u32> {
        if client >= 1 << 53 {
            return None;
        }
        let id = ID::new(ClientID::new(client), clock);
        self.read(name, kind, |root, txn| {
            if clock >= txn.state_vector().get(&id.client) {
                return None;
            }
            let offset = StickyIndex::from_id(id, assoc).get_offset(txn)?;
            (offset.branch == BranchPtr::from(root)).then_some(offset.index)
        })?
    }
}

fn id_at<T: ReadTxn>(text: &TextRef, txn: &T, index: u32) -> Option<ID> {
    sticky_id(text.as_ref(), txn, index)
}

fn sticky_id<T: ReadTxn>(root: &Branch, txn: &T, index: u32) -> Option<ID> {
    StickyIndex::at(txn, BranchPtr::from(root), index, Assoc::After)?.id().copied()
}
