//! Reads the v1 encoding of a whole document that this node itself has stored: what [`super::inspect`] says of single
//! operations, and without its limits.

use std::collections::BTreeSet;

use super::{BINARY, Inspector, RootKind};
use crate::wire::put_uvarint;

/// What is in a document.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Roots that say what they are used as.
    pub(crate) roots: BTreeSet<(String, RootKind)>,
    /// Second halves of surrogate pairs.
    pub(crate) low_surrogates: Vec<(u64, u64)>,
    /// Whether there are marks.
    pub(crate) marked: bool,
    /// Whether there are bytes as items of their own.
    pub(crate) binaries: bool,
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
    survey.binaries = inspector.summary.holds.binaries;
    survey.roots = inspector.summary.roots;
    Some(survey)
}

/// The same document with every item that is bytes as a value that is those bytes: Yjs reads both alike.
pub(crate) fn without_binaries(bytes: &[u8]) -> Option<Vec<u8>> {
    /// Tag of an item of values; how many; tag of a value that is bytes.
    const VALUES: u8 = 8;
    const ONE_BUFFER: [u8; 2] = [1, 116];
    let mut inspector = Inspector::new(bytes, 0);
    (inspector.max_elements, inspector.max_bytes) = (usize::MAX, bytes.len());
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let clients = inspector.number().ok()?;
    put_uvarint(&mut out, clients);
    for _ in 0..clients {
        let count = inspector.number().ok()?;
        inspector.client = inspector.client_id().ok()?;
        inspector.gone.clear();
        let mut clock = inspector.clock().ok()?;
        put_uvarint(&mut out, count);
        put_uvarint(&mut out, inspector.client);
        put_uvarint(&mut out, clock);
        for _ in 0..count {
            let start = inspector.offset();
            clock += inspector.one_struct(clock).ok()?;
            let (info, end) = (*bytes.get(start)?, inspector.offset());
            if info & 0x1f == BINARY {
                out.push(info & !0x1f | VALUES);
                out.extend_from_slice(bytes.get(start + 1..inspector.content_at)?);
                out.extend_from_slice(&ONE_BUFFER);
                out.extend_from_slice(bytes.get(inspector.content_at..end)?);
            } else {
                out.extend_from_slice(bytes.get(start..end)?);
            }
        }
    }
    out.extend_from_slice(bytes.get(inspector.offset()..)?);
    Some(out)
}
