//! Collecting into ordered maps and sets. `collect` sorts first, and each place that calls it costs a browser some four
//! kilobytes of sorting code that it has for nothing else; these insert one by one.

use std::collections::{BTreeMap, BTreeSet};

/// What every iterator can do; see above.
pub(crate) trait Ordered: Iterator + Sized {
    /// Into a map; of entries with one key the last counts.
    fn into_map<K: Ord, V>(self) -> BTreeMap<K, V>
    where
        Self: Iterator<Item = (K, V)>,
    {
        let mut map = BTreeMap::new();
        for (key, value) in self {
            map.insert(key, value);
        }
        map
    }

    /// Into a set.
    fn into_set(self) -> BTreeSet<Self::Item>
    where
        Self::Item: Ord,
    {
        let mut set = BTreeSet::new();
        for item in self {
            set.insert(item);
        }
        set
    }
}

impl<I: Iterator> Ordered for I {}
