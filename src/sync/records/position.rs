//! Positions in an ordered collection: byte strings that compare as the records stand (SPEC L5). Between any two there
//! is another, so that moving a record writes one value of one record (fractional indexing; Greenspan, 2020).
//!
//! A position is a *stem*, chosen between its neighbours, and a *suffix*, four bytes of the writer: two writers that
//! insert at one place get different positions, and later ones still fit between them. The last byte is never zero,
//! or nothing would fit before it.

use crate::base::{
    WriterId,
    limits::{MAX_POSITION_BYTES, REBALANCE_POSITION_BYTES},
};

/// Where records stand.
pub(crate) type Position = Vec<u8>;

/// Room between two appended records: twelve insertions at one place before positions grow by a byte.
const STEP: u32 = 1 << 12;
const FIRST: u32 = 1 << 31;

/// Whether bytes from a peer are a position.
pub(crate) fn is_position(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_POSITION_BYTES && bytes.last().is_some_and(|last| *last != 0)
}

/// Whether positions around here should be written anew.
pub(crate) fn is_long(position: &[u8]) -> bool {
    position.len() > REBALANCE_POSITION_BYTES
}

/// A position of `writer` between two others; `None`: before the first, after the last. `low` must be less than `high`.
pub(crate) fn between(low: Option<&[u8]>, high: Option<&[u8]>, writer: WriterId) -> Position {
    let mut position = stem(low, high);
    // Bytes of a random number, none of them zero.
    position.extend(writer.0.to_be_bytes().iter().take(4).map(|byte| byte.saturating_add(1).max(1)));
    position
}

/// `count` positions of `writer`, ascending, as short as they can be between two others.
pub(crate) fn spread(low: Option<&[u8]>, high: Option<&[u8]>, count: usize, writer: WriterId) -> Vec<Position> {
    if count == 0 {
        return Vec::new();
    }
    let middle = halving(low, high, writer);
    let before = count / 2;
    let mut positions = spread(low, Some(&middle), before, writer);
    let after = spread(Some(&middle), high, count - before - 1, writer);
    positions.push(middle);
    positions.extend(after);
    positions
}

fn halving(low: Option<&[u8]>, high: Option<&[u8]>, writer: WriterId) -> Position {
    between(Some(low.unwrap_or_default()), high, writer)
}

fn stem(low: Option<&[u8]>, high: Option<&[u8]>) -> Vec<u8> {
    // At an end positions are counted, not halved: a thousand appended records stay short.
    let counted = match (low, high) {
        (None, None) => Some(FIRST),
        (Some(low), None) => number(low).checked_add(STEP),
        (None, Some(high)) => number(high).checked_sub(STEP),
        (Some(_), Some(_)) => None,
    };
    match counted {
        Some(number) if low.is_none_or(|low| !low.is_empty()) => number.to_be_bytes().to_vec(),
        _ => midpoint(low.unwrap_or_default(), high),
    }
}

/// The first four bytes, as if zeros followed.
fn number(position: &[u8]) -> u32 {
    let mut bytes = [0; 4];
    for (to, from) in bytes.iter_mut().zip(position) {
        *to = *from;
    }
    u32::from_be_bytes(bytes)
}

/// Bytes such that, whatever follows them, the whole lies between `low` and `high`.
fn midpoint(low: &[u8], high: Option<&[u8]>) -> Vec<u8> {
    let mut stem = Vec::new();
    let (mut on_low, mut on_high) = (true, high);
    for at in 0.. {
        let floor = low.get(at).filter(|_| on_low).map_or(-1, |byte| i32::from(*byte));
        // A bound of which nothing is left bounds no more: it cannot happen below a greater one.
        let ceiling = on_high.and_then(|high| high.get(at)).map_or(256, |byte| i32::from(*byte));
        if ceiling - floor >= 2 {
            stem.push((floor + (ceiling - floor) / 2) as u8);
            break;
        }
        let digit = floor.max(0);
        stem.push(digit as u8);
        on_low &= digit == floor;
        on_high = on_high.filter(|_| digit == ceiling);
    }
    stem
}

#[cfg(all(test, has_proptest))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: WriterId = WriterId(0x0102_0304_0506_0708);
    const B: WriterId = WriterId(0xff00_00ff_0000_0000);

    fn position() -> impl Strategy<Value = Position> {
        prop::collection::vec(any::<u8>(), 1..8).prop_map(|mut bytes| {
            if bytes.last() == Some(&0) {
                bytes.push(1);
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn l5_between_any_two_positions_is_another(mut a in position(), mut b in position(), writer in any::<u64>()) {
            prop_assume!(a != b);
            if a > b {
                std::mem::swap(&mut a, &mut b);
            }
            let middle = between(Some(&a), Some(&b), WriterId(writer));
            prop_assert!(a < middle && middle < b, "{a:?} {middle:?} {b:?}");
            prop_assert!(is_position(&middle));
            prop_assert!(between(None, Some(&a), WriterId(writer)) < a);
            prop_assert!(between(Some(&a), None, WriterId(writer)) > a);
            let many = spread(Some(&a), Some(&b), 20, WriterId(writer));
            let all: Vec<_> = [vec![a], many, vec![b]].concat();
            prop_assert!(all.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn l5_appending_and_prepending_keep_positions_short() {
        let (mut last, mut first) = (between(None, None, A), between(None, None, A));
        for _ in 0..100_000 {
            let next = between(Some(&last), None, A);
            assert!(next > last && next.len() <= 8);
            last = next;
            let previous = between(None, Some(&first), A);
            assert!(previous < first && previous.len() <= 8);
            first = previous;
        }
    }

    #[test]
    fn l5_two_writers_at_one_place_leave_room_between_them() {
        let (low, high) = (between(None, None, A), between(Some(&between(None, None, A)), None, A));
        let mut pair = [between(Some(&low), Some(&high), A), between(Some(&low), Some(&high), B)];
        pair.sort();
        let middle = between(Some(&pair[0]), Some(&pair[1]), A);
        assert!(pair[0] < middle && middle < pair[1]);
    }

    #[test]
    fn l5_one_place_used_again_and_again_grows_slowly_and_spreading_shortens() {
        let (low, mut high) = (between(None, None, A), between(Some(&between(None, None, A)), None, A));
        for _ in 0..200 {
            high = between(Some(&low), Some(&high), A);
        }
        assert!(is_long(&high), "{}", high.len());
        assert!(high.len() < 250);
        let spread = spread(None, None, 1_000, A);
        assert!(spread.is_sorted_by(|a, b| a < b));
        assert!(spread.iter().all(|position| position.len() <= 10), "{:?}", spread.iter().map(Vec::len).max());
    }
}
