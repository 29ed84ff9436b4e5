//! Presence frames (SPEC §4.9).

use super::{
    codec::{Reader, WireError, put_uvarint},
    frame::{Frame, PRESENCE, read_flag},
};
use crate::base::{
    NodeId, hash_parts,
    limits::{MAX_NODE_ID_BYTES, MAX_PRESENCE_BYTES, MAX_PRESENCE_FRAME},
};

/// Flags of a presence frame.
const LIST_STARTS: u8 = 1;
const LIST_ENDS: u8 = 2;
const HAS_CHECK: u8 = 4;

/// Short-lived states of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The sender's whole list starts with this frame: whom it does not name, is gone.
    pub starts: bool,
    /// The whole list ends with this frame.
    pub ends: bool,
    /// The sender's check over what it was told; see [`Presence::check`].
    pub check: Option<u64>,
    /// At most [`MAX_PRESENCE_FRAME`].
    pub entries: Vec<PresenceEntry>,
}

impl Presence {
    /// What one node's state adds (by exclusive or) to the check over a list.
    #[must_use]
    pub fn check(node: &NodeId, state: &[u8]) -> u64 {
        let digest = hash_parts(&[b"peersync/presence/v1", &node.0, state]);
        let mut first = [0; 8];
        first.copy_from_slice(&digest.0[..8]);
        u64::from_be_bytes(first)
    }
}

/// What one node lets others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceEntry {
    /// Whose; empty for the sender's own.
    pub node: NodeId,
    /// It changes fast now, and others want to see it do so.
    pub urgent: bool,
    /// An encoded JSON object of at most [`MAX_PRESENCE_BYTES`], not looked into yet; empty: gone.
    pub state: Vec<u8>,
}

impl Frame {
    /// A presence frame without entries; [`Frame::put_presence`] makes them.
    #[must_use]
    pub fn start_presence(starts: bool, ends: bool, check: Option<u64>) -> Vec<u8> {
        let flags = [(starts, LIST_STARTS), (ends, LIST_ENDS), (check.is_some(), HAS_CHECK)];
        let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        let mut out = vec![PRESENCE, flags];
        if let Some(check) = check {
            out.extend_from_slice(&check.to_be_bytes());
        }
        out
    }

    /// Appends an entry to a presence frame.
    pub fn put_presence(out: &mut Vec<u8>, node: &NodeId, urgent: bool, state: &[u8]) {
        put_uvarint(out, node.0.len() as u64);
        out.extend_from_slice(&node.0);
        out.push(u8::from(urgent));
        put_uvarint(out, state.len() as u64);
        out.extend_from_slice(state);
    }
}

pub(super) fn read_presence(reader: &mut Reader<'_>) -> Result<Presence, WireError> {
    let flags = reader.u8()?;
    if flags & !(LIST_STARTS | LIST_ENDS | HAS_CHECK) != 0 {
        return Err(WireError::Unknown { what: "presence flags", value: u64::from(flags) });
    }
    let check = if flags & HAS_CHECK == 0 { None } else { Some(reader.u64()?) };
    let mut entries = Vec::new();
    while !reader.is_empty() {
        if entries.len() == MAX_PRESENCE_FRAME {
            let (len, max) = (entries.len() as u64 + 1, MAX_PRESENCE_FRAME as u64);
            return Err(WireError::TooLarge { what: "presence", len, max });
        }
        entries.push(PresenceEntry {
            node: NodeId(reader.byte_string("node id", MAX_NODE_ID_BYTES)?.to_vec()),
            urgent: read_flag(reader, "presence flag")?,
            state: reader.byte_string("presence", MAX_PRESENCE_BYTES)?.to_vec(),
        });
    }
    Ok(Presence { starts: flags & LIST_STARTS != 0, ends: flags & LIST_ENDS != 0, check, entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_presence_is_bounded_in_entries_and_bytes() {
        let entry = |bytes: usize| PresenceEntry { node: NodeId(vec![1]), urgent: false, state: vec![0; bytes] };
        let frame = |entries| Frame::Presence(Presence { entries, ..Presence::default() });
        for entries in [vec![entry(MAX_PRESENCE_BYTES)], vec![entry(0); MAX_PRESENCE_FRAME]] {
            assert!(Frame::decode(&frame(entries).encode()).is_ok());
        }
        for entries in [vec![entry(MAX_PRESENCE_BYTES + 1)], vec![entry(0); MAX_PRESENCE_FRAME + 1]] {
            assert!(matches!(Frame::decode(&frame(entries).encode()), Err(WireError::TooLarge { .. })));
        }
        assert!(Frame::decode(&[PRESENCE, 8]).is_err());
    }
}
