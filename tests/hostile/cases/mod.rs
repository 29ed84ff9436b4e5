//! The hostile acts, by what they attack.

mod clocks;
mod frames;
mod identity;
mod ordering;
mod payloads;
mod presence;
mod records;
mod sessions;
mod tunnels;
