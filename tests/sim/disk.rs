//! What a store of a simulated node holds: lists, as `storage` defines them.

#![allow(dead_code, reason = "each of its users needs a part of it")]

use std::collections::BTreeMap;

use super::{Record, StoredList};

/// Lists by number: first index, entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(BTreeMap<u64, (u64, Vec<Vec<u8>>)>);

impl Disk {
    /// Applies records, all or none. False if they would leave a hole.
    pub(crate) fn apply(&mut self, records: &[Record]) -> bool {
        let mut lists = self.0.clone();
        for record in records {
            match record {
                Record::Append { list, index, bytes } => {
                    let (first, entries) = lists.entry(*list).or_default();
                    let Some(at) = index.checked_sub(*first) else { continue };
                    let at = usize::try_from(at).unwrap();
                    if at > entries.len() {
                        return false;
                    }
                    entries.truncate(entries.len().max(at));
                    match entries.get_mut(at) {
                        Some(entry) => entry.clone_from(bytes),
                        None => entries.push(bytes.clone()),
                    }
                }
                Record::Truncate { list, from } => {
                    let Some((first, entries)) = lists.get_mut(list) else { continue };
                    if from <= first {
                        lists.remove(list);
                    } else {
                        entries.truncate(usize::try_from(from - *first).unwrap());
                    }
                }
                Record::Trim { list, before } => {
                    let (first, entries) = lists.entry(*list).or_default();
                    let gone = usize::try_from(before.saturating_sub(*first)).unwrap().min(entries.len());
                    entries.drain(..gone);
                    *first = (*first).max(*before);
                }
            }
        }
        self.0 = lists;
        true
    }

    /// Everything, as an engine takes it back.
    pub(crate) fn lists(&self) -> Vec<StoredList> {
        let lists = self.0.iter();
        lists
            .map(|(list, (first, entries))| StoredList { list: *list, first: *first, entries: entries.clone() })
            .collect()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(|(_, entries)| entries.len()).sum()
    }

    /// Every entry, to be damaged.
    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.0.values_mut().flat_map(|(_, entries)| entries)
    }
}
