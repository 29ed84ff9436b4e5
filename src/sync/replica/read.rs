//! Reading a replica: content, changes, figures.

use std::collections::BTreeMap;

use super::{Replica, reissued_of};
use crate::{
    base::{AuthorId, Hash, OpId, Refusal, Seq, WriterId, hash},
    sync::{
        document::{Documents, EditError},
        update::RootKind,
        value::{Change, Delta},
    },
    wire::{OpSource, Value},
};

impl Replica {
    /// A text's content; empty if there is none of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.documents.as_ref().map_or_else(String::new, |documents| documents.text(name))
    }

    /// A text's length in UTF-16 units.
    #[must_use]
    pub fn text_len(&self, name: &str) -> u32 {
        self.documents.as_ref().map_or(0, |documents| documents.text_len(name))
    }

    /// A text's content with marks.
    #[must_use]
    pub fn text_delta(&self, name: &str) -> Vec<Delta> {
        self.documents.as_ref().map_or_else(Vec::new, |documents| documents.text_delta(name))
    }

    /// A map's values by key; empty if there is none of that name.
    #[must_use]
    pub fn map(&self, name: &str) -> BTreeMap<String, Value> {
        self.documents.as_ref().map_or_else(BTreeMap::new, |documents| documents.map(name))
    }

    /// One value of a map.
    #[must_use]
    pub fn map_get(&self, name: &str, key: &str) -> Option<Value> {
        self.documents.as_ref().and_then(|documents| documents.map_get(name, key))
    }

    /// A list's items; empty if there is none of that name.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<Value> {
        self.documents.as_ref().map_or_else(Vec::new, |documents| documents.list(name))
    }

    /// How many items a list has.
    #[must_use]
    pub fn list_len(&self, name: &str) -> u32 {
        self.documents.as_ref().map_or(0, |documents| documents.list_len(name))
    }

    /// Names of the texts, ascending.
    #[must_use]
    pub fn text_names(&self) -> Vec<String> {
        self.names(RootKind::Text)
    }

    /// Names of the maps, ascending.
    #[must_use]
    pub fn map_names(&self) -> Vec<String> {
        self.names(RootKind::Map)
    }

    /// Names of the lists, ascending.
    #[must_use]
    pub fn list_names(&self) -> Vec<String> {
        self.names(RootKind::List)
    }

    fn names(&self, kind: RootKind) -> Vec<String> {
        let names = |documents: &Documents| documents.names(kind).map(str::to_owned).collect();
        self.documents.as_ref().map_or_else(Vec::new, names)
    }

    /// Whether a name may be used as a `kind`: it is unused, or used as one.
    ///
    /// # Errors
    /// [`EditError::TypeMismatch`], [`EditError::BadName`], [`EditError::NotAnEditor`].
    pub fn check_kind(&self, name: &str, kind: RootKind) -> Result<(), EditError> {
        self.documents.as_ref().ok_or(EditError::NotAnEditor)?.claim(name, kind)
    }

    /// A stable cursor at `index` of a text: opaque bytes, at most 32, that others can resolve as well. It stays with
    /// the character behind it or, with `before`, with that before it.
    ///
    /// # Errors
    /// [`EditError`] as for an insertion there.
    pub fn cursor(&self, name: &str, index: u32, before: bool) -> Result<Vec<u8>, EditError> {
        self.documents.as_ref().ok_or(EditError::NotAnEditor)?.cursor(name, index, before)
    }

    /// Where a cursor stands now. `None` if it is malformed, of another text, or of characters not known here.
    #[must_use]
    pub fn cursor_index(&self, name: &str, cursor: &[u8]) -> Option<u32> {
        self.documents.as_ref().and_then(|documents| documents.cursor_index(name, cursor))
    }

    /// Who wrote a text: runs with their lengths in UTF-16 units. They cover it exactly.
    #[must_use]
    pub fn authors(&self, name: &str) -> Vec<(u32, AuthorId)> {
        let runs = self.documents.as_ref().map_or_else(Vec::new, |documents| documents.authors(name));
        let mut authors: Vec<(u32, AuthorId)> = Vec::new();
        for (len, client) in runs {
            let writer = self.log.writer_of_client(client).unwrap_or(self.author.writer);
            let author = self.author_of(writer).unwrap_or_else(|| self.signer.author());
            match authors.last_mut().filter(|(_, last)| *last == author) {
                Some((total, _)) => *total += len,
                None => authors.push((len, author)),
            }
        }
        authors
    }

    /// Texts, maps and lists as one Yjs update, v2 encoding, for other Yjs applications. Empty if this replica has none.
    #[must_use]
    pub fn yjs_state_v2(&self) -> Vec<u8> {
        self.documents.as_ref().map_or_else(Vec::new, Documents::encode_state_v2)
    }

    /// The next change to show, and the operation it came with (none after a rebuild).
    pub fn next_change(&mut self) -> Option<(Change, Option<OpId>)> {
        self.refresh_records();
        self.changes.pop_front()
    }

    /// Who wrote an operation.
    #[must_use]
    pub fn author_of(&self, writer: WriterId) -> Option<AuthorId> {
        if writer == self.author.writer { Some(self.signer.author()) } else { self.log.author(writer) }
    }

    /// Hash of the canonical visible content (SPEC D12), never of encoded bytes.
    #[must_use]
    pub fn state_hash(&self) -> Hash {
        let mut canonical = String::new();
        if let Some(documents) = &self.documents {
            documents.write_canonical(&mut canonical);
        }
        self.write_canonical_records(&mut canonical);
        hash(canonical.as_bytes())
    }

    /// Operations that a backend took away for their stamp and whose author has not issued them again, ascending.
    pub fn clock_voids(&self) -> impl Iterator<Item = OpId> {
        self.log.clock_voids()
    }

    /// Operations of an author whose payload has no effect here and was not issued again, and why.
    pub fn voids_of(&self, author: AuthorId) -> impl Iterator<Item = (OpId, Refusal)> {
        self.log.voids_of(author)
    }

    /// Own operations that are void, or issue an earlier one again: position, and the first issue's position if it is
    /// not the first itself.
    pub fn own_issues(&self) -> impl Iterator<Item = (Seq, Option<Seq>)> {
        let own = self.log.entries().iter().filter(|entry| entry.op.header.writer == self.author.writer);
        own.filter_map(|entry| {
            let first = reissued_of(&entry.op).map(|(first, ..)| first);
            (entry.void.is_some() || first.is_some()).then_some((entry.op.header.seq, first))
        })
    }
}
