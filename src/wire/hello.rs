//! The first frame of each side (SPEC 4.2). What the receiver knows already is left out: a node that was away for a moment
//! says little more than who it is and that nothing has changed.

use super::{
    codec::{Reader, WireError, put_uvarint},
    frame::{Digest, HELLO},
};
use crate::base::{
    AuthorId, NodeId, RoomId, Signature, WallTime,
    limits::{MAX_EXTENSION_BYTES, MAX_TOKEN_BYTES},
};

const PERSISTS: u8 = 1;
const TRUSTS: u8 = 2;
const DURABLE: u8 = 4;
const HAS_ROOM: u8 = 8;
const HAS_AUTHOR: u8 = 16;
const HAS_TOKEN: u8 = 32;
const HAS_WALL: u8 = 64;

/// The first frame of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the session protocol; [`Hello::VERSION`].
    pub version: u8,
    /// The room; none from the side that did not open the stream, which answers in the same room.
    pub room: Option<RoomId>,
    /// On whose behalf the node speaks, and the author's signature over [`Hello::binding`] of the node's transport id.
    /// None if the node's own key is the author's.
    pub author: Option<(AuthorId, Signature)>,
    /// Whether the node makes operations durable, and will say so.
    pub persists: bool,
    /// Whether it takes snapshots from the receiver.
    pub trusts: bool,
    /// Whether everything in the digest is durable here.
    pub durable: bool,
    /// Admission token, empty if none.
    pub token: Vec<u8>,
    /// A backend's wall clock, so that a client can find its offset.
    pub wall: Option<WallTime>,
    /// Operations the sender holds.
    pub operations: u64,
    /// Digest of the sender's writer vector.
    pub digest: Digest,
    /// For later versions; empty now, skipped by whoever does not know it.
    pub extensions: Vec<u8>,
}

impl Hello {
    /// The version this code speaks.
    pub const VERSION: u8 = 2;

    /// What an author signs to let `node` speak for it in `room`. The transport has proven the node's id, so that
    /// nobody else can use the signature.
    #[must_use]
    pub fn binding(room: RoomId, node: &NodeId) -> Vec<u8> {
        [b"peersync/hello/v1".as_slice(), &room.0, &node.0].concat()
    }
}

/// The room that a hello frame names, so that a driver can route a new session. `None` for any other frame.
#[must_use]
pub fn peek_room(bytes: &[u8]) -> Option<RoomId> {
    let mut reader = Reader::new(bytes);
    let is_hello = reader.u8().ok()? == HELLO && reader.u8().is_ok();
    (is_hello && reader.u8().ok()? & HAS_ROOM != 0).then(|| reader.room().ok())?
}

pub(super) fn put_hello(hello: &Hello, out: &mut Vec<u8>) {
    let flags = [
        (hello.persists, PERSISTS),
        (hello.trusts, TRUSTS),
        (hello.durable, DURABLE),
        (hello.room.is_some(), HAS_ROOM),
        (hello.author.is_some(), HAS_AUTHOR),
        (!hello.token.is_empty(), HAS_TOKEN),
        (hello.wall.is_some(), HAS_WALL),
    ];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    out.extend_from_slice(&[HELLO, hello.version, flags]);
    if let Some(room) = hello.room {
        out.extend_from_slice(&room.0);
    }
    if let Some((author, binding)) = &hello.author {
        out.extend_from_slice(&author.0);
        out.extend_from_slice(&binding.0);
    }
    if !hello.token.is_empty() {
        put_uvarint(out, hello.token.len() as u64);
        out.extend_from_slice(&hello.token);
    }
    if let Some(wall) = hello.wall {
        put_uvarint(out, wall.0);
    }
    put_uvarint(out, hello.operations);
    out.extend_from_slice(&hello.digest);
    put_uvarint(out, hello.extensions.len() as u64);
    out.extend_from_slice(&hello.extensions);
}

pub(super) fn read_hello(reader: &mut Reader<'_>) -> Result<Hello, WireError> {
    let (version, flags) = (reader.u8()?, reader.u8()?);
    if flags & 0x80 != 0 {
        return Err(WireError::Unknown { what: "hello flags", value: u64::from(flags) });
    }
    let has = |flag: u8| flags & flag != 0;
    let room = if has(HAS_ROOM) { Some(reader.room()?) } else { None };
    let author = if has(HAS_AUTHOR) { Some((reader.author()?, reader.signature()?)) } else { None };
    let token = if has(HAS_TOKEN) { reader.byte_string("token", MAX_TOKEN_BYTES)?.to_vec() } else { Vec::new() };
    if has(HAS_TOKEN) && token.is_empty() {
        return Err(WireError::NotCanonical("token"));
    }
    Ok(Hello {
        version,
        room,
        author,
        persists: has(PERSISTS),
        trusts: has(TRUSTS),
        durable: has(DURABLE),
        token,
        wall: if has(HAS_WALL) { Some(WallTime(reader.uvarint()?)) } else { None },
        operations: reader.uvarint()?,
        digest: reader.array()?,
        extensions: reader.byte_string("hello extensions", MAX_EXTENSION_BYTES)?.to_vec(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What opens a session.
    pub(in super::super) fn full() -> Hello {
        Hello {
            version: Hello::VERSION,
            room: Some(RoomId([1; 32])),
            author: Some((AuthorId([4; 32]), Signature([5; 64]))),
            persists: true,
            trusts: true,
            durable: false,
            token: b"token".to_vec(),
            wall: None,
            operations: 3,
            digest: [6; 16],
            extensions: vec![1, 2, 3],
        }
    }

    /// What a backend answers.
    pub(in super::super) fn answer() -> Hello {
        let (wall, durable) = (Some(WallTime(1_700_000_000_000)), true);
        Hello { room: None, author: None, token: Vec::new(), extensions: Vec::new(), wall, durable, ..full() }
    }

    #[test]
    fn s13_two_hellos_of_those_who_have_the_same_take_few_bytes() {
        let mut bytes = Vec::new();
        put_hello(&Hello { token: Vec::new(), extensions: Vec::new(), ..full() }, &mut bytes);
        put_hello(&answer(), &mut bytes);
        assert!(bytes.len() <= 178, "{} bytes", bytes.len());
    }
}
