//! Messages and operations as bytes (SPEC §3, §4). Sizes are checked before anything is allocated; encodings are
//! canonical: what decodes, encodes to the same bytes.

mod codec;
mod compact;
mod frame;
mod hello;
mod op;
mod presence;
mod source;
mod value;

pub use codec::{Reader, WireError, put_uvarint};
pub use compact::{CompactOp, ExpandError, WriterIndex};
pub use frame::{Ack, BUCKETS, Digest, Frame, Item, Member, Refused, VectorEntry, WHOLE, Want, bucket};
pub use hello::{Hello, peek_room};
pub use op::{Dep, Header, Kind, Op};
pub use presence::{Presence, PresenceEntry};
pub use source::OpSource;
pub use value::{Value, put_string, read_string};
