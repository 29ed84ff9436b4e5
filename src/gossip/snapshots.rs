//! Snapshots on one link: offered to a peer that lacks what was folded here, and taken in pieces (SPEC F6).

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    base::{
        OpId, Seq, Timestamp, WriterId,
        limits::{MAX_SNAPSHOT_BYTES, SNAPSHOT_AGAIN_MS, SNAPSHOT_PIECE_BYTES},
    },
    wire::{Frame, OpSource},
};

#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// It is known whether the peer has what was folded here.
    looked: bool,
    /// The one being sent, what it covers, and how much of it is sent.
    sending: Option<(Arc<[u8]>, Vec<OpId>, usize)>,
    /// The last one that was sent, and when: it is not sent again at once, whatever became of it.
    sent: Option<(Vec<OpId>, Timestamp)>,
    /// The one being received.
    incoming: Vec<u8>,
}

impl Snapshots {
    /// What the peer has, or what was folded, is not what it was.
    pub(super) fn look(&mut self) {
        self.looked = false;
    }

    /// Begins to send the snapshot if the peer lacks any of it. False if it lacks some and would not take it.
    pub(super) fn offer(
        &mut self,
        now: Timestamp,
        peer_has: &mut BTreeMap<WriterId, Seq>,
        trusts: bool,
        log: &dyn OpSource,
    ) -> bool {
        if self.looked || self.sending.is_some() {
            return true;
        }
        self.looked = true;
        let Some(bytes) = log.snapshot() else { return true };
        let heads = log.snapshot_heads();
        let has = |id: &OpId| peer_has.get(&id.writer).is_some_and(|has| *has >= id.seq);
        if heads.iter().all(has) {
            return true;
        }
        let just_sent = |(sent, at): &(Vec<OpId>, Timestamp)| *sent == heads && now.since(*at) < SNAPSHOT_AGAIN_MS;
        if self.sent.as_ref().is_some_and(just_sent) {
            raise(peer_has, &heads);
        } else if trusts {
            self.sending = Some((bytes, heads, 0));
        } else {
            return false;
        }
        true
    }

    /// The next piece. With the last one the peer has what the snapshot covers.
    pub(super) fn next_piece(&mut self, now: Timestamp, peer_has: &mut BTreeMap<WriterId, Seq>) -> Option<Frame> {
        let (bytes, heads, offset) = self.sending.as_mut()?;
        let total = bytes.len();
        let end = total.min(*offset + SNAPSHOT_PIECE_BYTES);
        let piece = bytes.get(*offset..end)?.to_vec();
        let frame = Frame::Snapshot { total: total as u64, offset: *offset as u64, bytes: piece };
        *offset = end;
        if end == total {
            raise(peer_has, heads);
            self.sent = self.sending.take().map(|(_, heads, _)| (heads, now));
            // It may have been folded further meanwhile.
            self.looked = false;
        }
        Some(frame)
    }

    /// Takes a piece; with the last one answers the whole. Pieces that do not follow are dropped with what was there:
    /// the next comparison brings it again.
    pub(super) fn take_piece(&mut self, total: u64, offset: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        if offset == 0 {
            self.incoming.clear();
        }
        let fits = total <= MAX_SNAPSHOT_BYTES as u64 && offset.saturating_add(bytes.len() as u64) <= total;
        if !fits || offset != self.incoming.len() as u64 || bytes.is_empty() {
            self.incoming = Vec::new();
            return None;
        }
        self.incoming.extend_from_slice(bytes);
        (self.incoming.len() as u64 == total).then(|| std::mem::take(&mut self.incoming))
    }
}

fn raise(peer_has: &mut BTreeMap<WriterId, Seq>, heads: &[OpId]) {
    for head in heads {
        let has = peer_has.entry(head.writer).or_default();
        *has = (*has).max(head.seq);
    }
}
