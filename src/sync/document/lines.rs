//! The characters of one text with their ids, in order, cut into chunks: what a deletion must know, found without
//! walking over the text. Kept for the text that is being edited while own plain edits are all that happens to it.

use super::{
    capture::Run,
    undo::{Content, Id, Piece, units},
};
use crate::sync::value::{Attributes, Delta};

/// Stretches of one chunk. A chunk over it is cut in two.
const CHUNK: usize = 256;
/// Units up to which neighbouring stretches are joined.
const STRETCH: u32 = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    chunks: Vec<Chunk>,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    units: u32,
    stretches: Vec<Stretch>,
}

/// Characters with consecutive ids.
#[derive(Clone, Debug)]
struct Stretch {
    id: Id,
    units: u32,
    text: String,
}

impl Stretch {
    fn last(&self) -> Id {
        (self.id.0, self.id.1 + self.units - 1)
    }

    /// Cuts off what is behind an offset.
    fn split(&mut self, at: u32) -> Self {
        let head = units(&self.text, 0, at).len();
        let text = self.text.split_off(head);
        let tail = Self { id: (self.id.0, self.id.1 + at), units: self.units - at, text };
        self.units = at;
        tail
    }
}

impl Lines {
    /// The characters of a text without marks. `None` if there is anything else in it.
    pub(super) fn new(runs: Vec<Run>) -> Option<Self> {
        let mut lines = Self::default();
        for run in runs {
            let Delta::Insert { text, .. } = run.piece else { return None };
            let stretch = Stretch { id: run.id, units: run.len, text };
            match lines.chunks.last_mut().filter(|chunk| chunk.stretches.len() < CHUNK / 2) {
                Some(chunk) => {
                    chunk.units += stretch.units;
                    chunk.stretches.push(stretch);
                }
                None => lines.chunks.push(Chunk { units: stretch.units, stretches: vec![stretch] }),
            }
        }
        Some(lines)
    }

    /// Inserts characters before position `at`.
    pub(super) fn insert(&mut self, at: u32, id: Id, text: &str, units: u32) {
        if self.chunks.is_empty() {
            self.chunks.push(Chunk::default());
        }
        let (number, place) = self.boundary(at);
        let Some(chunk) = self.chunks.get_mut(number) else { return };
        chunk.units += units;
        let before = place.checked_sub(1).and_then(|before| chunk.stretches.get_mut(before));
        match before.filter(|before| (before.id.0, before.id.1 + before.units) == id && before.units < STRETCH) {
            Some(before) => {
                before.text.push_str(text);
                before.units += units;
            }
            None => chunk.stretches.insert(place, Stretch { id, units, text: text.to_owned() }),
        }
        if chunk.stretches.len() > CHUNK {
            let stretches = chunk.stretches.split_off(CHUNK / 2);
            let units = stretches.iter().map(|stretch| stretch.units).sum();
            chunk.units -= units;
            self.chunks.insert(number + 1, Chunk { units, stretches });
        }
    }

    /// Takes `len` units from position `at` on out.
    pub(super) fn cut(&mut self, at: u32, len: u32) -> Vec<Piece> {
        let (mut number, place) = self.boundary(at);
        let mut left = self.last_before(number, place);
        let mut place = place;
        let (mut rest, mut pieces) = (len, Vec::new());
        while rest > 0 {
            let Some(chunk) = self.chunks.get_mut(number) else { break };
            let Some(stretch) = chunk.stretches.get_mut(place) else {
                (number, place) = (number + 1, 0);
                continue;
            };
            let taken = if stretch.units > rest {
                let tail = stretch.split(rest);
                std::mem::replace(stretch, tail)
            } else {
                chunk.stretches.remove(place)
            };
            chunk.units -= taken.units;
            rest -= taken.units;
            let (id, len, last) = (taken.id, taken.units, taken.last());
            pieces.push(Piece { id, len, left, content: Content::Text(taken.text, Attributes::new()) });
            left = Some(last);
        }
        self.chunks.retain(|chunk| chunk.units > 0);
        pieces
    }

    /// The chunk and place in it where position `at` begins, after cutting what reaches over it.
    fn boundary(&mut self, at: u32) -> (usize, usize) {
        let mut left = at;
        for (number, chunk) in self.chunks.iter_mut().enumerate() {
            if left > chunk.units {
                left -= chunk.units;
                continue;
            }
            for place in 0..chunk.stretches.len() {
                let Some(stretch) = chunk.stretches.get_mut(place).filter(|_| left > 0) else { return (number, place) };
                if left < stretch.units {
                    let tail = stretch.split(left);
                    chunk.stretches.insert(place + 1, tail);
                    return (number, place + 1);
                }
                left -= stretch.units;
            }
            return (number, chunk.stretches.len());
        }
        (self.chunks.len(), 0)
    }

    /// The id of the character before a place.
    fn last_before(&self, number: usize, place: usize) -> Option<Id> {
        let here = self.chunks.get(number).and_then(|chunk| chunk.stretches.get(place.checked_sub(1)?));
        let before = || self.chunks.get(..number)?.iter().rev().find_map(|chunk| chunk.stretches.last());
        here.or_else(before).map(Stretch::last)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn t11_lines_are_the_text() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut lines, mut plain) = (Lines::default(), Vec::<(Id, char)>::new());
        let mut clock = 0;
        for _ in 0..5_000 {
            let at = (rng.next_u64() % (plain.len() as u64 + 1)) as usize;
            if rng.next_u64() % 3 > 0 {
                let text = ["a", "bc", "defg"][(rng.next_u64() % 3) as usize];
                lines.insert(at as u32, (7, clock), text, text.len() as u32);
                let added = text.chars().enumerate().map(|(offset, letter)| ((7, clock + offset as u32), letter));
                plain.splice(at..at, added.collect::<Vec<_>>());
                clock += text.len() as u32;
            } else {
                let len = (rng.next_u64() % 6).min((plain.len() - at) as u64) as usize;
                let mut left = at.checked_sub(1).map(|before| plain[before].0);
                let mut gone = plain.drain(at..at + len);
                for piece in lines.cut(at as u32, len as u32) {
                    assert_eq!(piece.left, left);
                    let Content::Text(text, _) = piece.content else { panic!("no text") };
                    for (offset, letter) in text.chars().enumerate() {
                        assert_eq!(gone.next(), Some(((piece.id.0, piece.id.1 + offset as u32), letter)));
                    }
                    left = Some((piece.id.0, piece.id.1 + piece.len - 1));
                }
                assert_eq!(gone.next(), None);
            }
            assert_eq!(lines.chunks.iter().map(|chunk| chunk.units).sum::<u32>(), plain.len() as u32);
            assert!(lines.chunks.iter().all(|chunk| chunk.stretches.len() <= CHUNK));
        }
    }
}
