//! Text changes as the JSON envelopes of `/sync/1.0.0` (SPEC §8): one per step that changes something.

use crate::sync::{Delta, TextChange};

/// What an envelope asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeOperation {
    /// `INSERT`.
    Insert,
    /// `DELETE`.
    Delete,
}

/// One envelope's `operation` and `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What.
    pub operation: EnvelopeOperation,
    /// UTF-16 units, in the text as the envelopes before it left it.
    pub position: u32,
    /// Inserted text; empty for a deletion.
    pub content: String,
    /// Deleted units; 0 for an insertion.
    pub length: u32,
}

/// The envelopes of a change, to be applied in order. Marks alone make none.
#[must_use]
pub fn envelopes(change: &TextChange) -> Vec<Envelope> {
    let mut position = 0;
    let mut out = Vec::new();
    for step in &change.delta {
        match step {
            Delta::Retain { len, .. } => position += len,
            Delta::Insert { text, .. } => {
                let units: u32 = text.chars().map(|character| character.len_utf16() as u32).sum();
                let content = text.clone();
                out.push(Envelope { operation: EnvelopeOperation::Insert, position, content, length: 0 });
                position += units;
            }
            Delta::Embed { .. } => position += 1,
            Delta::Delete { len } => {
                let content = String::new();
                out.push(Envelope { operation: EnvelopeOperation::Delete, position, content, length: *len });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Attributes;

    #[test]
    fn e1_steps_become_envelopes_in_applicable_order() {
        let delta = vec![
            Delta::Retain { len: 2, attributes: Attributes::new() },
            Delta::Insert { text: "a😀".into(), attributes: Attributes::new() },
            Delta::Retain { len: 1, attributes: Attributes::new() },
            Delta::Delete { len: 4 },
        ];
        let made = envelopes(&TextChange { document: "d".into(), delta });
        let shape: Vec<_> = made.iter().map(|e| (e.operation, e.position, e.content.as_str(), e.length)).collect();
        let expected = [(EnvelopeOperation::Insert, 2, "a😀", 0), (EnvelopeOperation::Delete, 6, "", 4)];
        assert_eq!(shape, expected);
    }
}
