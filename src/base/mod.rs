//! Shared plain types: ids, time, limits, cryptographic seams, refusal reasons. No I/O, no logic of any protocol.

pub mod crypto;
pub mod id;
pub mod limits;
pub(crate) mod ordered;
pub mod refusal;
pub mod time;
pub(crate) mod trace;

pub use crypto::{Ed25519, Hash, Signature, Signer, hash, hash_parts};
pub use id::{AuthorId, LinkId, NodeId, OpId, RoomId, Seq, WriterId};
pub(crate) use ordered::Ordered;
pub use refusal::Refusal;
pub use time::{Hlc, Timestamp, WallTime};
pub(crate) use trace::note;
