//! Whom to dial and when. For now: one pinned backend, dialed again with full-jitter back-off (SPEC §4.7).

mod redial;

pub use redial::{Redial, RedialAction};
