//! Stable cursors, which stay where they are while the text around them changes, and who wrote what.

use yrs::{Assoc, IndexScope, StickyIndex, branch::BranchPtr};

use super::{Documents, EditError};
use crate::{
    base::hash,
    sync::update::RootKind,
    wire::{Reader, put_uvarint},
};

/// A cursor before everything; behind everything; beside the character of an id, before it or behind it.
const AT_START: u8 = 0;
const AT_END: u8 = 1;
const BEFORE: u8 = 2;
const BEHIND: u8 = 3;

impl Documents {
    /// A cursor at `index`: it stays with the character behind it, or, if `before` says so, with that before it.
    /// At most 24 bytes: tag, four bytes of the name's hash, client (varint), clock (varint).
    pub(crate) fn cursor(&self, name: &str, index: u32, before: bool) -> Result<Vec<u8>, EditError> {
        self.claim(name, RootKind::Text)?;
        self.check_position(name, "index", u64::from(index))?;
        let assoc = if before { Assoc::Before } else { Assoc::After };
        let sticky =
            self.read(name, RootKind::Text, |root, txn| StickyIndex::at(txn, BranchPtr::from(root), index, assoc));
        let mut bytes = vec![if before { AT_START } else { AT_END }];
        bytes.extend_from_slice(name_tag(name).as_slice());
        if let Some(IndexScope::Relative(id)) = sticky.flatten().as_ref().map(StickyIndex::scope) {
            bytes[0] = if before { BEHIND } else { BEFORE };
            put_uvarint(&mut bytes, id.client.get());
            put_uvarint(&mut bytes, u64::from(id.clock));
        }
        Ok(bytes)
    }

    /// Where a cursor stands now. `None` if it is none, of another text, or of characters that are not known here.
    pub(crate) fn cursor_index(&self, name: &str, cursor: &[u8]) -> Option<u32> {
        let mut reader = Reader::new(cursor);
        let tag = reader.u8().ok()?;
        if reader.bytes(4).ok()? != name_tag(name) {
            return None;
        }
        let id = match tag {
            AT_START | AT_END => None,
            BEFORE | BEHIND => Some((reader.uvarint().ok()?, reader.uvarint().ok()?)),
            _ => return None,
        };
        reader.finish().ok()?;
        let index = match id {
            None if tag == AT_START => 0,
            None => self.text_len(name),
            Some((client, clock)) => {
                let clock = u32::try_from(clock).ok()?;
                let assoc = if tag == BEHIND { Assoc::Before } else { Assoc::After };
                self.index_of(name, RootKind::Text, (client, clock), assoc)?
            }
        };
        // The text of a hostile cursor may begin inside a character; that of a text mixed with a list is shorter.
        let index = index.min(self.text_len(name));
        Some(if self.splits_character(name, u64::from(index)) { index - 1 } else { index })
    }

    /// Who wrote the text: lengths in units, with Yjs client ids. They cover it exactly.
    pub(crate) fn authors(&self, name: &str) -> Vec<(u32, u64)> {
        let mut runs: Vec<(u32, u64)> = Vec::new();
        for run in self.runs(name) {
            match runs.last_mut().filter(|(_, client)| *client == run.id.0) {
                Some((total, _)) => *total += run.len,
                None => runs.push((run.len, run.id.0)),
            }
        }
        runs
    }
}

fn name_tag(name: &str) -> [u8; 4] {
    let hash = hash(name.as_bytes());
    std::array::from_fn(|at| hash.0[at])
}
