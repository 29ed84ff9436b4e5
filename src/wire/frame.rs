//! The frames of a room session `/peersync/sync/1.0.0` (SPEC §4). On the stream each is preceded by its length as a
//! varint; that prefix is the driver's business.

use super::{
    codec::{Reader, WireError, put_uvarint},
    compact::{COMPACT, CompactOp, WriterIndex},
    hello::{Hello, put_hello, read_hello},
    op::Op,
    presence::{Presence, read_presence},
};
use crate::base::{
    AuthorId, NodeId, OpId, Refusal, Seq, WallTime, WriterId,
    limits::{
        MAX_FRAME_BYTES, MAX_INTRODUCED, MAX_MEMBERS_FRAME, MAX_NODE_ID_BYTES, MAX_SNAPSHOT_BYTES, VECTOR_FRAME_ENTRIES,
    },
};

pub(super) const HELLO: u8 = 1;
const VECTOR: u8 = 2;
const OPS: u8 = 3;
const RECEIVED: u8 = 4;
const PERSISTED: u8 = 11;
const REFUSED: u8 = 5;
const WANT: u8 = 6;
const DIGEST: u8 = 7;
const DONE: u8 = 8;
const MEMBERS: u8 = 9;
const CLOSE: u8 = 10;
/// Frame types from here on may be skipped by whoever does not know them.
const SKIPPABLE: u8 = 0x80;
pub(super) const PRESENCE: u8 = 0x80;
const SNAPSHOT: u8 = 12;
const RANGES: u8 = 13;

/// Flags of a vector frame.
const VECTOR_ENDS: u8 = 1;
const VECTOR_IS_PART: u8 = 2;

const ITEM_INTRODUCE: u8 = 0;
const ITEM_FULL: u8 = 1;

/// The start of a digest (SPEC D10): enough to tell two sets of operations apart by chance or by malice.
pub type Digest = [u8; 16];

/// Into how many buckets a long vector is divided, by the first bits of the writer.
pub const BUCKETS: usize = 64;
/// Every bucket.
pub const WHOLE: u64 = u64::MAX;

/// The bucket of a writer, as a bit.
#[must_use]
pub const fn bucket(writer: WriterId) -> usize {
    (writer.0 >> 58) as usize
}

/// One line of a writer vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorEntry {
    /// The writer.
    pub writer: WriterId,
    /// Its last delivered position.
    pub seq: Seq,
    /// The first sixteen bytes of that header's hash: tells a fork.
    pub hash: [u8; 16],
}

/// One element of an operations frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Gives a writer an index on this direction of the link. Indices are never given twice.
    Introduce {
        /// The index.
        index: WriterIndex,
        /// The writer.
        writer: WriterId,
        /// Its author.
        author: AuthorId,
    },
    /// An operation with everything in it.
    Full(Box<Op>),
    /// An operation without what the receiver can derive.
    Compact(CompactOp),
}

/// High-water marks: every operation of the writer up to `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Index that the *receiver* of the ack introduced, or the writer itself.
    pub writer: Result<WriterIndex, WriterId>,
    /// The mark.
    pub seq: Seq,
}

/// An operation that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub id: OpId,
    /// Why.
    pub reason: Refusal,
    /// The refusing node's clock.
    pub wall: WallTime,
}

/// Asks for operations of one writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Whose.
    pub writer: WriterId,
    /// First position.
    pub from: Seq,
    /// In full form, because the compact one did not verify.
    pub full: bool,
}

/// A node present in the room, as its backend sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its transport id.
    pub node: NodeId,
    /// On whose behalf it speaks.
    pub author: AuthorId,
}

/// One message of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "SPEC §4 describes each field in the table of frames")]
pub enum Frame {
    Hello(Hello),
    /// The sender's writer vector, in ascending pieces; `last` ends it. Only the buckets of `mask`: see [`bucket`].
    Vector {
        entries: Vec<VectorEntry>,
        last: bool,
        mask: u64,
    },
    /// Digests of the sender's vector, by bucket: those that differ are then sent as vectors.
    Ranges(Box<[u64; BUCKETS]>),
    /// A piece of a snapshot.
    Snapshot {
        total: u64,
        offset: u64,
        bytes: Vec<u8>,
    },
    Ops(Vec<Item>),
    Ack {
        persisted: bool,
        marks: Vec<Ack>,
    },
    Refused(Refused),
    Want(Want),
    /// A repeated digest; a differing receiver answers with its vector. `durable`: everything in it is stored there.
    Digest {
        digest: Digest,
        durable: bool,
    },
    /// Everything the sender had when it saw the receiver's vector has been sent.
    Done,
    Members {
        joined: Vec<Member>,
        left: Vec<NodeId>,
        total: u64,
    },
    /// The last frame before the sender gives the session up.
    Close {
        reason: Refusal,
    },
    Presence(Presence),
    /// A frame of a later version that may be skipped: types from 0x80 on.
    Unknown {
        kind: u8,
    },
}

impl Frame {
    /// The frame's bytes, without the length prefix.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::Hello(hello) => put_hello(hello, &mut out),
            Self::Vector { entries, last, mask } => {
                let part = if *mask == WHOLE { 0 } else { VECTOR_IS_PART };
                out.extend_from_slice(&[VECTOR, part | u8::from(*last)]);
                if part != 0 {
                    out.extend_from_slice(&mask.to_be_bytes());
                }
                for entry in entries {
                    out.extend_from_slice(&entry.writer.0.to_be_bytes());
                    put_uvarint(&mut out, entry.seq);
                    out.extend_from_slice(&entry.hash);
                }
            }
            Self::Ops(items) => {
                out.push(OPS);
                for item in items {
                    // Sessions write compact items straight into the frame; this is for the other two.
                    put_item(item, &mut out);
                }
            }
            Self::Ack { persisted, marks } => {
                out.push(if *persisted { PERSISTED } else { RECEIVED });
                for mark in marks {
                    match mark.writer {
                        Ok(index) => put_uvarint(&mut out, index + 1),
                        Err(writer) => {
                            out.push(0);
                            out.extend_from_slice(&writer.0.to_be_bytes());
                        }
                    }
                    put_uvarint(&mut out, mark.seq);
                }
            }
            Self::Refused(refused) => {
                out.extend_from_slice(&[REFUSED, refused.reason as u8]);
                out.extend_from_slice(&refused.id.writer.0.to_be_bytes());
                put_uvarint(&mut out, refused.id.seq);
                out.extend_from_slice(&refused.wall.0.to_be_bytes());
            }
            Self::Want(want) => {
                out.extend_from_slice(&[WANT, u8::from(want.full)]);
                out.extend_from_slice(&want.writer.0.to_be_bytes());
                put_uvarint(&mut out, want.from);
            }
            Self::Digest { digest, durable } => {
                out.extend_from_slice(&[DIGEST, u8::from(*durable)]);
                out.extend_from_slice(digest);
            }
            Self::Ranges(digests) => {
                out.push(RANGES);
                digests.iter().for_each(|digest| out.extend_from_slice(&digest.to_be_bytes()));
            }
            Self::Snapshot { total, offset, bytes } => {
                out.push(SNAPSHOT);
                put_uvarint(&mut out, *total);
                put_uvarint(&mut out, *offset);
                out.extend_from_slice(bytes);
            }
            Self::Done => out.push(DONE),
            Self::Members { joined, left, total } => put_members(joined, left, *total, &mut out),
            Self::Close { reason } => out.extend_from_slice(&[CLOSE, *reason as u8]),
            Self::Presence(presence) => {
                out = Self::start_presence(presence.starts, presence.ends, presence.check);
                for entry in &presence.entries {
                    Self::put_presence(&mut out, &entry.node, entry.urgent, &entry.state);
                }
            }
            Self::Unknown { kind } => out.push(*kind),
        }
        out
    }

    /// An operations frame from items already encoded by [`Frame::put_introduce`], [`Frame::put_full`] and
    /// [`Frame::put_compact`].
    #[must_use]
    pub fn start_ops() -> Vec<u8> {
        vec![OPS]
    }

    /// Appends an introduction to an operations frame.
    pub fn put_introduce(out: &mut Vec<u8>, index: WriterIndex, writer: WriterId, author: AuthorId) {
        out.push(ITEM_INTRODUCE);
        put_uvarint(out, index);
        out.extend_from_slice(&writer.0.to_be_bytes());
        out.extend_from_slice(&author.0);
    }

    /// Appends an operation in full form.
    pub fn put_full(out: &mut Vec<u8>, op: &Op) {
        out.push(ITEM_FULL);
        let bytes = op.encode();
        put_uvarint(out, bytes.len() as u64);
        out.extend_from_slice(&bytes);
    }

    /// Appends an operation in compact form; see [`CompactOp::encode`].
    ///
    /// # Errors
    /// [`WireError`] when a writer was not introduced; the frame is as before.
    pub fn put_compact(
        out: &mut Vec<u8>,
        op: &Op,
        previous: Option<crate::base::Hlc>,
        index_of: impl Fn(WriterId) -> Option<WriterIndex>,
    ) -> Result<(), WireError> {
        let start = out.len();
        let result = CompactOp::encode(op, previous, index_of, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// A frame from exactly its bytes.
    ///
    /// # Errors
    /// [`WireError`]; the session ends.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(WireError::TooLarge { what: "frame", len: bytes.len() as u64, max: MAX_FRAME_BYTES as u64 });
        }
        let mut reader = Reader::new(bytes);
        let frame = match reader.u8()? {
            HELLO => Self::Hello(read_hello(&mut reader)?),
            VECTOR => read_vector(&mut reader)?,
            OPS => read_ops(&mut reader)?,
            RECEIVED => read_ack(&mut reader, false)?,
            PERSISTED => read_ack(&mut reader, true)?,
            REFUSED => {
                let reason = read_refusal(&mut reader)?;
                let id = OpId { writer: reader.writer()?, seq: reader.uvarint()? };
                Self::Refused(Refused { id, reason, wall: WallTime(reader.u64()?) })
            }
            WANT => {
                let full = read_flag(&mut reader, "want flag")?;
                Self::Want(Want { writer: reader.writer()?, from: reader.uvarint()?, full })
            }
            DIGEST => {
                let durable = read_flag(&mut reader, "digest flag")?;
                Self::Digest { digest: reader.array()?, durable }
            }
            RANGES => read_ranges(&mut reader)?,
            SNAPSHOT => {
                let total = reader.length("snapshot", MAX_SNAPSHOT_BYTES)? as u64;
                let offset = reader.length("snapshot", MAX_SNAPSHOT_BYTES)? as u64;
                Self::Snapshot { total, offset, bytes: reader.rest().to_vec() }
            }
            DONE => Self::Done,
            MEMBERS => read_members(&mut reader)?,
            CLOSE => Self::Close { reason: read_refusal(&mut reader)? },
            PRESENCE => Self::Presence(read_presence(&mut reader)?),
            kind if kind >= SKIPPABLE => {
                reader.rest();
                Self::Unknown { kind }
            }
            value => return Err(WireError::Unknown { what: "frame type", value: u64::from(value) }),
        };
        reader.finish()?;
        Ok(frame)
    }
}

fn read_vector(reader: &mut Reader<'_>) -> Result<Frame, WireError> {
    let flags = reader.u8()?;
    if flags > VECTOR_ENDS | VECTOR_IS_PART {
        return Err(WireError::Unknown { what: "vector flags", value: u64::from(flags) });
    }
    let (last, part) = (flags & VECTOR_ENDS != 0, flags & VECTOR_IS_PART != 0);
    let mask = if part { reader.u64()? } else { WHOLE };
    let mut entries = Vec::with_capacity(reader.remaining() / 25);
    while !reader.is_empty() {
        if entries.len() == VECTOR_FRAME_ENTRIES {
            return Err(WireError::TooLarge {
                what: "vector",
                len: entries.len() as u64 + 1,
                max: VECTOR_FRAME_ENTRIES as u64,
            });
        }
        entries.push(VectorEntry { writer: reader.writer()?, seq: reader.uvarint()?, hash: reader.array()? });
    }
    Ok(Frame::Vector { entries, last, mask })
}

fn read_ranges(reader: &mut Reader<'_>) -> Result<Frame, WireError> {
    let mut digests = Box::new([0; BUCKETS]);
    for digest in digests.iter_mut() {
        *digest = reader.u64()?;
    }
    Ok(Frame::Ranges(digests))
}

fn put_item(item: &Item, out: &mut Vec<u8>) {
    match item {
        Item::Introduce { index, writer, author } => Frame::put_introduce(out, *index, *writer, *author),
        Item::Full(op) => Frame::put_full(out, op),
        Item::Compact(_) => {}
    }
}

fn read_ops(reader: &mut Reader<'_>) -> Result<Frame, WireError> {
    // No item is shorter than 42 bytes, so the frame's size bounds their number.
    let mut items = Vec::new();
    while !reader.is_empty() {
        if reader.peek().is_some_and(|first| first & COMPACT != 0) {
            items.push(Item::Compact(CompactOp::decode(reader)?));
            continue;
        }
        items.push(match reader.u8()? {
            ITEM_INTRODUCE => Item::Introduce {
                index: reader.length("writer index", MAX_INTRODUCED)? as u64,
                writer: reader.writer()?,
                author: reader.author()?,
            },
            ITEM_FULL => Item::Full(Box::new(Op::decode(reader.byte_string("operation", MAX_FRAME_BYTES)?)?)),
            value => return Err(WireError::Unknown { what: "item", value: u64::from(value) }),
        });
    }
    Ok(Frame::Ops(items))
}

fn read_ack(reader: &mut Reader<'_>, persisted: bool) -> Result<Frame, WireError> {
    let mut marks = Vec::with_capacity(reader.remaining() / 2);
    while !reader.is_empty() {
        let writer = match reader.length("writer index", MAX_INTRODUCED + 1)? {
            0 => Err(reader.writer()?),
            index => Ok(index as u64 - 1),
        };
        marks.push(Ack { writer, seq: reader.uvarint()? });
    }
    Ok(Frame::Ack { persisted, marks })
}

fn put_members(joined: &[Member], left: &[NodeId], total: u64, out: &mut Vec<u8>) {
    out.push(MEMBERS);
    put_uvarint(out, total);
    put_uvarint(out, joined.len() as u64);
    for member in joined {
        put_uvarint(out, member.node.0.len() as u64);
        out.extend_from_slice(&member.node.0);
        out.extend_from_slice(&member.author.0);
    }
    put_uvarint(out, left.len() as u64);
    for node in left {
        put_uvarint(out, node.0.len() as u64);
        out.extend_from_slice(&node.0);
    }
}

fn read_members(reader: &mut Reader<'_>) -> Result<Frame, WireError> {
    let total = reader.uvarint()?;
    let mut joined = Vec::new();
    for _ in 0..reader.length("joined members", MAX_MEMBERS_FRAME)? {
        let node = NodeId(reader.byte_string("node id", MAX_NODE_ID_BYTES)?.to_vec());
        joined.push(Member { node, author: reader.author()? });
    }
    let mut left = Vec::new();
    for _ in 0..reader.length("left members", MAX_MEMBERS_FRAME)? {
        left.push(NodeId(reader.byte_string("node id", MAX_NODE_ID_BYTES)?.to_vec()));
    }
    Ok(Frame::Members { joined, left, total })
}

pub(super) fn read_flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, WireError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(WireError::Unknown { what, value: u64::from(value) }),
    }
}

fn read_refusal(reader: &mut Reader<'_>) -> Result<Refusal, WireError> {
    // A later version may know more reasons: that is no cause to end a session.
    Ok(Refusal::ALL.get(usize::from(reader.u8()?)).copied().unwrap_or(Refusal::Unspecified))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{hello::peek_room, op::tests::sample, presence::PresenceEntry};

    fn samples() -> Vec<Frame> {
        let (writer, author) = (WriterId(3), AuthorId([4; 32]));
        vec![
            Frame::Hello(super::super::hello::tests::full()),
            Frame::Hello(super::super::hello::tests::answer()),
            Frame::Vector { entries: vec![VectorEntry { writer, seq: 300, hash: [1; 16] }], last: true, mask: WHOLE },
            Frame::Vector { entries: Vec::new(), last: false, mask: 5 },
            Frame::Ranges(Box::new([9; BUCKETS])),
            Frame::Snapshot { total: 300, offset: 200, bytes: vec![1, 2] },
            Frame::Ops(vec![Item::Introduce { index: 0, writer, author }, Item::Full(Box::new(sample(2, b"x")))]),
            Frame::Ack {
                persisted: true,
                marks: vec![Ack { writer: Ok(0), seq: 9 }, Ack { writer: Err(writer), seq: 1 }],
            },
            Frame::Refused(Refused { id: OpId { writer, seq: 1 }, reason: Refusal::ClockAhead, wall: WallTime(5) }),
            Frame::Want(Want { writer, from: 2, full: true }),
            Frame::Digest { digest: [7; 16], durable: true },
            Frame::Done,
            Frame::Members {
                joined: vec![Member { node: NodeId(vec![1, 2]), author }],
                left: vec![NodeId(vec![3])],
                total: 2,
            },
            Frame::Close { reason: Refusal::BadHello },
            Frame::Presence(Presence {
                starts: true,
                ends: false,
                check: Some(u64::MAX - 7),
                entries: vec![
                    PresenceEntry { node: NodeId(Vec::new()), urgent: true, state: vec![7, 0] },
                    PresenceEntry { node: NodeId(vec![3; 38]), urgent: false, state: Vec::new() },
                ],
            }),
            Frame::Presence(Presence::default()),
        ]
    }

    #[test]
    fn w3_every_frame_round_trips() {
        for frame in samples() {
            assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn w2_cuts_and_flips_never_panic_and_cuts_never_gain_meaning() {
        for frame in samples() {
            let bytes = frame.encode();
            for cut in 0..bytes.len() {
                if let Ok(other) = Frame::decode(&bytes[..cut]) {
                    assert_ne!(other, frame);
                }
            }
            for position in 0..bytes.len() {
                for bit in 0..8 {
                    let mut changed = bytes.clone();
                    changed[position] ^= 1 << bit;
                    let _ = Frame::decode(&changed);
                }
            }
        }
    }

    #[test]
    fn w4_a_driver_can_route_a_hello_and_nothing_else() {
        for frame in samples() {
            let expected = match &frame {
                Frame::Hello(hello) => hello.room,
                _ => None,
            };
            assert_eq!(peek_room(&frame.encode()), expected);
        }
    }
}
