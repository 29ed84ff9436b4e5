//! The compact form of an operation inside a session: what the receiver can derive is left out (SPEC §4.3).
//!
//! Left out: room (the session's), author and writer id (introduced once per direction), prev and the hashes of deps
//! (the receiver has them), payload hash (computed), and the writer's Yjs client id inside a Yjs payload. The receiver rebuilds the header
//! and verifies the signature over it, so a wrong guess is found at once.

use super::{
    codec::{Reader, WireError, put_uvarint},
    op::{Dep, Header, Kind, Op},
};
use crate::base::{
    AuthorId, Hash, Hlc, OpId, RoomId, Seq, Signature, WriterId, hash,
    limits::{MAX_DEPS, MAX_INTRODUCED, MAX_PAYLOAD_BYTES},
};

/// A writer as introduced on one direction of a link.
pub type WriterIndex = u64;

const HAS_DEPS: u8 = 1;
const HAS_AUTH: u8 = 2;
const VOID: u8 = 4;
const ABSOLUTE_CLOCK: u8 = 8;
const HAS_KIND: u8 = 16;
const HAS_COUNTER: u8 = 32;
/// Set in the first byte of every compact operation: tells it from other items.
pub(crate) const COMPACT: u8 = 0x80;
const KNOWN_FLAGS: u8 = COMPACT | 63;

/// An operation with references still to be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactOp {
    /// Its writer.
    pub writer: WriterIndex,
    /// Its position.
    pub seq: Seq,
    deps: Vec<(WriterIndex, Seq)>,
    clock: Clock,
    kind: Kind,
    auth: Option<Hash>,
    payload: CompactPayload,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Absolute(Hlc),
    /// Milliseconds after the writer's previous stamp, and the counter.
    After(u64, u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CompactPayload {
    Void {
        len: u32,
        hash: Hash,
    },
    /// Bytes without the client id, and the gaps at which it was taken out.
    Bytes {
        gaps: Vec<usize>,
        rest: Vec<u8>,
    },
}

/// Why a compact operation cannot be rebuilt here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpandError {
    /// Malformed.
    Wire(WireError),
    /// A writer was not introduced on this link.
    UnknownWriter,
    /// This operation must be known first.
    Missing(OpId),
}

impl From<WireError> for ExpandError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl CompactOp {
    /// The compact form of `op`. `index_of` must know the op's writer and every writer among its deps (introduced
    /// before); `previous` is the stamp of the writer's previous operation, `None` for its first.
    pub fn encode(
        op: &Op,
        previous: Option<Hlc>,
        index_of: impl Fn(WriterId) -> Option<WriterIndex>,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let header = &op.header;
        let missing = WireError::NotCanonical("a writer that was not introduced");
        let clock = match previous {
            Some(last) if header.hlc.millis() >= last.millis() => {
                Clock::After(header.hlc.millis() - last.millis(), header.hlc.counter())
            }
            _ => Clock::Absolute(header.hlc),
        };
        let mut flags = COMPACT;
        flags |= if header.deps.is_empty() { 0 } else { HAS_DEPS };
        flags |= if header.auth.is_some() { HAS_AUTH } else { 0 };
        flags |= if op.payload.is_none() { VOID } else { 0 };
        flags |= if matches!(clock, Clock::Absolute(_)) { ABSOLUTE_CLOCK } else { 0 };
        flags |= if header.kind == Kind::YJS { 0 } else { HAS_KIND };
        flags |= if matches!(clock, Clock::After(_, counter) if counter > 0) { HAS_COUNTER } else { 0 };
        out.push(flags);
        put_uvarint(out, index_of(header.writer).ok_or(missing)?);
        put_uvarint(out, header.seq);
        if flags & HAS_DEPS != 0 {
            put_uvarint(out, header.deps.len() as u64);
            for dep in &header.deps {
                put_uvarint(out, index_of(dep.writer).ok_or(missing)?);
                put_uvarint(out, dep.seq);
            }
        }
        match clock {
            Clock::Absolute(hlc) => out.extend_from_slice(&hlc.0.to_be_bytes()),
            Clock::After(millis, counter) => {
                put_uvarint(out, millis);
                if counter > 0 {
                    put_uvarint(out, u64::from(counter));
                }
            }
        }
        if flags & HAS_KIND != 0 {
            out.push(header.kind.0);
        }
        if let Some(grant) = header.auth {
            out.extend_from_slice(&grant.0);
        }
        put_payload(op, out);
        out.extend_from_slice(&op.signature.0);
        Ok(())
    }

    /// Reads one compact operation; what follows it stays in `reader`.
    ///
    /// # Errors
    /// [`WireError`] for malformed bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let flags = reader.u8()?;
        if flags & !KNOWN_FLAGS != 0 || flags & COMPACT == 0 {
            return Err(WireError::Unknown { what: "operation flags", value: u64::from(flags) });
        }
        let writer = reader.uvarint()?;
        let seq = reader.uvarint()?;
        let deps = if flags & HAS_DEPS == 0 { Vec::new() } else { read_deps(reader)? };
        let clock = if flags & ABSOLUTE_CLOCK != 0 {
            Clock::Absolute(reader.hlc()?)
        } else {
            let millis = reader.uvarint()?;
            let counter = if flags & HAS_COUNTER == 0 { 0 } else { reader.uvarint()? };
            Clock::After(millis, u16::try_from(counter).map_err(|_| WireError::NotCanonical("clock counter"))?)
        };
        let kind = if flags & HAS_KIND == 0 { Kind::YJS } else { Kind(reader.u8()?) };
        let auth = if flags & HAS_AUTH == 0 { None } else { Some(reader.hash()?) };
        let payload = if flags & VOID == 0 { read_payload(reader)? } else { read_void(reader)? };
        let signature = reader.signature()?;
        Ok(Self { writer, seq, deps, clock, kind, auth, payload, signature })
    }

    /// Rebuilds the operation. `resolve` names introduced writers with their authors; `context` answers hash and
    /// stamp of the header of an operation that this node has.
    ///
    /// # Errors
    /// [`ExpandError::Missing`] names an operation that must come first; [`ExpandError::Wire`] is malformed.
    pub fn expand(
        self,
        room: RoomId,
        resolve: impl Fn(WriterIndex) -> Option<(WriterId, AuthorId)>,
        context: impl Fn(OpId) -> Option<(Hash, Hlc)>,
    ) -> Result<Op, ExpandError> {
        let resolve = |index| resolve(index).ok_or(ExpandError::UnknownWriter);
        let (writer, author) = resolve(self.writer)?;
        let (prev, last) = match self.seq {
            0 => return Err(WireError::NotCanonical("seq").into()),
            1 => Default::default(),
            seq => {
                let previous = OpId { writer, seq: seq - 1 };
                context(previous).ok_or(ExpandError::Missing(previous))?
            }
        };
        let mut deps = Vec::with_capacity(self.deps.len());
        for (index, seq) in self.deps {
            let id = OpId { writer: resolve(index)?.0, seq };
            let (hash, _) = context(id).ok_or(ExpandError::Missing(id))?;
            deps.push(Dep::on(id, hash));
        }
        deps.sort_unstable();
        let hlc = match self.clock {
            Clock::Absolute(hlc) => hlc,
            Clock::After(millis, counter) => {
                let millis = last.millis().checked_add(millis).filter(|millis| *millis < 1 << 48);
                Hlc::new(millis.ok_or(WireError::NotCanonical("clock"))?, counter)
            }
        };
        let (payload, payload_len, payload_hash) = match self.payload {
            CompactPayload::Void { len, hash } => (None, len, hash),
            CompactPayload::Bytes { gaps, rest } => {
                let id = client_id_bytes(room, author, writer);
                let bytes = put_back(&rest, &gaps, &id)?;
                let digest = hash(&bytes);
                let len = bytes.len() as u32;
                (Some(bytes), len, digest)
            }
        };
        let header = Header {
            room,
            author,
            writer,
            seq: self.seq,
            prev,
            deps,
            hlc,
            kind: self.kind,
            auth: self.auth,
            payload_len,
            payload_hash,
        };
        header.check_shape()?;
        Ok(Op { header, signature: self.signature, payload })
    }
}

fn read_deps(reader: &mut Reader<'_>) -> Result<Vec<(WriterIndex, Seq)>, WireError> {
    let count = reader.length("deps", MAX_DEPS)?;
    if count > reader.remaining() / 2 {
        return Err(WireError::Truncated);
    }
    let mut deps = Vec::with_capacity(count);
    for _ in 0..count {
        deps.push((reader.length("writer index", MAX_INTRODUCED)? as u64, reader.uvarint()?));
    }
    Ok(deps)
}

fn read_void(reader: &mut Reader<'_>) -> Result<CompactPayload, WireError> {
    let len = reader.length("payload", MAX_PAYLOAD_BYTES)? as u32;
    Ok(CompactPayload::Void { len, hash: reader.hash()? })
}

fn read_payload(reader: &mut Reader<'_>) -> Result<CompactPayload, WireError> {
    // A client id takes at least one byte of payload, so that this many gaps is already too many.
    let count = reader.length("client id positions", MAX_PAYLOAD_BYTES)?;
    if count > reader.remaining() {
        return Err(WireError::Truncated);
    }
    let mut gaps = Vec::with_capacity(count);
    for _ in 0..count {
        gaps.push(reader.length("client id position", MAX_PAYLOAD_BYTES)?);
    }
    let rest = reader.byte_string("payload", MAX_PAYLOAD_BYTES)?.to_vec();
    Ok(CompactPayload::Bytes { gaps, rest })
}

fn put_payload(op: &Op, out: &mut Vec<u8>) {
    let header = &op.header;
    let Some(payload) = &op.payload else {
        put_uvarint(out, u64::from(header.payload_len));
        out.extend_from_slice(&header.payload_hash.0);
        return;
    };
    let (gaps, rest) = if header.kind == Kind::YJS {
        take_out(payload, &client_id_bytes(header.room, header.author, header.writer))
    } else {
        (Vec::new(), payload.clone())
    };
    put_uvarint(out, gaps.len() as u64);
    for gap in &gaps {
        put_uvarint(out, *gap as u64);
    }
    put_uvarint(out, rest.len() as u64);
    out.extend_from_slice(&rest);
}

/// The writer's Yjs client id as it stands in a v1 update: a varint, mostly eight bytes.
fn client_id_bytes(room: RoomId, author: AuthorId, writer: WriterId) -> Vec<u8> {
    let mut id = Vec::with_capacity(8);
    put_uvarint(&mut id, writer.yjs_client_id(room, author));
    id
}

/// Takes every occurrence of `pattern` out of `bytes`; the gaps are distances from the end of the last occurrence.
fn take_out(bytes: &[u8], pattern: &[u8]) -> (Vec<usize>, Vec<u8>) {
    let (mut gaps, mut rest, mut from, mut at) = (Vec::new(), Vec::with_capacity(bytes.len()), 0, 0);
    while let Some(candidate) = bytes.get(at..at + pattern.len()) {
        if candidate == pattern {
            gaps.push(at - from);
            rest.extend_from_slice(&bytes[from..at]);
            at += pattern.len();
            from = at;
        } else {
            at += 1;
        }
    }
    rest.extend_from_slice(&bytes[from..]);
    (gaps, rest)
}

/// The inverse of [`take_out`].
fn put_back(rest: &[u8], gaps: &[usize], pattern: &[u8]) -> Result<Vec<u8>, WireError> {
    let len = rest.len() + gaps.len() * pattern.len();
    if len > MAX_PAYLOAD_BYTES {
        return Err(WireError::TooLarge { what: "payload", len: len as u64, max: MAX_PAYLOAD_BYTES as u64 });
    }
    let mut out = Vec::with_capacity(len);
    let mut reader = Reader::new(rest);
    for gap in gaps {
        out.extend_from_slice(reader.bytes(*gap)?);
        out.extend_from_slice(pattern);
    }
    out.extend_from_slice(reader.rest());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::Ed25519, wire::op::tests::sample};

    fn indices(writer: WriterId) -> Option<WriterIndex> {
        match writer.0 {
            42 => Some(0),
            7 => Some(1),
            90 => Some(2),
            _ => None,
        }
    }

    fn resolve(author: AuthorId) -> impl Fn(WriterIndex) -> Option<(WriterId, AuthorId)> {
        move |index| match index {
            0 => Some((WriterId(42), author)),
            1 => Some((WriterId(7), author)),
            2 => Some((WriterId(90), author)),
            _ => None,
        }
    }

    fn typed(op: &Op) -> Op {
        let id = client_id_bytes(op.header.room, op.header.author, op.header.writer);
        let payload = [&[1, 1][..], &id, &[9, 0x84], &id, &[8, 1, b'x', 0]].concat();
        let mut header = op.header.clone();
        header.payload_len = payload.len() as u32;
        header.payload_hash = hash(&payload);
        Op::sign(header, payload, &Ed25519::from_seed([1; 32]))
    }

    #[test]
    fn w5_compact_form_round_trips_with_a_valid_signature() {
        let op = typed(&sample(5, b""));
        let previous = (op.header.prev, Hlc::new(1_699_999_999_900, 0));
        let context =
            |id: OpId| Some(if id.writer.0 == 42 { previous } else { (Hash([id.writer.0 as u8; 32]), Hlc(0)) });
        let mut bytes = Vec::new();
        CompactOp::encode(&op, Some(previous.1), indices, &mut bytes).unwrap();
        let mut reader = Reader::new(&bytes);
        let compact = CompactOp::decode(&mut reader).unwrap();
        assert!(reader.is_empty());
        let back = compact.clone().expand(op.header.room, resolve(op.header.author), context).unwrap();
        assert_eq!(back, op);
        assert!(back.verify(&Ed25519::from_seed([2; 32])));
        let missing = compact.expand(op.header.room, resolve(op.header.author), |_| None);
        assert_eq!(missing, Err(ExpandError::Missing(OpId { writer: WriterId(42), seq: 4 })));
    }

    #[test]
    fn w5_a_typed_character_takes_at_most_120_bytes() {
        let mut op = sample(5, b"");
        op.header.deps.truncate(1);
        let op = typed(&op);
        let mut bytes = Vec::new();
        CompactOp::encode(&op, Some(Hlc::new(1_699_999_999_900, 0)), indices, &mut bytes).unwrap();
        assert!(bytes.len() <= 120, "{} bytes", bytes.len());
    }

    #[test]
    fn w5_voids_keep_length_and_hash() {
        let mut op = sample(5, b"payload");
        op.payload = None;
        let mut bytes = Vec::new();
        CompactOp::encode(&op, None, indices, &mut bytes).unwrap();
        let compact = CompactOp::decode(&mut Reader::new(&bytes)).unwrap();
        let context = |id: OpId| {
            let hash = if id.writer.0 == 42 { op.header.prev } else { Hash([id.writer.0 as u8; 32]) };
            Some((hash, Hlc(0)))
        };
        let back = compact.expand(op.header.room, resolve(op.header.author), context).unwrap();
        assert_eq!(back, op);
    }

    #[test]
    fn w2_an_expanding_payload_is_refused_before_it_is_built() {
        let gaps = vec![0; MAX_PAYLOAD_BYTES];
        assert!(matches!(put_back(&[], &gaps, &[0; 8]), Err(WireError::TooLarge { .. })));
    }

    #[test]
    fn w2_no_prefix_of_a_compact_operation_decodes() {
        let mut bytes = Vec::new();
        CompactOp::encode(&typed(&sample(5, b"")), None, indices, &mut bytes).unwrap();
        for cut in 0..bytes.len() {
            assert!(CompactOp::decode(&mut Reader::new(&bytes[..cut])).is_err(), "cut at {cut}");
        }
    }
}
