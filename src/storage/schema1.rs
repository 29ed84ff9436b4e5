//! How schema 1 kept rooms, and where what it kept belongs now. A room was one list of records in the order of delivery:
//! a tag, 0 an operation or 1 a proof, then the operation in full form.

use std::collections::BTreeMap;

use super::{ListId, StoreError, rows::damaged};
use crate::{base::RoomId, wire::Op};

/// Room, index u64 BE.
pub(super) type RecordKey = [u8; 40];

const TAG_OP: u8 = 0;
const TAG_PROOF: u8 = 1;

/// The list of a room's proofs.
const OWN_LIST: u64 = 0;

pub(super) fn record_key(room: RoomId, index: u64) -> RecordKey {
    let mut key = [0; 40];
    key[..32].copy_from_slice(&room.0);
    key[32..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Gives the records of a room their places, in order.
#[derive(Debug)]
pub(super) struct Places {
    room: RoomId,
    /// By list.
    ends: BTreeMap<u64, u64>,
}

impl Places {
    pub(super) const fn of(room: RoomId) -> Self {
        Self { room, ends: BTreeMap::new() }
    }

    /// The place of the next record: an operation's in its writer's list at `seq - 1`, a proof's behind those before it.
    /// Each must be where it belongs: in this room, and next in its list.
    pub(super) fn next(&mut self, record: &[u8]) -> Result<(ListId, u64), StoreError> {
        let (tag, bytes) = record.split_first().ok_or_else(|| damaged("an empty record"))?;
        let op = Op::decode(bytes).map_err(|error| damaged(&format!("a record is no operation: {error}")))?;
        let (list, seq) = match (*tag, op.header.writer.0) {
            _ if op.header.room != self.room => return Err(damaged("a record of another room")),
            (TAG_PROOF, _) => (OWN_LIST, None),
            // Such a writer has no list.
            (TAG_OP, OWN_LIST) => return Err(damaged("an operation of no writer")),
            (TAG_OP, writer) => (writer, Some(op.header.seq)),
            (tag, _) => return Err(damaged(&format!("a record of unknown kind {tag}"))),
        };
        let end = self.ends.entry(list).or_default();
        let index = *end;
        *end = index.saturating_add(1);
        if seq.is_some_and(|seq| seq != *end) {
            return Err(damaged("a writer's operations are not in order"));
        }
        Ok((ListId { room: self.room, list }, index))
    }

    /// Every list that has got a record, with its end.
    #[allow(dead_code, reason = "the server's store follows its writes")]
    pub(super) fn lists(&self) -> impl Iterator<Item = (ListId, u64)> {
        self.ends.iter().map(|(list, end)| (ListId { room: self.room, list: *list }, *end))
    }
}
