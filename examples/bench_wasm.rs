//! What `bench/cases/editing.mjs` measures: the cores as wasm, compiled and optimised as the package is, without node and
//! bindings around them. An example, so that nothing of it can be in the package.
//!
//! `BenchReplica` is a replica with everything; `BenchDocument` only its Yjs document, to tell the two apart.
#![cfg(wasm_browser)]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a benchmark that fails has failed")]
#![allow(missing_debug_implementations, reason = "only JavaScript sees these")]

use std::collections::BTreeMap;

use js_sys::Uint8Array;
use peersync::{
    base::{AuthorId, Ed25519, RoomId, Signature, Signer, WallTime, WriterId},
    sync::{Outcome, Policy, RecordWrite, Replica, Value},
    wire::Op,
};
use wasm_bindgen::prelude::wasm_bindgen;
use yrs::{
    ClientID, Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, Update,
    updates::decoder::Decode,
};

const NAME: &str = "notes";

/// Believes every signature.
struct Trusting(Ed25519);

impl Signer for Trusting {
    fn author(&self) -> AuthorId {
        self.0.author()
    }

    fn sign(&self, _: &[u8]) -> Signature {
        Signature([0; 64])
    }

    fn verify(&self, _: AuthorId, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// A replica of a room with one text.
#[wasm_bindgen]
pub struct BenchReplica(Replica);

#[wasm_bindgen]
impl BenchReplica {
    /// `signed`: operations are signed and verified, as always; otherwise all but that is done.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u8, signed: bool) -> Self {
        let policy = Policy { backend: false, documents: true };
        let key = Ed25519::from_seed([seed; 32]);
        let signer: Box<dyn Signer> = if signed { Box::new(key) } else { Box::new(Trusting(key)) };
        Self(Replica::new(RoomId::open("bench"), policy, WriterId(u64::from(seed)), signer))
    }

    /// A local edit; it waits for `commit`.
    pub fn edit(&mut self, at: u32, deleted: u32, inserted: &str) {
        if deleted > 0 {
            self.0.delete(NAME, at, deleted).unwrap();
        }
        if !inserted.is_empty() {
            self.0.insert(NAME, at, inserted, None).unwrap();
        }
        self.drain();
    }

    /// Makes operations of the edits, as a store would keep them.
    pub fn commit(&mut self, wall_ms: f64) -> Vec<Uint8Array> {
        let made = self.0.commit(WallTime(wall_ms as u64));
        made.iter().map(|one| Uint8Array::from(self.0.record(one.id).as_slice())).collect()
    }

    /// Takes a peer's operation.
    pub fn receive(&mut self, record: &[u8], wall_ms: f64) {
        let op = Op::decode(&record[1..]).unwrap();
        let outcome = self.0.receive(op, WallTime(wall_ms as u64), false);
        assert!(
            matches!(&outcome, Outcome::Delivered(list) if list.iter().all(|one| one.void.is_none())),
            "{outcome:?}"
        );
        self.drain();
    }

    /// Takes an own store's operation.
    pub fn restore(&mut self, record: &[u8]) {
        self.0.restore(Op::decode(&record[1..]).unwrap()).unwrap();
        self.drain();
    }

    /// The text.
    pub fn text(&self) -> String {
        self.0.text(NAME)
    }

    /// Its length.
    pub fn length(&self) -> u32 {
        self.0.text_len(NAME)
    }

    /// Creates or changes a record with two numbers and two strings, as a shape has them.
    #[wasm_bindgen(js_name = setShape)]
    pub fn set_shape(&mut self, id: &str, x: f64, y: f64, wall_ms: f64) {
        let text = |value: &str| Some(Value::String(value.to_owned()));
        let fields = [
            ("x", Some(Value::Number(x))),
            ("y", Some(Value::Number(y))),
            ("kind", text("rect")),
            ("color", text("#2b6cb0")),
        ];
        let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value)).into();
        self.0.record_set(WallTime(wall_ms as u64), "shapes", id, &fields, RecordWrite::Upsert).unwrap();
        self.drain();
    }

    /// Bytes of a record's fields, encoded.
    #[wasm_bindgen(js_name = shapeBytes)]
    pub fn shape_bytes(&self, id: &str) -> usize {
        let mut bytes = Vec::new();
        Value::Object(self.0.record_fields("shapes", id).unwrap()).encode(&mut bytes);
        bytes.len()
    }

    /// The whole document (v2), as it is exported.
    #[wasm_bindgen(js_name = stateV2)]
    pub fn state_v2(&self) -> Vec<u8> {
        self.0.yjs_state_v2()
    }

    /// Bytes of the log, roughly.
    #[wasm_bindgen(js_name = logBytes)]
    pub fn log_bytes(&self) -> usize {
        self.0.bytes()
    }

    /// What an application is told of changes, up to where it would become JavaScript.
    fn drain(&mut self) {
        while self.0.next_change().is_some() {}
    }
}

/// A Yjs document by itself, set up as in a replica.
#[wasm_bindgen]
pub struct BenchDocument(Doc);

#[wasm_bindgen]
impl BenchDocument {
    /// With a client id of 53 bits.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u8) -> Self {
        let client = WriterId(u64::from(seed)).yjs_client_id(RoomId::open("bench"), AuthorId([seed; 32]));
        let mut options = Options::with_guid_and_client_id("bench".into(), ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        options.cleanup_formatting = false;
        let doc = Doc::with_options(options);
        doc.get_or_insert_text(NAME);
        Self(doc)
    }

    /// Applies an update (v1).
    pub fn apply(&self, update: &[u8]) {
        self.0.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }

    /// Applies an update (v2).
    #[wasm_bindgen(js_name = applyV2)]
    pub fn apply_v2(&self, update: &[u8]) {
        self.0.transact_mut().apply_update(Update::decode_v2(update).unwrap()).unwrap();
    }

    /// The whole state (v1).
    pub fn state(&self) -> Vec<u8> {
        self.0.transact().encode_state_as_update_v1(&StateVector::default())
    }

    /// The whole state (v2).
    #[wasm_bindgen(js_name = stateV2)]
    pub fn state_v2(&self) -> Vec<u8> {
        self.0.transact().encode_state_as_update_v2(&StateVector::default())
    }

    /// A local edit; answers its update.
    pub fn edit(&self, at: u32, deleted: u32, inserted: &str) -> Vec<u8> {
        let text = self.0.get_or_insert_text(NAME);
        let mut txn = self.0.transact_mut();
        if deleted > 0 {
            text.remove_range(&mut txn, at, deleted);
        }
        if !inserted.is_empty() {
            text.insert(&mut txn, at, inserted);
        }
        txn.encode_update_v1()
    }

    /// The text.
    pub fn text(&self) -> String {
        let text = self.0.get_or_insert_text(NAME);
        text.get_string(&self.0.transact())
    }

    /// Its length.
    pub fn length(&self) -> u32 {
        let text = self.0.get_or_insert_text(NAME);
        text.len(&self.0.transact())
    }
}
