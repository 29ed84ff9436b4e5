//! peersync: real-time, conflict-free sync between browsers and a backend peer that remembers, over libp2p.
//!
//! The map of this crate is ARCHITECTURE.md; the wire format and every rule are SPEC.md. This file holds no logic.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod base;
pub mod engine;
pub mod gossip;
pub mod mesh;
pub mod sync;
pub mod wire;

#[cfg(feature = "net")]
pub mod node;
#[cfg(feature = "net")]
pub mod storage;
#[cfg(feature = "net")]
pub mod transport;

#[cfg(all(wasm_browser, feature = "net"))]
mod wasm;

#[cfg(all(not(wasm_browser), feature = "server"))]
pub mod server;
