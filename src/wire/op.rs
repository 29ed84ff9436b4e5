//! The signed operation: canonical header, signature, payload (SPEC §3).

use super::codec::{Reader, WireError, put_uvarint};
use crate::base::{
    AuthorId, Hash, Hlc, OpId, RoomId, Seq, Signature, Signer, WriterId, hash,
    limits::{MAX_DEPS, MAX_PAYLOAD_BYTES},
};

/// Version byte of every header.
const HEADER_VERSION: u8 = 1;
/// What a signature over a header is for.
const SIGN_CONTEXT: &[u8] = b"peersync/op/v1";

/// What a payload is. Unknown kinds are verified, stored and forwarded, not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// A Yjs v1 update under the writer's own client id.
    pub const YJS: Self = Self(0x01);
    /// A records patch (reserved).
    pub const RECORDS: Self = Self(0x02);
    /// A broadcast, not retained (reserved).
    pub const BROADCAST: Self = Self(0x03);
    /// A gateway client's operation (reserved).
    pub const GATEWAY: Self = Self(0x04);
    /// The payload of an earlier, voided operation of the same writer: its seq (varint), its kind, its bytes.
    pub const REISSUE: Self = Self(0x05);
}

/// An operation that the author had seen: its name, and its header's hash, which tells two operations apart that an
/// equivocating writer gave one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dep {
    /// Its writer.
    pub writer: WriterId,
    /// Its position.
    pub seq: Seq,
    /// Its header's hash.
    pub hash: Hash,
}

impl Dep {
    /// The dep on the operation of that name and header.
    #[must_use]
    pub const fn on(id: OpId, header: Hash) -> Self {
        Self { writer: id.writer, seq: id.seq, hash: header }
    }

    /// The name of what it depends on.
    #[must_use]
    pub const fn id(&self) -> OpId {
        OpId { writer: self.writer, seq: self.seq }
    }
}

/// Everything an operation's signature covers. Decoding and encoding give the same bytes (SPEC D2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The room.
    pub room: RoomId,
    /// Who signed.
    pub author: AuthorId,
    /// The log it belongs to.
    pub writer: WriterId,
    /// Its place there, from 1.
    pub seq: Seq,
    /// Hash of the writer's previous header; zero for the first.
    pub prev: Hash,
    /// Heads of other writers that the author had seen since its last operation, ascending by writer.
    pub deps: Vec<Dep>,
    /// When, by the author's clock.
    pub hlc: Hlc,
    /// What the payload is.
    pub kind: Kind,
    /// Hash of the grant it acts under; `None` in an open room.
    pub auth: Option<Hash>,
    /// Bytes of the payload.
    pub payload_len: u32,
    /// SHA-256 of the payload.
    pub payload_hash: Hash,
}

impl Header {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.deps.len() * 44);
        out.push(HEADER_VERSION);
        out.extend_from_slice(&self.room.0);
        out.extend_from_slice(&self.author.0);
        out.extend_from_slice(&self.writer.0.to_be_bytes());
        put_uvarint(&mut out, self.seq);
        out.extend_from_slice(&self.prev.0);
        put_uvarint(&mut out, self.deps.len() as u64);
        for dep in &self.deps {
            out.extend_from_slice(&dep.writer.0.to_be_bytes());
            put_uvarint(&mut out, dep.seq);
            out.extend_from_slice(&dep.hash.0);
        }
        out.extend_from_slice(&self.hlc.0.to_be_bytes());
        out.push(self.kind.0);
        match self.auth {
            None => out.push(0),
            Some(grant) => {
                out.push(1);
                out.extend_from_slice(&grant.0);
            }
        }
        put_uvarint(&mut out, u64::from(self.payload_len));
        out.extend_from_slice(&self.payload_hash.0);
        out
    }

    /// A header from exactly its canonical bytes.
    ///
    /// # Errors
    /// [`WireError`] for anything that would not encode to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != HEADER_VERSION {
            return Err(WireError::Unknown { what: "header version", value: u64::from(version) });
        }
        let room = reader.room()?;
        let author = reader.author()?;
        let writer = reader.writer()?;
        let seq = reader.uvarint()?;
        let prev = reader.hash()?;
        let deps = read_deps(&mut reader)?;
        let hlc = reader.hlc()?;
        let kind = Kind(reader.u8()?);
        let auth = match reader.u8()? {
            0 => None,
            1 => Some(reader.hash()?),
            value => return Err(WireError::Unknown { what: "auth flag", value: u64::from(value) }),
        };
        let payload_len = reader.length("payload", MAX_PAYLOAD_BYTES)? as u32;
        let payload_hash = reader.hash()?;
        reader.finish()?;
        let header = Self { room, author, writer, seq, prev, deps, hlc, kind, auth, payload_len, payload_hash };
        header.check_shape()?;
        Ok(header)
    }

    /// The rules that hold for every header, however it was built: a first operation has no predecessor, deps ascend
    /// and never name the writer itself.
    pub(crate) fn check_shape(&self) -> Result<(), WireError> {
        // These are nobody: stores keep the room's own entries under those numbers.
        let reserved = matches!(self.writer.0, 0 | u64::MAX);
        if reserved || self.seq == 0 || (self.seq == 1) != (self.prev == Hash::default()) {
            return Err(WireError::NotCanonical("seq and prev"));
        }
        let ascending = self.deps.windows(2).all(|pair| matches!(pair, [a, b] if a.writer < b.writer));
        let foreign = self.deps.iter().all(|dep| dep.writer != self.writer && dep.seq > 0);
        if ascending && foreign { Ok(()) } else { Err(WireError::NotCanonical("deps")) }
    }

    /// This operation's name.
    #[must_use]
    pub const fn id(&self) -> OpId {
        OpId { writer: self.writer, seq: self.seq }
    }

    /// What the next header of this writer names as `prev`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash(&self.encode())
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [SIGN_CONTEXT, &self.encode()].concat()
    }
}

fn read_deps(reader: &mut Reader<'_>) -> Result<Vec<Dep>, WireError> {
    let count = reader.length("deps", MAX_DEPS)?;
    // 41 bytes is the least a dep takes: the count cannot make us reserve more than was sent.
    if count > reader.remaining() / 41 {
        return Err(WireError::Truncated);
    }
    let mut deps = Vec::with_capacity(count);
    for _ in 0..count {
        deps.push(Dep { writer: reader.writer()?, seq: reader.uvarint()?, hash: reader.hash()? });
    }
    Ok(deps)
}

/// A header, its signature, and its payload unless it is a void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What is signed.
    pub header: Header,
    /// The author's signature over it.
    pub signature: Signature,
    /// The payload; `None` for a void: an operation a backend refused, whose header stays so that the chain links.
    pub payload: Option<Vec<u8>>,
}

impl Op {
    /// Signs `header` for `payload`.
    #[must_use]
    pub fn sign(header: Header, payload: Vec<u8>, signer: &dyn Signer) -> Self {
        let signature = signer.sign(&header.signed_bytes());
        Self { header, signature, payload: Some(payload) }
    }

    /// Whether the signature is the author's over the header.
    #[must_use]
    pub fn verify(&self, signer: &dyn Signer) -> bool {
        signer.verify(self.header.author, &self.header.signed_bytes(), &self.signature)
    }

    /// Whether the payload, if there is one, is what the header says.
    #[must_use]
    pub fn payload_matches(&self) -> bool {
        self.payload.as_ref().is_none_or(|payload| {
            payload.len() == self.header.payload_len as usize && hash(payload) == self.header.payload_hash
        })
    }

    /// The full form: header length, header, signature, void flag, payload. Stored, and sent where the receiver may
    /// not have what the compact form leaves out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let header = self.header.encode();
        let payload = self.payload.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(header.len() + payload.len() + 72);
        put_uvarint(&mut out, header.len() as u64);
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.signature.0);
        out.push(u8::from(self.payload.is_some()));
        out.extend_from_slice(payload);
        out
    }

    /// An operation from exactly its full form. The signature and payload hash are not checked here.
    ///
    /// # Errors
    /// [`WireError`] for anything that would not encode to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let header = Header::decode(reader.byte_string("header", 256 + MAX_DEPS * 50)?)?;
        let signature = reader.signature()?;
        let payload = match reader.u8()? {
            0 => {
                reader.finish()?;
                None
            }
            1 if reader.remaining() == header.payload_len as usize => Some(reader.rest().to_vec()),
            1 => return Err(WireError::NotCanonical("payload length")),
            value => return Err(WireError::Unknown { what: "void flag", value: u64::from(value) }),
        };
        Ok(Self { header, signature, payload })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::Ed25519;

    pub(crate) fn sample(seq: Seq, payload: &[u8]) -> Op {
        let signer = Ed25519::from_seed([1; 32]);
        let header = Header {
            room: RoomId::open("test"),
            author: signer.author(),
            writer: WriterId(42),
            seq,
            prev: if seq == 1 { Hash::default() } else { Hash([9; 32]) },
            deps: vec![
                Dep { writer: WriterId(7), seq: 3, hash: Hash([7; 32]) },
                Dep { writer: WriterId(90), seq: 300, hash: Hash([90; 32]) },
            ],
            hlc: Hlc::new(1_700_000_000_000, 2),
            kind: Kind::YJS,
            auth: None,
            payload_len: payload.len() as u32,
            payload_hash: hash(payload),
        };
        Op::sign(header, payload.to_vec(), &signer)
    }

    #[test]
    fn d2_full_form_round_trips_and_every_cut_or_extra_byte_is_refused() {
        let op = sample(5, b"payload");
        let bytes = op.encode();
        assert_eq!(Op::decode(&bytes).unwrap(), op);
        assert_eq!(Op::decode(&bytes).unwrap().encode(), bytes);
        for cut in 0..bytes.len() {
            assert!(Op::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Op::decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn d2_headers_that_are_not_canonical_are_refused() {
        let mut unsorted = sample(5, b"x").header;
        unsorted.deps.reverse();
        assert!(Header::decode(&unsorted.encode()).is_err());
        let mut own = sample(5, b"x").header;
        own.deps[0].writer = own.writer;
        own.deps.truncate(1);
        assert!(Header::decode(&own.encode()).is_err());
        let mut zero = sample(5, b"x").header;
        zero.seq = 0;
        assert!(Header::decode(&zero.encode()).is_err());
        let mut first = sample(5, b"x").header;
        first.seq = 1;
        assert!(Header::decode(&first.encode()).is_err());
    }

    #[test]
    fn d3_any_changed_bit_of_header_or_signature_breaks_the_signature() {
        let signer = Ed25519::from_seed([2; 32]);
        let op = sample(5, b"payload");
        assert!(op.verify(&signer));
        let bytes = op.encode();
        let mut accepted = 0;
        for position in 0..bytes.len() - b"payload".len() - 1 {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            if let Ok(decoded) = Op::decode(&changed) {
                accepted += usize::from(decoded.verify(&signer));
            }
        }
        assert_eq!(accepted, 0);
    }
}
