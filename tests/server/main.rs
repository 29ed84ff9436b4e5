//! `peersync serve` and `peersync key` as an operator and a stranger meet them: the real binary, real sockets, any free
//! port. Processes are awaited by what they say (ready file, exit, closed socket), each wait with a deadline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot do its part has failed, and its deadlines are in real time"
)]

mod admission;
mod client;
mod config;
mod files;
mod full;
mod killing;
mod member;
mod offline;
mod probes;
mod process;
mod sockets;
mod startup;
mod stopping;
mod trace;
mod upgrading;
