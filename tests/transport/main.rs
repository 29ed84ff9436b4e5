//! The native transport over real sockets: bytes, ends, refusals, limits.

#![cfg(all(not(wasm_browser), feature = "net"))]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod connections;
mod incoming;
mod sockets;
mod support;
