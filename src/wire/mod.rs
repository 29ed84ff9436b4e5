//! Messages and operations as bytes (SPEC §3, §4). Sizes are checked before anything is allocated; encodings are
//! canonical: what decodes, encodes to the same bytes.

mod codec;
mod compact;
mod frame;
mod op;
mod source;
mod value;

pub use codec::{Reader, WireError, put_uvarint};
pub use compact::{CompactOp, ExpandError, WriterIndex};
pub use frame::{Ack, Frame, Hello, Item, Member, Presence, PresenceEntry, Refused, VectorEntry, Want, peek_room};
pub use op::{Dep, Header, Kind, Op};
pub use source::OpSource;
pub use value::{Value, put_string, read_string};
