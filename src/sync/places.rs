//! Where items hang in a document, as far as a hostile update could misuse it: how deep, and whether under a key
//! (SPEC Y14, Y15). Kept as runs of clocks; nothing for what is simply in a root's sequence, as all text is.

use std::collections::BTreeMap;

use super::update::ItemShape;

/// Where an item hangs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Shared types around it, not counting the root.
    pub(crate) depth: u8,
    /// Whether it is, or may be, the value of a key.
    pub(crate) keyed: bool,
}

/// Places by (client, first clock): end of the run, and the place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(BTreeMap<(u64, u64), (u64, Place)>);

impl Places {
    /// The place of one clock.
    pub(crate) fn of(&self, (client, clock): (u64, u64)) -> Place {
        let run = self.0.range(..=(client, clock)).next_back();
        run.filter(|((owner, _), (end, _))| *owner == client && clock < *end)
            .map_or(Place::default(), |(_, (_, at))| *at)
    }

    /// Adds a run behind all runs of its client.
    pub(crate) fn push(&mut self, client: u64, start: u64, end: u64, place: Place) {
        if place == Place::default() {
            return;
        }
        if let Some(((owner, _), (last_end, last))) = self.0.range_mut(..=(client, start)).next_back()
            && (*owner, *last_end, *last) == (client, start, place)
        {
            *last_end = end;
            return;
        }
        self.0.insert((client, start), (end, place));
    }

    /// Every run: client, first clock, end, place; ascending.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, u64, u64, Place)> {
        self.0.iter().map(|((client, start), (end, place))| (*client, *start, *end, *place))
    }

    /// What is before a clock of each client.
    pub(crate) fn before(&self, clock_of: impl Fn(u64) -> u64) -> Self {
        let mut kept = Self::default();
        for (client, start, end, place) in self.runs() {
            let end = end.min(clock_of(client));
            if start < end {
                kept.push(client, start, end, place);
            }
        }
        kept
    }

    /// Adds all runs of a later operation.
    pub(crate) fn extend(&mut self, later: &Self) {
        for ((client, start), (end, place)) in &later.0 {
            self.push(*client, *start, *end, *place);
        }
    }

    /// Where a new item of `client` hangs, given the places of what was there before (`self`) and of the items that
    /// came before it in its update. An item without neighbours says where it is; others are beside them. Where two
    /// neighbours disagree, which no honest update has, the worse counts.
    pub(crate) fn of_item(&self, own: &Self, client: u64, item: &ItemShape) -> Place {
        let known = |at: (u64, u64)| {
            let place = own.of(at);
            if at.0 == client && place != Place::default() { place } else { self.of(at) }
        };
        if let Some(parent) = item.parent {
            return Place { depth: known(parent).depth.saturating_add(1), keyed: item.keyed };
        }
        let beside = item.origins.into_iter().flatten().map(known);
        beside.fold(Place { depth: 0, keyed: item.keyed }, |worst, place| Place {
            depth: worst.depth.max(place.depth),
            keyed: worst.keyed || place.keyed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y14_places_are_runs() {
        let mut places = Places::default();
        let (deep, keyed) = (Place { depth: 1, keyed: false }, Place { depth: 0, keyed: true });
        places.push(7, 0, 5, Place::default());
        places.push(7, 5, 6, deep);
        places.push(7, 6, 9, deep);
        places.push(7, 9, 10, keyed);
        places.push(8, 0, 2, keyed);
        assert_eq!(places.0.len(), 3);
        assert_eq!(places.of((7, 4)), Place::default());
        assert_eq!(places.of((7, 5)), deep);
        assert_eq!(places.of((7, 8)), deep);
        assert_eq!(places.of((7, 9)), keyed);
        assert_eq!(places.of((7, 10)), Place::default());
        assert_eq!(places.of((6, 5)), Place::default());
        assert_eq!(places.of((8, 2)), Place::default());
    }
}
