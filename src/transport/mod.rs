//! Ways to open connections: raw byte streams per platform, then noise and yamux with explicit limits.

pub mod websocket;
