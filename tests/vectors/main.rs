//! Golden vectors, both ways: what Yjs makes of edits is taken and read as Yjs reads it, and what we make of edits stays
//! what it was, for `js/test/yjs-vectors.test.mjs` to give to Yjs.
//!
//! `PEERSYNC_BLESS=1` writes what we make anew; `node tests/vectors/generate.mjs` what Yjs makes.
#![cfg(not(wasm_browser))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod file;
mod ours;
mod theirs;

use peersync::{
    base::{Ed25519, RoomId, WallTime, WriterId},
    sync::{Policy, Replica},
};

/// The room of all vectors.
const ROOM: &str = "vectors";
const WALL: WallTime = WallTime(1_760_000_000_000);

fn room() -> RoomId {
    RoomId::open(ROOM)
}

/// Writer n is author n's, whose secret is the byte n, 32 times.
fn signer(writer: u8) -> Ed25519 {
    Ed25519::from_seed([writer; 32])
}

fn replica(writer: u8) -> Replica {
    let policy = Policy { backend: false, documents: true };
    Replica::new(room(), policy, WriterId(u64::from(writer)), Box::new(signer(writer)))
}
