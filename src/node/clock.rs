//! The only place that reads clocks and randomness (`clippy.toml` bans both elsewhere).
#![allow(clippy::disallowed_methods, reason = "this is the place")]

use std::sync::OnceLock;

use web_time::{Instant, SystemTime, UNIX_EPOCH};

use crate::base::{Timestamp, WallTime, WriterId};

/// Milliseconds since this process (or page) first asked.
pub(crate) fn now() -> Timestamp {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// What this machine believes the time to be.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// 32 bytes nobody can guess.
///
/// # Errors
/// When the platform has no source of randomness.
pub fn random_seed() -> Result<[u8; 32], getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// A writer id that nobody has used, and never 0: stores keep something else under that number.
pub(crate) fn random_writer() -> Result<WriterId, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(WriterId(u64::from_be_bytes(bytes).max(1)))
}
