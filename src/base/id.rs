//! Identifiers. Each is a newtype, so that one cannot be passed for another (SPEC §2).

use std::fmt;

use super::crypto::{hash_parts, short_hex};

/// Position of an operation in its writer's log, counted from 1.
pub type Seq = u64;

/// A room: 32 bytes that say nothing about its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub [u8; 32]);

impl RoomId {
    /// The id of an open room: SHA-256 over a context and the name (SPEC D1). Names never travel in clear.
    #[must_use]
    pub fn open(name: &str) -> Self {
        Self(hash_parts(&[b"peersync/room/open/v1", name.as_bytes()]).0)
    }
}

/// A user's persistent identity on an origin: an Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorId(pub [u8; 32]);

/// One append-only log of one author: 64 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId(pub u64);

impl WriterId {
    /// The Yjs client id that this writer, and nobody else, may create structs under: the first 53 bits of a hash
    /// over room, author and writer (SPEC D6).
    #[must_use]
    pub fn yjs_client_id(self, room: RoomId, author: AuthorId) -> u64 {
        let digest = hash_parts(&[b"peersync/yjs-client/v1", &room.0, &author.0, &self.0.to_be_bytes()]);
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest.0[..8]);
        u64::from_be_bytes(first) >> 11
    }
}

/// An operation's name: its writer and its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// The log.
    pub writer: WriterId,
    /// The position, from 1.
    pub seq: Seq,
}

/// Short, for logs: the start of the writer and the position.
impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}_{}", self.writer.0 >> 32, self.seq)
    }
}

/// A transport identity (the bytes of a libp2p `PeerId`): one per tab or process. The cores only compare it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub Vec<u8>);

impl NodeId {
    /// The author whose key this id is made of, if it is an Ed25519 `PeerId`: an identity multihash over the key's
    /// protobuf form.
    #[must_use]
    pub fn author(&self) -> Option<AuthorId> {
        let key = self.0.strip_prefix(&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20])?;
        key.try_into().ok().map(AuthorId)
    }
}

/// One live session stream, numbered by the driver and never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "room:{}", short_hex(&self.0))
    }
}

impl fmt::Debug for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "author:{}", short_hex(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last bytes: the first say what kind of key it is.
        write!(f, "node:{}", short_hex(&self.0[self.0.len().saturating_sub(4)..]))
    }
}

impl fmt::Debug for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d1_open_room_ids_hide_and_separate_names() {
        assert_ne!(RoomId::open("a"), RoomId::open("b"));
        assert_eq!(RoomId::open("a"), RoomId::open("a"));
    }

    #[test]
    fn d6_client_ids_fit_53_bits_and_follow_every_input() {
        let (room, author) = (RoomId([1; 32]), AuthorId([2; 32]));
        let id = WriterId(3).yjs_client_id(room, author);
        assert!(id < 1 << 53);
        assert_ne!(id, WriterId(4).yjs_client_id(room, author));
        assert_ne!(id, WriterId(3).yjs_client_id(RoomId([9; 32]), author));
        assert_ne!(id, WriterId(3).yjs_client_id(room, AuthorId([9; 32])));
    }
}
