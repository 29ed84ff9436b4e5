//! The wall clock as last told, and the correction that a backend's clock suggests (SPEC D9).

use crate::base::{Timestamp, WallTime};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WallClock {
    told: WallTime,
    told_at: Timestamp,
    /// Milliseconds to add, so that own stamps are near the backend's.
    offset: i64,
}

impl WallClock {
    pub(crate) fn set(&mut self, now: Timestamp, wall: WallTime) {
        (self.told, self.told_at) = (wall, now);
    }

    /// What this machine believes.
    pub(crate) fn local(&self, now: Timestamp) -> WallTime {
        WallTime(self.told.0.saturating_add(now.since(self.told_at)))
    }

    /// What stamps use.
    pub(crate) fn corrected(&self, now: Timestamp) -> WallTime {
        WallTime(self.local(now).0.saturating_add_signed(self.offset))
    }

    /// Follows a backend whose clock says `theirs`.
    pub(crate) fn follow(&mut self, now: Timestamp, theirs: WallTime) {
        let local = self.local(now).0;
        let ahead = i64::try_from(theirs.0.saturating_sub(local)).unwrap_or(i64::MAX);
        let behind = i64::try_from(local.saturating_sub(theirs.0)).unwrap_or(i64::MAX);
        self.offset = ahead - behind;
    }
}
