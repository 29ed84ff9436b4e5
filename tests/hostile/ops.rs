//! Signed operations, honest and forged.

use peersync::{
    base::{Ed25519, Hash, Hlc, RoomId, Seq, Signer as _, WriterId, hash},
    node::wall_time,
    wire::{CompactOp, Dep, Frame, Header, Item, Kind, Op, put_uvarint},
};

/// An author with one writer, who signs anything.
pub(crate) struct Forger {
    pub(crate) signer: Ed25519,
    pub(crate) room: RoomId,
    pub(crate) writer: WriterId,
}

impl Forger {
    pub(crate) fn new(room: RoomId) -> Self {
        let seed = peersync::node::random_seed().unwrap();
        let writer = WriterId(u64::from_be_bytes(seed[..8].try_into().unwrap()));
        Self { signer: Ed25519::from_seed(seed), room, writer }
    }

    /// The Yjs client id under which this writer may create structs.
    pub(crate) fn client(&self) -> u64 {
        self.writer.yjs_client_id(self.room, self.signer.author())
    }

    /// A header that follows `prev`.
    pub(crate) fn header(&self, prev: Option<&Op>) -> Header {
        Header {
            room: self.room,
            author: self.signer.author(),
            writer: self.writer,
            seq: prev.map_or(1, |op| op.header.seq + 1),
            prev: prev.map_or(Hash::default(), |op| op.header.hash()),
            deps: Vec::new(),
            hlc: Hlc::new(wall_time().0, 0),
            kind: Kind::YJS,
            auth: None,
            payload_len: 0,
            payload_hash: Hash::default(),
        }
    }

    /// Signs `header` for `payload`, whatever it says.
    pub(crate) fn sign(&self, header: Header, payload: Vec<u8>) -> Op {
        let header = Header { payload_len: payload.len() as u32, payload_hash: hash(&payload), ..header };
        Op::sign(header, payload, &self.signer)
    }

    /// An honest operation that inserts one character at the start of the text `n`, which nobody needs to have seen.
    pub(crate) fn typed(&self, prev: Option<&Op>, text: &str) -> Op {
        let clock = prev.map_or(0, |op| op.header.seq);
        self.sign(self.header(prev), insertion(self.client(), clock, text))
    }

    /// What `Frame` introduces this writer with.
    pub(crate) fn introduction(&self) -> Item {
        Item::Introduce { index: 0, writer: self.writer, author: self.signer.author() }
    }

    /// A frame with this writer's introduction and the compact form of `op`, which follows a stamp.
    pub(crate) fn compact(&self, op: &Op, previous: Option<Hlc>) -> Vec<u8> {
        let mut bytes = Frame::Ops(vec![self.introduction()]).encode();
        Frame::put_compact(&mut bytes, op, previous, |writer| (writer == self.writer).then_some(0)).unwrap();
        debug_assert!(matches!(Frame::decode(&bytes), Ok(Frame::Ops(items)) if is_compact(&items)));
        bytes
    }
}

fn is_compact(items: &[Item]) -> bool {
    let compact = |item: &Item| matches!(item, Item::Compact(CompactOp { .. }));
    items.last().is_some_and(compact)
}

/// A frame of operations in full form.
pub(crate) fn full(ops: &[&Op]) -> Frame {
    Frame::Ops(ops.iter().map(|op| Item::Full(Box::new((*op).clone()))).collect())
}

/// A dep on `seq` of `writer` with this header.
pub(crate) fn dep(writer: WriterId, seq: Seq, header: Hash) -> Dep {
    Dep::on(peersync::base::OpId { writer, seq }, header)
}

/// Yjs v1: one struct of `client` from `clock` on, a string in the root text `n`.
pub(crate) fn insertion(client: u64, clock: u64, text: &str) -> Vec<u8> {
    let content = [&[4, 1, 1, b'n', text.len() as u8], text.as_bytes()].concat();
    one_struct(client, clock, &content)
}

/// Yjs v1: one character of `client` after `clock` of `origin`.
pub(crate) fn insertion_after(client: u64, origin: u64, origin_clock: u64) -> Vec<u8> {
    let mut content = vec![0x84];
    put_uvarint(&mut content, origin);
    put_uvarint(&mut content, origin_clock);
    content.extend_from_slice(&[1, b'!']);
    one_struct(client, 0, &content)
}

/// Yjs v1: one struct, without deletions.
pub(crate) fn one_struct(client: u64, clock: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 1];
    put_uvarint(&mut bytes, client);
    put_uvarint(&mut bytes, clock);
    bytes.extend_from_slice(content);
    bytes.push(0);
    bytes
}

/// Yjs v1: deletes `len` clocks of `client` from `from` on.
pub(crate) fn deletion(client: u64, from: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0, 1];
    put_uvarint(&mut bytes, client);
    bytes.push(1);
    put_uvarint(&mut bytes, from);
    put_uvarint(&mut bytes, len);
    bytes
}
