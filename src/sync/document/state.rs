//! The whole document as one Yjs update, v2 encoding: for export, other Yjs applications and snapshots.

use std::collections::BTreeMap;

use yrs::{
    ReadTxn, StateVector, Transact, Update,
    updates::{decoder::Decode, encoder::Encode},
};

use super::{Documents, bounded, views};
use crate::{
    base::{Ordered, limits::MAX_NAME_BYTES},
    sync::update::{RootKind, survey, without_binaries},
    wire::{Reader, WireError, put_string, put_uvarint, read_string},
};

/// What a name is used as, as bits.
const KINDS: [(u8, RootKind); 3] = [(1, RootKind::Text), (2, RootKind::Map), (4, RootKind::List)];

fn read_roots(reader: &mut Reader<'_>) -> Result<Vec<(String, u8)>, WireError> {
    let mut roots = Vec::new();
    // A name takes three bytes at least.
    for _ in 0..reader.length("names", reader.remaining() / 3)? {
        roots.push((read_string(reader, "name", MAX_NAME_BYTES)?, reader.u8()?));
    }
    Ok(roots)
}

impl Documents {
    /// Everything, with what was deleted as runs of ids.
    pub(crate) fn encode_state_v2(&self) -> Vec<u8> {
        let txn = self.doc.transact();
        if self.binaries {
            // yrs writes binary items in a way that nobody can read.
            let state = txn.encode_state_as_update_v1(&StateVector::default());
            let update = without_binaries(&state).and_then(|state| Update::decode_v1(&state).ok());
            if let Some(update) = update {
                return update.encode_v2();
            }
        }
        txn.encode_state_as_update_v2(&StateVector::default())
    }

    /// The documents of which this is the state, for own edits under `client`. Only for bytes that this node, or one
    /// that it trusts, has made of operations that were judged.
    ///
    /// What a name is used as is known from what its root says and holds; of a name whose every item was deleted it may
    /// be forgotten.
    pub(crate) fn load(client: u64, state: &[u8]) -> Result<Self, String> {
        let mut documents = Self::new(client);
        let update = bounded::decode(state)?;
        let survey = survey(&update.encode_v1()).ok_or("the state cannot be read")?;
        for (name, kind) in &survey.roots {
            documents.open(name, *kind);
        }
        (documents.marked, documents.binaries) = (survey.marked, survey.binaries);
        documents.lows = survey.low_surrogates.into_iter().map(|(client, clock)| (client, clock as u32)).into_set();
        documents.sight.lock().quiet = true;
        documents.doc.transact_mut().apply_update(update).map_err(|error| error.to_string())?;
        documents.sight.lock().quiet = false;
        documents.open_what_is_there();
        Ok(documents)
    }

    /// Everything, with what each name is used as: of a name whose every item was deleted the update alone does not say.
    pub(crate) fn encode_whole(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_uvarint(&mut out, self.roots.len() as u64);
        for (name, kinds) in &self.roots {
            put_string(&mut out, name);
            out.push(KINDS.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(bit, _)| bit).sum());
        }
        out.extend_from_slice(&self.encode_state_v2());
        out
    }

    /// What [`Documents::encode_whole`] wrote.
    pub(crate) fn load_whole(client: u64, bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::new(bytes);
        let roots = read_roots(&mut reader).map_err(|error| error.to_string())?;
        let mut documents = Self::load(client, reader.rest())?;
        for (name, kinds) in roots {
            for (_, kind) in KINDS.iter().filter(|(bit, _)| kinds & bit != 0) {
                documents.open(&name, *kind);
            }
        }
        Ok(documents)
    }

    /// Whether the document is whole and has reached exactly these clocks (those of clients that are not named are 0).
    pub(crate) fn reach(&self, clocks: &BTreeMap<u64, u64>) -> bool {
        let txn = self.doc.transact();
        let state = txn.state_vector();
        let reached =
            state.iter().filter(|(_, clock)| **clock > 0).map(|(client, clock)| (client.get(), u64::from(*clock)));
        !txn.has_missing_updates() && reached.into_map() == *clocks
    }

    /// Opens what is not open yet, by what it holds.
    fn open_what_is_there(&mut self) {
        let mut found = Vec::new();
        {
            let txn = self.doc.transact();
            for (name, root) in txn.root_refs() {
                let Some(branch) = root.try_branch().filter(|_| !self.roots.contains_key(name)) else { continue };
                let kind = if views::has_characters(branch, &txn) {
                    RootKind::Text
                } else if views::map_of(branch, &txn).is_empty() {
                    RootKind::List
                } else {
                    RootKind::Map
                };
                if kind != RootKind::List || !views::list_of(branch, &txn).is_empty() {
                    found.push((name.to_owned(), kind));
                }
            }
        }
        for (name, kind) in found {
            self.open(&name, kind);
        }
    }
}
