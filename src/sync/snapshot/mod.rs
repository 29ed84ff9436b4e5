//! A room's oldest operations folded into what they add up to (SPEC §7.2): heads and what judging needs (`tables`), the
//! Yjs document, the records; signed by whoever folded them.

mod job;
mod runs;
mod tables;

use std::{ops::Range, sync::Arc};

pub use job::{FoldJob, FoldResult};
pub(crate) use runs::Seen;
pub(crate) use tables::{FoldedVoid, Fork, Tables, WriterBase};

use super::{document::Documents, records::Records};
use crate::{
    base::{
        AuthorId, Refusal, RoomId, Signature, Signer, hash_parts,
        limits::{MAX_SNAPSHOT_BYTES, MAX_SNAPSHOT_TABLE_BYTES},
    },
    wire::{Reader, WireError, put_uvarint},
};

const VERSION: u8 = 1;
const CONTEXT: &[u8] = b"peersync/snapshot/v1";

/// A snapshot that was read.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) tables: Tables,
    pub(crate) content: Content,
}

/// A snapshot's bytes, and where its content is in them.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Arc<[u8]>,
    /// What names are used as, and the Yjs document, v2 encoding.
    documents: Range<usize>,
    records: Range<usize>,
}

/// A snapshot's content, before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Folded {
    pub(crate) tables: Tables,
    pub(crate) documents: Vec<u8>,
    pub(crate) records: Vec<u8>,
}

impl Folded {
    /// The snapshot's bytes: version ‖ room ‖ signer ‖ signature ‖ tables ‖ documents ‖ records, the last three each
    /// with its length.
    pub(crate) fn sign(&self, room: RoomId, signer: &dyn Signer) -> Vec<u8> {
        let mut tables = Vec::new();
        self.tables.encode(room, &mut tables);
        let mut body = Vec::with_capacity(tables.len() + self.documents.len() + self.records.len() + 16);
        for part in [&tables, &self.documents, &self.records] {
            put_uvarint(&mut body, part.len() as u64);
            body.extend_from_slice(part);
        }
        let author = signer.author();
        let mut out = Vec::with_capacity(body.len() + 129);
        out.push(VERSION);
        out.extend_from_slice(&room.0);
        out.extend_from_slice(&author.0);
        out.extend_from_slice(&signer.sign(&statement(room, author, &body)).0);
        out.extend_from_slice(&body);
        out
    }
}

/// What is signed.
fn statement(room: RoomId, signer: AuthorId, body: &[u8]) -> Vec<u8> {
    [CONTEXT, &hash_parts(&[&[VERSION], &room.0, &signer.0, body]).0].concat()
}

impl Snapshot {
    /// Reads a snapshot of `room` signed by one of whom `trusts` approves; its documents and records are read when they
    /// are needed.
    ///
    /// # Errors
    /// `WrongRoom`, `UntrustedSnapshot`, `BadSignature`, `BadSnapshot`.
    pub(crate) fn read(
        bytes: Arc<[u8]>,
        room: RoomId,
        verifier: &dyn Signer,
        trusts: impl FnOnce(AuthorId) -> bool,
    ) -> Result<Self, Refusal> {
        if bytes.len() > MAX_SNAPSHOT_BYTES {
            return Err(Refusal::BadSnapshot);
        }
        let mut reader = Reader::new(&bytes);
        let (named, signer, signature) = head(&mut reader).map_err(|_| Refusal::BadSnapshot)?;
        if named != room {
            return Err(Refusal::WrongRoom);
        }
        if !trusts(signer) {
            return Err(Refusal::UntrustedSnapshot);
        }
        let body = reader.clone().rest();
        if !verifier.verify(signer, &statement(room, signer, body), &signature) {
            return Err(Refusal::BadSignature);
        }
        let parts = parts(&mut reader, bytes.len()).map_err(|_| Refusal::BadSnapshot)?;
        let [tables, documents, records] = parts;
        if tables.len() > MAX_SNAPSHOT_TABLE_BYTES {
            return Err(Refusal::BadSnapshot);
        }
        let mut reader = Reader::new(bytes.get(tables).unwrap_or_default());
        let tables = Tables::decode(room, &mut reader).and_then(|tables| reader.finish().map(|()| tables));
        let content = Content { bytes: bytes.clone(), documents, records };
        Ok(Self { tables: tables.map_err(|_| Refusal::BadSnapshot)?, content })
    }
}

impl Content {
    /// Texts, maps and lists, for own edits under `client`.
    pub(crate) fn documents(&self, client: u64) -> Result<Documents, Refusal> {
        let state = self.bytes.get(self.documents.clone()).unwrap_or_default();
        Documents::load_whole(client, state).map_err(|_| Refusal::BadSnapshot)
    }

    pub(crate) fn records(&self) -> Result<Records, Refusal> {
        let bytes = self.bytes.get(self.records.clone()).unwrap_or_default();
        Records::decode_state(bytes).map_err(|_| Refusal::BadSnapshot)
    }
}

fn head(reader: &mut Reader<'_>) -> Result<(RoomId, AuthorId, Signature), WireError> {
    match reader.u8()? {
        VERSION => Ok((reader.room()?, reader.author()?, reader.signature()?)),
        value => Err(WireError::Unknown { what: "snapshot", value: u64::from(value) }),
    }
}

/// Where the three parts are.
fn parts(reader: &mut Reader<'_>, len: usize) -> Result<[Range<usize>; 3], WireError> {
    let mut next = || {
        let size = reader.byte_string("part of a snapshot", MAX_SNAPSHOT_BYTES)?.len();
        let end = len - reader.remaining();
        Ok(end - size..end)
    };
    let parts = [next()?, next()?, next()?];
    reader.finish()?;
    Ok(parts)
}
