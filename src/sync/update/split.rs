//! Cutting own updates to the size of payloads (SPEC Y7).

use yrs::updates::decoder::Decode;

use super::{Inspector, canonical::canonical, join::joined};
use crate::{
    base::limits::{MAX_CLOCK_ADVANCE, MAX_NAME_BYTES},
    wire::put_uvarint,
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
    let Ok(update) = yrs::Update::decode_v1(bytes) else { return Vec::new() };
    let made = update.insertions(true);
    let ranges = made.get(&yrs::ClientID::new(client)).into_iter().flat_map(|ranges| ranges.iter());
    let steps = ranges.flat_map(|(range, ())| {
        let starts = range.clone().step_by(MAX_CLOCK_ADVANCE as usize);
        let end = range.end;
        starts.map(move |from| (u64::from(from), u64::from((end - from).min(MAX_CLOCK_ADVANCE))))
    });
    steps.map(|(from, len)| piece(1, client, from, &gap(len))).collect()
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

#[cfg(test)]
mod tests {
    use yrs::{Any, Map, Out, Text, Transact};

    use super::*;
    use crate::sync::update::inspect;

    /// Applies pieces as another replica does; the clocks that they cover without a gap.
    fn clocks(pieces: &[Vec<u8>], from: u64, max: usize) -> u64 {
        pieces.iter().fold(from, |clock, piece| {
            assert!(piece.len() <= max);
            let (_, start, end) = inspect(piece, 7).unwrap().structs.unwrap_or((7, clock, clock));
            assert_eq!(start, clock);
            end
        })
    }

    #[test]
    fn y7_a_struct_that_cannot_be_cut_leaves_its_clocks() {
        let (doc, reader) = (yrs::Doc::with_client_id(7), yrs::Doc::with_client_id(8));
        let (map, text) = (doc.get_or_insert_map("m"), doc.get_or_insert_text("n"));
        let whole = {
            let mut txn = doc.transact_mut();
            map.insert(&mut txn, "a", 1);
            map.insert(&mut txn, "a", "x".repeat(300_000));
            text.insert(&mut txn, 0, "kept");
            map.insert(&mut txn, "b", 2);
            txn.encode_update_v1()
        };
        let pieces = split(&whole, 7, 1_000);
        assert_eq!(clocks(&pieces, 0, 1_000), 7);
        let (map, text) = (reader.get_or_insert_map("m"), reader.get_or_insert_text("n"));
        let mut txn = reader.transact_mut();
        for piece in &pieces {
            txn.apply_update(yrs::Update::decode_v1(piece).unwrap()).unwrap();
        }
        assert_eq!(yrs::GetString::get_string(&text, &txn), "kept");
        assert_eq!((map.get(&txn, "a"), map.get(&txn, "b")), (None, Some(Out::Any(Any::from(2)))));
    }

    #[test]
    fn y7_an_update_that_cannot_be_read_leaves_its_clocks() {
        let doc = yrs::Doc::with_client_id(7);
        let (map, text) = (doc.get_or_insert_map("m"), doc.get_or_insert_text("n"));
        text.insert(&mut doc.transact_mut(), 0, "before");
        // Deeper than any update may nest.
        let deep = (0..40).fold(Any::from("x".repeat(2_000)), |inner, _| Any::from(vec![inner]));
        let mut txn = doc.transact_mut();
        map.insert(&mut txn, "a", deep);
        text.insert(&mut txn, 0, "more");
        let whole = txn.encode_update_v1();
        assert_eq!(clocks(&split(&whole, 7, 1_000), 6, 1_000), 11);
    }
}
