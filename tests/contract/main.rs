//! The contract of every store, and what durable ones promise about crashes, damage and failing disks. SPEC §ST.

#![cfg(all(not(wasm_browser), feature = "net"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crashes;
mod damage;
mod disk;
mod durable;
mod faults;
mod migration;
mod shrinking;
mod stores;
mod suite;
mod support;
mod throughput;
