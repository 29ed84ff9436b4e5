//! Links between engines, and the faults on them.

use std::collections::BTreeMap;

use peersync::base::LinkId;

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub node: usize,
    pub link: LinkId,
}

/// What the world does at a moment.
#[derive(Clone, Debug)]
pub enum Action {
    Deliver { to: End, bytes: Vec<u8> },
    Wake { node: usize, incarnation: u32 },
    Stored { node: usize, incarnation: u32, batch: u64, ok: bool },
    Edit { node: usize },
    Connect { a: usize, b: usize },
    Fault,
    Heal,
}

/// How badly frames travel.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub delay_ms: u64,
    pub jitter_ms: u64,
    pub loss_percent: u64,
    pub duplicate_percent: u64,
    pub reorder_percent: u64,
}

/// Which ends belong together.
#[derive(Debug, Default)]
pub struct Links {
    peers: BTreeMap<End, End>,
    last_arrival: BTreeMap<End, u64>,
    next: u64,
}

impl Links {
    pub fn connect(&mut self, a: usize, b: usize) -> (End, End) {
        let one = End { node: a, link: LinkId(self.next) };
        let other = End { node: b, link: LinkId(self.next + 1) };
        self.next += 2;
        self.peers.insert(one, other);
        self.peers.insert(other, one);
        (one, other)
    }

    pub fn peer(&self, end: End) -> Option<End> {
        self.peers.get(&end).copied()
    }

    pub fn between(&self, a: usize, b: usize) -> Option<(End, End)> {
        self.peers.iter().find(|(one, other)| one.node == a && other.node == b).map(|(one, other)| (*one, *other))
    }

    pub fn of(&self, node: usize) -> Vec<End> {
        self.peers.keys().filter(|end| end.node == node).copied().collect()
    }

    pub fn all(&self) -> Vec<End> {
        self.peers.keys().copied().collect()
    }

    pub fn cut(&mut self, end: End) -> Option<End> {
        let other = self.peers.remove(&end)?;
        self.peers.remove(&other);
        Some(other)
    }

    /// A stream keeps its order unless the weather says otherwise.
    pub fn arrival(&mut self, to: End, at: u64, in_order: bool) -> u64 {
        let last = self.last_arrival.entry(to).or_default();
        let at = if in_order { at.max(*last) } else { at };
        *last = (*last).max(at);
        at
    }
}
