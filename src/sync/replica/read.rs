//! Reading a replica: content, changes, figures.

use super::Replica;
use crate::{
    base::{AuthorId, Hash, OpId, Refusal, WriterId, hash},
    sync::value::{Change, Delta},
    wire::OpSource,
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

    /// Names of the texts, ascending.
    #[must_use]
    pub fn text_names(&self) -> Vec<String> {
        self.documents.as_ref().map_or_else(Vec::new, |documents| documents.names().map(str::to_owned).collect())
    }

    /// The next change to show, and the operation it came with (none after a rebuild).
    pub fn next_change(&mut self) -> Option<(Change, Option<OpId>)> {
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
        for name in self.text_names() {
            let delta = self.text_delta(&name);
            if !delta.is_empty() {
                canonical.push_str(&format!("{name:?}{delta:?}"));
            }
        }
        hash(canonical.as_bytes())
    }

    /// Operations of an author whose payload has no effect here and was not issued again, and why.
    pub fn voids_of(&self, author: AuthorId) -> impl Iterator<Item = (OpId, Refusal)> {
        self.log.voids_of(author)
    }
}
