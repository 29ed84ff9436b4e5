//! Keeps rooms without holes: follows how long they become while commits are applied one after another.

use std::collections::BTreeMap;

use super::{StoreError, Write};
use crate::base::RoomId;

/// The lengths of the rooms that commits have changed so far.
#[derive(Debug, Default)]
pub(super) struct Lengths(BTreeMap<RoomId, u64>);

impl Lengths {
    /// Takes the changes of one commit, or none of them if it would leave a hole. `stored` is asked for rooms that
    /// have not changed yet.
    pub(super) fn follow<E: From<StoreError>>(
        &mut self,
        writes: &[Write],
        mut stored: impl FnMut(RoomId) -> Result<u64, E>,
    ) -> Result<(), E> {
        let mut next = BTreeMap::new();
        for write in writes {
            let (Write::Append { room, .. } | Write::Truncate { room, .. }) = write else { continue };
            let len = match next.get(room).or_else(|| self.0.get(room)) {
                Some(len) => *len,
                None => stored(*room)?,
            };
            match *write {
                Write::Append { room, index, .. } if index > len => {
                    return Err(StoreError::Hole { room, index, len }.into());
                }
                Write::Append { index, .. } => next.insert(*room, len.max(index.saturating_add(1))),
                Write::Truncate { from, .. } => next.insert(*room, len.min(from)),
                Write::Meta { .. } => continue,
            };
        }
        self.0.append(&mut next);
        Ok(())
    }

    /// Every room that a commit touched, with its length now.
    #[allow(dead_code, reason = "the memory store has no file to write them to")]
    pub(super) fn into_rooms(self) -> BTreeMap<RoomId, u64> {
        self.0
    }
}
