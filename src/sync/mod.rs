//! Replicated documents without I/O: signed operations in per-writer logs, judged, ordered and merged (SPEC §3, §5,
//! §6).

mod document;
mod judge;
mod log;
mod places;
mod records;
mod replica;
mod snapshot;
mod update;
mod value;

pub use document::EditError;
pub use records::{DeletePolicy, Place, RecordError, RecordWrite};
pub use replica::{Delivery, Outcome, Policy, Replica};
pub(crate) use replica::{RECORD_OP, RECORD_PROOF, RECORD_SNAPSHOT};
pub use snapshot::{FoldJob, FoldResult};
pub use update::RootKind;
pub use value::{
    Attributes, Change, Delta, Fields, ListChange, ListDelta, MapChange, RecordChange, RecordsChange, TextChange,
};

pub use crate::wire::Value;
