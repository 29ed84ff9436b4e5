//! Cutting own updates to the size of payloads (SPEC Y7).

use yrs::updates::decoder::Decode;

use super::{Inspector, canonical::canonical, join::joined};
use crate::{
    base::limits::{MAX_CLOCK_ADVANCE, MAX_NAME_BYTES},
    wire::{Reader, put_uvarint},
};

/// The head of a struct: ids of neighbours, or a root's name and a key.
const MAX_HEAD_BYTES: usize = 4 * MAX_NAME_BYTES;

/// Cuts an update of the writer's own into consecutive ones of at most `max` bytes each; the delete set travels last.
/// Local edits are chunked so that a struct fits. One that does not travels without its content, as if it were deleted:
/// the clocks are all there, because later updates count on them.
pub(crate) fn split(bytes: &[u8], client: u64, max: usize) -> Vec<Vec<u8>> {
    let bytes = &canonical(bytes, client);
    let short = joined(bytes, client);
    let bytes = short.as_deref().unwrap_or(bytes);
    if bytes.len() <= max {
        return vec![bytes.to_vec()];
    }
    let mut inspector = Inspector::new(bytes, client);
    // An own update may be larger than a payload: that is why it is here.
    (inspector.max_elements, inspector.max_bytes) = (usize::MAX, bytes.len());
    let mut cuts = Vec::new();
    let Some(ranges) = inspector.walk(&mut cuts) else { return stand_in(bytes, client) };
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some((start, clock)) = cuts.get(at).copied().filter(|_| at + 1 < cuts.len()) {
        let mut end = at + 1;
        while cuts.get(end + 1).is_some_and(|(offset, _)| offset - start + 32 <= max) {
            end += 1;
        }
        let (stop, clock_end) = cuts.get(end).copied().unwrap_or((start, clock));
        let structs = bytes.get(start..stop).unwrap_or_default();
        let emptied = (structs.len() + 32 > max).then(|| emptied(structs, client, clock, clock_end - clock));
        pieces.push(piece(end - at, client, clock, emptied.as_deref().unwrap_or(structs)));
        at = end;
    }
    pieces.extend(split_delete_set(&ranges, max));
    pieces
}

fn piece(count: usize, client: u64, clock: u64, structs: &[u8]) -> Vec<u8> {
    let mut piece = vec![1];
    put_uvarint(&mut piece, count as u64);
    put_uvarint(&mut piece, client);
    put_uvarint(&mut piece, clock);
    piece.extend_from_slice(structs);
    piece.push(0);
    piece
}

/// A struct where it was, deleted.
fn emptied(whole: &[u8], client: u64, clock: u64, len: u64) -> Vec<u8> {
    const DELETED: u8 = 1;
    let mut inspector = Inspector::new(whole, client);
    (inspector.max_elements, inspector.max_bytes) = (usize::MAX, whole.len());
    let read = inspector.one_struct(clock);
    let mut head = whole.get(..inspector.content_at).unwrap_or_default().to_vec();
    match head.first_mut().filter(|_| read.is_ok() && inspector.content_at <= MAX_HEAD_BYTES) {
        Some(info) => *info = *info & 0xe0 | DELETED,
        None => return gap(len),
    }
    put_uvarint(&mut head, len);
    head
}

/// Clocks without content.
fn gap(len: u64) -> Vec<u8> {
    let mut gap = vec![0];
    put_uvarint(&mut gap, len);
    gap
}

/// The clocks of an update that cannot be read, without what was in it.
fn stand_in(bytes: &[u8], client: u64) -> Vec<Vec<u8>> {
    let Some(start) = first_clock(bytes) else { return Vec::new() };
    let update = yrs::Update::decode_v1(bytes).ok();
    let end = update.map_or(start, |update| u64::from(update.state_vector().get(&yrs::ClientID::new(client))));
    let steps = (start..end).step_by(MAX_CLOCK_ADVANCE as usize);
    let one = |from: u64| piece(1, client, from, &gap((end - from).min(u64::from(MAX_CLOCK_ADVANCE))));
    steps.map(one).collect()
}

fn first_clock(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    let clients = reader.uvarint().ok()?;
    let (_, _, clock) = (reader.uvarint().ok()?, reader.uvarint().ok()?, reader.uvarint().ok()?);
    (clients == 1).then_some(clock)
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
