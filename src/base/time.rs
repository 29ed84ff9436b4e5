//! Time as the cores see it: always an argument, never read (STYLE, rule 9).

/// Monotonic milliseconds since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment and `millis` more, without overflow.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`, zero if that lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds since the unix epoch, as this machine believes them to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

/// Hybrid logical clock (Kulkarni et al., 2014): 48 bits of unix milliseconds, then a 16-bit counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The last millisecond a stamp may name: 2200-01-01T00:00:00Z (SPEC D9). A constant, so that every replica
    /// decides alike.
    pub const MAX_MILLIS: u64 = 7_258_118_400_000;

    /// A stamp from its two parts. `millis` is cut to 48 bits.
    #[must_use]
    pub const fn new(millis: u64, counter: u16) -> Self {
        Self((millis << 16) | counter as u64)
    }

    /// The physical part, unix milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0 >> 16
    }

    /// The logical part.
    #[must_use]
    pub const fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The least stamp above `self` that is not before `wall`. A full counter carries into the milliseconds.
    #[must_use]
    pub fn next(self, wall: WallTime) -> Self {
        let physical = Self::new(wall.0.min(Self::MAX_MILLIS), 0);
        Self(physical.0.max(self.0.saturating_add(1)))
    }

    /// Whether the physical part lies within the constant bound.
    #[must_use]
    pub const fn in_range(self) -> bool {
        self.millis() <= Self::MAX_MILLIS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_next_is_monotone_and_follows_the_wall() {
        let a = Hlc::new(1_000, 0);
        assert_eq!(a.next(WallTime(2_000)), Hlc::new(2_000, 0));
        assert_eq!(a.next(WallTime(500)), Hlc::new(1_000, 1));
        assert_eq!(Hlc::new(1_000, u16::MAX).next(WallTime(0)), Hlc::new(1_001, 0));
        assert_eq!(Hlc(u64::MAX).next(WallTime(u64::MAX)), Hlc(u64::MAX));
        assert!(!Hlc(u64::MAX).in_range());
    }
}
