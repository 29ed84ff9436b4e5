//! What a store keeps and what it takes to open it again, natively. `npm run bench -- --only offline` runs it:
//!
//! - `load TRACE FOLDER ROUNDS`: opening a room with what somebody typed (lines of `position deleted inserted`), 100 edits
//!   to an operation, before and after folding.
//! - `disk OPERATIONS FOLDER`: what so many operations of one character take on disk, before and after folding.
//! - `rejoin OPERATIONS`: bytes of a session after a reconnect, with that many operations missed.
//! - `rooms URL COUNT`: leaves so many rooms with a small text at a backend.
//! - `type URL ROOM OPERATIONS`: leaves one with so many operations.
//!
//! Each prints one line of JSON.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures real time")]

mod rooms;
mod sessions;
mod stores;

use std::{error::Error, path::Path, time::Duration};

use peersync::{
    base::{Ed25519, NodeId, RoomId, Signer, Timestamp, WallTime, WriterId},
    engine::{Engine, EngineConfig, Input},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const DOCUMENT: &str = "notes";
const CLIENT: u8 = 1;
const OTHER: u8 = 2;
const BACKEND: u8 = 3;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["load", trace, folder, rounds] => stores::load(Path::new(trace), Path::new(folder), rounds.parse()?).await,
        ["disk", operations, folder] => stores::disk(operations.parse()?, Path::new(folder)).await,
        ["rejoin", missed] => sessions::rejoin(missed.parse()?),
        ["rooms", url, count] => rooms::leave(url, count.parse()?).await,
        ["type", url, room, operations] => rooms::type_into(url, room, operations.parse()?).await,
        _ => Err("load, disk, rejoin, rooms or type? See the head of this file".into()),
    }
}

fn room() -> RoomId {
    RoomId::open("bench")
}

fn engine(who: u8, writer: u64) -> Engine {
    let backend = who == BACKEND;
    let signer = Ed25519::from_seed([who; 32]);
    let node = NodeId(if backend { [&PEER_ID_PREFIX, &signer.author().0[..]].concat() } else { vec![who] });
    let config = EngineConfig { room: room(), node, backend, documents: !backend, persists: true, token: Vec::new() };
    let mut engine = Engine::new(config, WriterId(u64::from(who) << 32 | writer), Box::new(signer));
    let _ = engine.handle_input(Timestamp(0), Input::Wall(WallTime(1_760_000_000_000)));
    engine
}

/// What stands before an Ed25519 key in the `PeerId` of who has it.
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
