//! Making a snapshot: everything a thread of its own needs, taken from a replica at one moment.

use super::{Content, Folded, Tables};
use crate::{
    base::{Hlc, Refusal, RoomId, WriterId},
    sync::{
        document::Documents,
        records::{Entry, Records},
        update,
    },
};

/// Client id of documents that nobody edits.
const NOBODY: u64 = 0;

/// What a room's oldest operations did. Takes as long as reading the room's log; meanwhile the room goes on.
#[derive(Debug)]
pub struct FoldJob {
    pub(crate) room: RoomId,
    pub(crate) tables: Tables,
    pub(crate) base: Option<Content>,
    /// Yjs updates that took effect, each with its writer's client id, in the order of delivery.
    pub(crate) updates: Vec<(u64, Vec<u8>)>,
    pub(crate) patches: Vec<(Vec<Entry>, Hlc, WriterId)>,
    /// Everything before this place of the delivery order is folded.
    pub(crate) upto: usize,
    /// Of which of the replica's logs: it may be rebuilt meanwhile.
    pub(crate) generation: u64,
}

/// A snapshot that only lacks its signature.
#[derive(Debug)]
pub struct FoldResult {
    pub(crate) folded: Folded,
    pub(crate) upto: usize,
    pub(crate) generation: u64,
}

impl FoldResult {
    /// Everything before this place of the delivery order was folded.
    #[must_use]
    pub fn upto(&self) -> usize {
        self.upto
    }
}

impl FoldJob {
    /// Folds.
    ///
    /// # Errors
    /// [`Refusal::BadSnapshot`] if the snapshot before it, or an operation that had taken effect, cannot be read.
    pub fn run(self) -> Result<FoldResult, Refusal> {
        let mut documents = match &self.base {
            Some(base) => base.documents(NOBODY)?,
            None => Documents::new(NOBODY),
        };
        documents.listen(false);
        for (client, payload) in &self.updates {
            let summary = update::inspect(payload, *client)?;
            documents.apply(payload, &summary).map_err(|_| Refusal::BadSnapshot)?;
        }
        let mut records = match &self.base {
            Some(base) => base.records()?,
            None => Records::default(),
        };
        for (entries, hlc, writer) in &self.patches {
            records.apply(entries, *hlc, *writer, 0);
        }
        let folded =
            Folded { tables: self.tables, documents: documents.encode_whole(), records: records.encode_state() };
        // The operations are let go of: what is kept in their place must be what others can read.
        let read = Documents::load_whole(NOBODY, &folded.documents).map_err(|_| Refusal::BadSnapshot)?;
        if !read.reach(&folded.tables.clocks(self.room)) {
            return Err(Refusal::BadSnapshot);
        }
        Records::decode_state(&folded.records).map_err(|_| Refusal::BadSnapshot)?;
        Ok(FoldResult { folded, upto: self.upto, generation: self.generation })
    }
}
