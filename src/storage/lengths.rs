//! Keeps lists without holes: follows where they begin and end while commits are applied one after another, and says
//! what each write does to the entries. Every store does only those steps, so all agree on what a write means.

use std::{collections::BTreeMap, ops::Range};

use super::{ListId, StoreError, Write};

/// Where a list begins and ends. Both 0: it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) first: u64,
    pub(super) end: u64,
}

/// What is to be done to stored entries and values.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Stores an entry, new or in the place of another.
    Put { list: ListId, index: u64, bytes: &'a [u8] },
    /// Removes entries, which are all there.
    Drop { list: ListId, range: Range<u64> },
    /// Sets or removes a value.
    Meta { key: &'a str, value: Option<&'a [u8]> },
}

/// The bounds of the lists that commits have changed so far.
#[derive(Debug, Default)]
pub(super) struct Lengths(BTreeMap<ListId, Bounds>);

impl Lengths {
    /// Takes the changes of one commit and returns their steps, or takes none of them if the commit would leave a
    /// hole. `stored` is asked for lists that have not changed yet.
    pub(super) fn follow<'a, E: From<StoreError>>(
        &mut self,
        writes: &'a [Write],
        mut stored: impl FnMut(ListId) -> Result<Bounds, E>,
    ) -> Result<Vec<Step<'a>>, E> {
        let mut next: BTreeMap<ListId, Bounds> = BTreeMap::new();
        let mut steps = Vec::with_capacity(writes.len());
        for write in writes {
            let Some(list) = write.list() else {
                steps.extend(Bounds::default().after(write)?.1);
                continue;
            };
            let now = match next.get(&list).or_else(|| self.0.get(&list)) {
                Some(bounds) => *bounds,
                None => stored(list)?,
            };
            let (then, step) = now.after(write)?;
            steps.extend(step);
            if then != now {
                next.insert(list, then);
            }
        }
        self.0.append(&mut next);
        Ok(steps)
    }

    /// Every list whose bounds changed, with its bounds now.
    pub(super) fn into_lists(self) -> BTreeMap<ListId, Bounds> {
        self.0
    }
}

impl Write {
    /// The list that it changes.
    pub(super) const fn list(&self) -> Option<ListId> {
        match self {
            Self::Append { list, .. } | Self::Truncate { list, .. } | Self::Trim { list, .. } => Some(*list),
            Self::Meta { .. } => None,
        }
    }

    /// What it asks to store, bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Append { bytes, .. } => bytes.len(),
            Self::Meta { value, .. } => value.as_ref().map_or(0, Vec::len),
            Self::Truncate { .. } | Self::Trim { .. } => 0,
        }
    }
}

impl Bounds {
    /// The list after `write`, and what that does to its entries.
    fn after(self, write: &Write) -> Result<(Self, Option<Step<'_>>), StoreError> {
        let Self { first, end } = self;
        Ok(match write {
            // The last number stays free: it could not be followed by an end.
            Write::Append { list, index, .. } if *index > end || *index == u64::MAX => {
                return Err(StoreError::Hole { list: *list, index: *index, end });
            }
            Write::Append { index, .. } if *index < first => (self, None),
            Write::Append { list, index, bytes } => {
                let step = Step::Put { list: *list, index: *index, bytes };
                (Self { first, end: end.max(index.saturating_add(1)) }, Some(step))
            }
            Write::Truncate { list, from } if *from <= first => (Self::default(), dropped(*list, first..end)),
            Write::Truncate { from, .. } if *from >= end => (self, None),
            Write::Truncate { list, from } => (Self { first, end: *from }, dropped(*list, *from..end)),
            Write::Trim { before, .. } if *before <= first => (self, None),
            Write::Trim { list, before } => {
                (Self { first: *before, end: end.max(*before) }, dropped(*list, first..end.min(*before)))
            }
            Write::Meta { key, value } => (self, Some(Step::Meta { key, value: value.as_deref() })),
        })
    }
}

fn dropped<'a>(list: ListId, range: Range<u64>) -> Option<Step<'a>> {
    (!range.is_empty()).then_some(Step::Drop { list, range })
}
