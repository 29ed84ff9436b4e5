//! Cutting own updates to the size of payloads (SPEC Y7).

use super::{Inspector, canonical::canonical, join::joined};
use crate::wire::put_uvarint;

/// Cuts an update of the writer's own into consecutive ones of at most `max` bytes each (a single struct larger than
/// that stays whole; local edits are chunked so that none is). The delete set travels last.
pub(crate) fn split(bytes: &[u8], client: u64, max: usize) -> Vec<Vec<u8>> {
    let bytes = &canonical(bytes, client);
    let short = joined(bytes, client);
    let bytes = short.as_deref().unwrap_or(bytes);
    if bytes.len() <= max {
        return vec![bytes.to_vec()];
    }
    let mut inspector = Inspector::new(bytes, client);
    let mut cuts = Vec::new();
    let walked = inspector.walk(&mut cuts);
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some((start, clock)) = cuts.get(at).copied().filter(|_| at + 1 < cuts.len()) {
        let mut end = at + 1;
        while cuts.get(end + 1).is_some_and(|(offset, _)| offset - start + 32 <= max) {
            end += 1;
        }
        let mut piece = vec![1];
        put_uvarint(&mut piece, (end - at) as u64);
        put_uvarint(&mut piece, client);
        put_uvarint(&mut piece, clock);
        let stop = cuts.get(end).map_or(start, |(offset, _)| *offset);
        piece.extend_from_slice(bytes.get(start..stop).unwrap_or_default());
        piece.push(0);
        pieces.push(piece);
        at = end;
    }
    if let Some(ranges) = walked {
        pieces.extend(split_delete_set(&ranges, max));
    }
    pieces
}

/// Updates that only delete, each within `max` bytes.
fn split_delete_set(ranges: &[(u64, u64, u64)], max: usize) -> Vec<Vec<u8>> {
    // A range takes at most ten bytes, a client at most fourteen.
    let pieces = ranges.chunks((max.saturating_sub(16) / 24).max(1)).map(|chunk| {
        let mut body = Vec::new();
        let mut clients = 0;
        for group in chunk.chunk_by(|a, b| a.0 == b.0) {
            clients += 1;
            put_uvarint(&mut body, group.first().map_or(0, |range| range.0));
            put_uvarint(&mut body, group.len() as u64);
            for (_, start, len) in group {
                put_uvarint(&mut body, *start);
                put_uvarint(&mut body, *len);
            }
        }
        let mut piece = vec![0];
        put_uvarint(&mut piece, clients);
        piece.extend_from_slice(&body);
        piece
    });
    pieces.collect()
}

impl Inspector<'_> {
    /// Notes where each struct starts (offset, clock) and, last, where they end; answers the delete ranges.
    pub(super) fn walk(&mut self, cuts: &mut Vec<(usize, u64)>) -> Option<Vec<(u64, u64, u64)>> {
        if self.number().ok()? == 1 {
            let count = self.number().ok()?;
            self.client_id().ok()?;
            let mut clock = self.clock().ok()?;
            for _ in 0..count {
                cuts.push((self.offset(), clock));
                clock += self.one_struct(clock).ok()?;
            }
            cuts.push((self.offset(), clock));
        }
        let mut ranges = Vec::new();
        for _ in 0..self.number().ok()? {
            let client = self.client_id().ok()?;
            for _ in 0..self.number().ok()? {
                ranges.push((client, self.clock().ok()?, self.clock().ok()?));
            }
        }
        Some(ranges)
    }
}
