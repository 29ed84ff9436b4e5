//! What a hostile peer can do to the real server and to whoever is in its rooms: nothing. One hostile act a test, each
//! counted under its own reason and under no other, answered as SPEC §9.1 says, and without effect on an honest editor
//! and a late joiner. And what the server's own death does to acknowledged edits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot do its part has failed, and its deadlines are in real time"
)]

mod cases;
mod ops;
mod peer;
mod rig;
mod server;
mod stops;
