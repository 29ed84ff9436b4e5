//! Bytes of the messages between tabs (SPEC §13). Senders are pages of the same origin and believed, but perhaps of
//! another version: what does not decode is passed over.

use super::TabId;
use crate::{
    base::limits::MAX_TAB_INFO_BYTES,
    wire::{Reader, WireError},
};

/// What is said on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// To whom; `None` for everybody.
    pub(super) to: Option<TabId>,
    pub(super) from: TabId,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// I am here, and this is what I am.
    Here { answer: bool, info: Vec<u8> },
    /// Let us have a pipe.
    Open { pipe: u32 },
}

const HERE: u8 = 1;
const OPEN: u8 = 2;

impl Said {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.to.map_or(0, |tab| tab.0).to_be_bytes());
        out.extend_from_slice(&self.from.0.to_be_bytes());
        match &self.what {
            What::Here { answer, info } => {
                out.extend_from_slice(&[HERE, u8::from(*answer)]);
                out.extend_from_slice(info);
            }
            What::Open { pipe } => {
                out.push(OPEN);
                out.extend_from_slice(&pipe.to_be_bytes());
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let (to, from) = (reader.u64()?, reader.u64()?);
        let what = match reader.u8()? {
            HERE => {
                let answer = reader.u8()? != 0;
                let info = reader.rest();
                if info.len() > MAX_TAB_INFO_BYTES {
                    let (len, max) = (info.len() as u64, MAX_TAB_INFO_BYTES as u64);
                    return Err(WireError::TooLarge { what: "info", len, max });
                }
                What::Here { answer, info: info.to_vec() }
            }
            OPEN => What::Open { pipe: u32::from_be_bytes(reader.array()?) },
            kind => return Err(WireError::Unknown { what: "message between tabs", value: u64::from(kind) }),
        };
        reader.finish()?;
        if from == 0 {
            return Err(WireError::NotCanonical("tab"));
        }
        Ok(Self { to: (to != 0).then_some(TabId(to)), from: TabId(from), what })
    }
}

/// First byte of a message in a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PipeKind {
    /// The offer is taken.
    Taken = 1,
    /// Bytes follow.
    Bytes = 2,
    /// So much was read (u32).
    Read = 3,
    /// Nothing more comes, and nothing more is read.
    End = 4,
}

impl PipeKind {
    pub(super) fn of(byte: u8) -> Option<Self> {
        [Self::Taken, Self::Bytes, Self::Read, Self::End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b2_messages_round_trip_and_what_is_none_is_refused() {
        let said = |what| Said { to: None, from: TabId(7), what };
        let here = said(What::Here { answer: true, info: vec![1; MAX_TAB_INFO_BYTES] });
        let open = Said { to: Some(TabId(9)), ..said(What::Open { pipe: 3 }) };
        for message in [here, open] {
            let bytes = message.encode();
            assert_eq!(Said::decode(&bytes).unwrap(), message);
            assert!(Said::decode(&bytes[..16]).is_err());
        }
        assert!(
            Said::decode(&said(What::Here { answer: false, info: vec![1; MAX_TAB_INFO_BYTES + 1] }).encode()).is_err()
        );
        assert!(Said::decode(&Said { from: TabId(0), ..said(What::Open { pipe: 1 }) }.encode()).is_err());
        let mut long = said(What::Open { pipe: 1 }).encode();
        long.push(0);
        assert!(Said::decode(&long).is_err());
        long[16] = 77;
        assert!(Said::decode(&long).is_err());
        assert_eq!(PipeKind::of(0), None);
        assert_eq!(PipeKind::of(4), Some(PipeKind::End));
    }
}
