//! Reads the v1 encoding of a whole document that this node itself has stored: what [`super::inspect`] says of single
//! operations, and without its limits.

use std::collections::BTreeSet;

use super::{Inspector, RootKind};

/// What is in a document.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Roots that say what they are used as.
    pub(crate) roots: BTreeSet<(String, RootKind)>,
    /// Second halves of surrogate pairs.
    pub(crate) low_surrogates: Vec<(u64, u64)>,
    /// Whether there are marks.
    pub(crate) marked: bool,
}

/// `None` if it cannot be read.
pub(crate) fn survey(bytes: &[u8]) -> Option<Survey> {
    let mut survey = Survey::default();
    let mut inspector = Inspector::new(bytes, 0);
    (inspector.max_elements, inspector.max_bytes) = (usize::MAX, bytes.len());
    for _ in 0..inspector.number().ok()? {
        let count = inspector.number().ok()?;
        inspector.client = inspector.client_id().ok()?;
        inspector.gone.clear();
        let mut clock = inspector.clock().ok()?;
        for _ in 0..count {
            clock += inspector.one_struct(clock).ok()?;
        }
        let client = inspector.client;
        let lows = std::mem::take(&mut inspector.summary.low_surrogates);
        survey.low_surrogates.extend(lows.into_iter().map(|at| (client, at)));
        survey.marked |= inspector.summary.items.drain(..).any(|item| item.mark);
        inspector.values.clear();
    }
    survey.roots = inspector.summary.roots;
    Some(survey)
}
