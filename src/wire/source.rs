//! What a session may ask of a room's log. Implemented by `sync`, used by `gossip`, so that neither knows the other.

use std::sync::Arc;

use super::op::{Dep, Op};
use crate::base::{AuthorId, Hash, Hlc, OpId, RoomId, Seq, WriterId};

/// Read access to a room's operations, in the order in which this replica delivered them.
pub trait OpSource {
    /// The room.
    fn room(&self) -> RoomId;
    /// How many operations were delivered.
    fn len(&self) -> usize;
    /// How many of them, from the first, are here only as part of a snapshot.
    fn first(&self) -> usize {
        0
    }
    /// The last position of a writer that the snapshot covers; 0 if it covers none.
    fn folded(&self, _: WriterId) -> Seq {
        0
    }
    /// The snapshot, as it travels.
    fn snapshot(&self) -> Option<Arc<[u8]>> {
        None
    }
    /// The last operation of each writer that the snapshot covers, ascending.
    fn snapshot_heads(&self) -> Vec<OpId> {
        Vec::new()
    }
    /// How many of them, from the first, others may be sent.
    fn forwardable(&self) -> usize {
        self.len()
    }
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The operation at a place of the delivery order.
    fn at(&self, index: usize) -> Option<&Op>;
    /// Where an operation stands in the delivery order.
    fn index_of(&self, id: OpId) -> Option<usize>;
    /// The last delivered position of a writer; 0 if there is none.
    fn head(&self, writer: WriterId) -> Seq;
    /// Header hash and stamp of an operation that was delivered or waits for its deps.
    fn context(&self, id: OpId) -> Option<(Hash, Hlc)>;
    /// Who owns a writer.
    fn author(&self, writer: WriterId) -> Option<AuthorId>;
    /// The operation that a dep names, if it lost against another of its writer at that position.
    fn loser(&self, dep: &Dep) -> Option<&Op>;
    /// Every writer with its head position and that header's hash, ascending by writer.
    fn vector(&self) -> Vec<(WriterId, Seq, Hash)>;
    /// SHA-256 over the vector: two replicas with the same digest hold the same operations.
    fn digest(&self) -> Hash;
}
