//! The frames of a room session `/peersync/sync/1.0.0` (SPEC §4). On the stream each is preceded by its length as a
//! varint; that prefix is the driver's business.

use super::{
    codec::{Reader, WireError, put_uvarint},
    compact::{COMPACT, CompactOp, WriterIndex},
    op::Op,
};
use crate::base::{
    AuthorId, Hash, NodeId, OpId, Refusal, RoomId, Seq, Signature, WallTime, WriterId, hash_parts,
    limits::{
        MAX_EXTENSION_BYTES, MAX_FRAME_BYTES, MAX_INTRODUCED, MAX_MEMBERS_FRAME, MAX_NODE_ID_BYTES, MAX_PRESENCE_BYTES,
        MAX_PRESENCE_FRAME, MAX_TOKEN_BYTES, VECTOR_FRAME_ENTRIES,
    },
};

const HELLO: u8 = 1;
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
const PRESENCE: u8 = 0x80;

/// Flags of a presence frame.
const LIST_STARTS: u8 = 1;
const LIST_ENDS: u8 = 2;
const HAS_CHECK: u8 = 4;

const ITEM_INTRODUCE: u8 = 0;
const ITEM_FULL: u8 = 1;

/// The first frame of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the session protocol; [`Hello::VERSION`].
    pub version: u8,
    /// The room.
    pub room: RoomId,
    /// On whose behalf the node speaks.
    pub author: AuthorId,
    /// The author's signature over [`Hello::binding`] of the node's transport id.
    pub binding: Signature,
    /// Whether the node makes operations durable, and will say so.
    pub persists: bool,
    /// Admission token, empty if none.
    pub token: Vec<u8>,
    /// The sender's wall clock, so that a client can find its offset to a backend.
    pub wall: WallTime,
    /// Operations the sender holds.
    pub operations: u64,
    /// Digest of the sender's writer vector.
    pub digest: Hash,
    /// For later versions; empty now, skipped by whoever does not know it.
    pub extensions: Vec<u8>,
}

impl Hello {
    /// The version this code speaks.
    pub const VERSION: u8 = 1;

    /// What an author signs to let `node` speak for it in `room`. The transport has proven the node's id, so that
    /// nobody else can use the signature.
    #[must_use]
    pub fn binding(room: RoomId, node: &NodeId) -> Vec<u8> {
        [b"peersync/hello/v1".as_slice(), &room.0, &node.0].concat()
    }
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

/// Short-lived states of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The sender's whole list starts with this frame: whom it does not name, is gone.
    pub starts: bool,
    /// The whole list ends with this frame.
    pub ends: bool,
    /// The sender's check over what it was told; see [`Presence::check`].
    pub check: Option<u64>,
    /// At most [`MAX_PRESENCE_FRAME`].
    pub entries: Vec<PresenceEntry>,
}

impl Presence {
    /// What one node's state adds (by exclusive or) to the check over a list.
    #[must_use]
    pub fn check(node: &NodeId, state: &[u8]) -> u64 {
        let digest = hash_parts(&[b"peersync/presence/v1", &node.0, state]);
        let mut first = [0; 8];
        first.copy_from_slice(&digest.0[..8]);
        u64::from_be_bytes(first)
    }
}

/// What one node lets others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceEntry {
    /// Whose; empty for the sender's own.
    pub node: NodeId,
    /// It changes fast now, and others want to see it do so.
    pub urgent: bool,
    /// An encoded JSON object of at most [`MAX_PRESENCE_BYTES`], not looked into yet; empty: gone.
    pub state: Vec<u8>,
}

/// One message of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "SPEC §4 describes each field in the table of frames")]
pub enum Frame {
    Hello(Hello),
    /// The sender's whole writer vector, in ascending pieces; `last` ends it.
    Vector {
        entries: Vec<VectorEntry>,
        last: bool,
    },
    Ops(Vec<Item>),
    Ack {
        persisted: bool,
        marks: Vec<Ack>,
    },
    Refused(Refused),
    Want(Want),
    /// A repeated digest; a differing receiver answers with its vector.
    Digest(Hash),
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
            Self::Vector { entries, last } => {
                out.extend_from_slice(&[VECTOR, u8::from(*last)]);
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
            Self::Digest(digest) => {
                out.push(DIGEST);
                out.extend_from_slice(&digest.0);
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

    /// A presence frame without entries; [`Frame::put_presence`] makes them.
    #[must_use]
    pub fn start_presence(starts: bool, ends: bool, check: Option<u64>) -> Vec<u8> {
        let flags = [(starts, LIST_STARTS), (ends, LIST_ENDS), (check.is_some(), HAS_CHECK)];
        let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        let mut out = vec![PRESENCE, flags];
        if let Some(check) = check {
            out.extend_from_slice(&check.to_be_bytes());
        }
        out
    }

    /// Appends an entry to a presence frame.
    pub fn put_presence(out: &mut Vec<u8>, node: &NodeId, urgent: bool, state: &[u8]) {
        put_uvarint(out, node.0.len() as u64);
        out.extend_from_slice(&node.0);
        out.push(u8::from(urgent));
        put_uvarint(out, state.len() as u64);
        out.extend_from_slice(state);
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
            DIGEST => Self::Digest(reader.hash()?),
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

/// The room that a hello frame names, so that a driver can route a new session. `None` for any other frame.
#[must_use]
pub fn peek_room(bytes: &[u8]) -> Option<RoomId> {
    let mut reader = Reader::new(bytes);
    (reader.u8().ok()? == HELLO && reader.u8().is_ok()).then(|| reader.room().ok())?
}

fn put_hello(hello: &Hello, out: &mut Vec<u8>) {
    out.extend_from_slice(&[HELLO, hello.version]);
    out.extend_from_slice(&hello.room.0);
    out.extend_from_slice(&hello.author.0);
    out.extend_from_slice(&hello.binding.0);
    out.push(u8::from(hello.persists));
    put_uvarint(out, hello.token.len() as u64);
    out.extend_from_slice(&hello.token);
    out.extend_from_slice(&hello.wall.0.to_be_bytes());
    put_uvarint(out, hello.operations);
    out.extend_from_slice(&hello.digest.0);
    put_uvarint(out, hello.extensions.len() as u64);
    out.extend_from_slice(&hello.extensions);
}

fn read_hello(reader: &mut Reader<'_>) -> Result<Hello, WireError> {
    Ok(Hello {
        version: reader.u8()?,
        room: reader.room()?,
        author: reader.author()?,
        binding: reader.signature()?,
        persists: read_flag(reader, "hello flags")?,
        token: reader.byte_string("token", MAX_TOKEN_BYTES)?.to_vec(),
        wall: WallTime(reader.u64()?),
        operations: reader.uvarint()?,
        digest: reader.hash()?,
        extensions: reader.byte_string("hello extensions", MAX_EXTENSION_BYTES)?.to_vec(),
    })
}

fn read_vector(reader: &mut Reader<'_>) -> Result<Frame, WireError> {
    let last = read_flag(reader, "vector flag")?;
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
    Ok(Frame::Vector { entries, last })
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

fn read_presence(reader: &mut Reader<'_>) -> Result<Presence, WireError> {
    let flags = reader.u8()?;
    if flags & !(LIST_STARTS | LIST_ENDS | HAS_CHECK) != 0 {
        return Err(WireError::Unknown { what: "presence flags", value: u64::from(flags) });
    }
    let check = if flags & HAS_CHECK == 0 { None } else { Some(reader.u64()?) };
    let mut entries = Vec::new();
    while !reader.is_empty() {
        if entries.len() == MAX_PRESENCE_FRAME {
            let (len, max) = (entries.len() as u64 + 1, MAX_PRESENCE_FRAME as u64);
            return Err(WireError::TooLarge { what: "presence", len, max });
        }
        entries.push(PresenceEntry {
            node: NodeId(reader.byte_string("node id", MAX_NODE_ID_BYTES)?.to_vec()),
            urgent: read_flag(reader, "presence flag")?,
            state: reader.byte_string("presence", MAX_PRESENCE_BYTES)?.to_vec(),
        });
    }
    Ok(Presence { starts: flags & LIST_STARTS != 0, ends: flags & LIST_ENDS != 0, check, entries })
}

fn read_flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, WireError> {
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
    use crate::wire::op::tests::sample;

    fn samples() -> Vec<Frame> {
        let (writer, author) = (WriterId(3), AuthorId([4; 32]));
        vec![
            Frame::Hello(Hello {
                version: 1,
                room: RoomId([1; 32]),
                author,
                binding: Signature([5; 64]),
                persists: true,
                token: b"token".to_vec(),
                wall: WallTime(1_700_000_000_000),
                operations: 3,
                digest: Hash([6; 32]),
                extensions: vec![1, 2, 3],
            }),
            Frame::Vector { entries: vec![VectorEntry { writer, seq: 300, hash: [1; 16] }], last: true },
            Frame::Ops(vec![Item::Introduce { index: 0, writer, author }, Item::Full(Box::new(sample(2, b"x")))]),
            Frame::Ack {
                persisted: true,
                marks: vec![Ack { writer: Ok(0), seq: 9 }, Ack { writer: Err(writer), seq: 1 }],
            },
            Frame::Refused(Refused { id: OpId { writer, seq: 1 }, reason: Refusal::ClockAhead, wall: WallTime(5) }),
            Frame::Want(Want { writer, from: 2, full: true }),
            Frame::Digest(Hash([7; 32])),
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
    fn p7_presence_is_bounded_in_entries_and_bytes() {
        let entry = |bytes: usize| PresenceEntry { node: NodeId(vec![1]), urgent: false, state: vec![0; bytes] };
        let frame = |entries| Frame::Presence(Presence { entries, ..Presence::default() });
        for entries in [vec![entry(MAX_PRESENCE_BYTES)], vec![entry(0); MAX_PRESENCE_FRAME]] {
            assert!(Frame::decode(&frame(entries).encode()).is_ok());
        }
        for entries in [vec![entry(MAX_PRESENCE_BYTES + 1)], vec![entry(0); MAX_PRESENCE_FRAME + 1]] {
            assert!(matches!(Frame::decode(&frame(entries).encode()), Err(WireError::TooLarge { .. })));
        }
        assert!(Frame::decode(&[PRESENCE, 8]).is_err());
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
            let expected = matches!(frame, Frame::Hello(_)).then_some(RoomId([1; 32]));
            assert_eq!(peek_room(&frame.encode()), expected);
        }
    }
}
