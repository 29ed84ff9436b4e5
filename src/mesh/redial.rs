//! When to dial a backend again: full jitter (Brooker, "Exponential Backoff And Jitter", 2015) between 0 and a bound
//! that doubles from 250 ms to 30 s, at once when the network or the tab comes back.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::base::{
    Timestamp,
    limits::{BACKOFF_BASE_MS, BACKOFF_MAX_MS, BACKOFF_RESET_MS},
};

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedialAction {
    /// Dial.
    Dial,
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Nothing until something happens.
    Rest,
}

/// The state of one address that should stay connected.
#[derive(Debug)]
pub struct Redial {
    rng: ChaCha8Rng,
    state: State,
    /// Failures since the last connection that held.
    attempt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due(Timestamp),
    Dialing,
    Connected(Timestamp),
    Stopped,
}

impl Redial {
    /// Dials at once. The same seed gives the same delays.
    #[must_use]
    pub fn new(now: Timestamp, seed: [u8; 32]) -> Self {
        Self { rng: ChaCha8Rng::from_seed(seed), state: State::Due(now), attempt: 0 }
    }

    /// What to do at `now`. After [`RedialAction::Dial`] the caller must report how it went.
    pub fn poll(&mut self, now: Timestamp) -> RedialAction {
        match self.state {
            State::Due(at) if at <= now => {
                self.state = State::Dialing;
                RedialAction::Dial
            }
            State::Due(at) => RedialAction::Wait(at),
            _ => RedialAction::Rest,
        }
    }

    /// The dial succeeded.
    pub fn connected(&mut self, now: Timestamp) {
        if self.state != State::Stopped {
            self.state = State::Connected(now);
        }
    }

    /// The dial failed or the connection ended. Answers attempt number and delay in milliseconds.
    pub fn lost(&mut self, now: Timestamp) -> (u32, u64) {
        match self.state {
            State::Stopped => return (self.attempt, 0),
            State::Connected(since) if now.since(since) >= BACKOFF_RESET_MS => self.attempt = 0,
            State::Due(at) => return (self.attempt, at.since(now)),
            _ => {}
        }
        let bound = BACKOFF_BASE_MS.saturating_mul(1 << self.attempt.min(16)).min(BACKOFF_MAX_MS);
        let delay = self.rng.next_u64() % (bound + 1);
        self.attempt = self.attempt.saturating_add(1);
        self.state = State::Due(now.plus(delay));
        (self.attempt, delay)
    }

    /// The network or the tab is back: no use in waiting.
    pub fn nudge(&mut self, now: Timestamp) {
        if matches!(self.state, State::Due(_)) {
            self.state = State::Due(now);
            self.attempt = 0;
        }
    }

    /// Dials no more.
    pub fn stop(&mut self) {
        self.state = State::Stopped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_delays_stay_under_a_doubling_bound_and_reset_after_a_stable_minute() {
        let mut redial = Redial::new(Timestamp(0), [1; 32]);
        let mut now = Timestamp(0);
        for attempt in 1..=12u32 {
            assert_eq!(redial.poll(now), RedialAction::Dial);
            assert_eq!(redial.poll(now), RedialAction::Rest);
            let (count, delay) = redial.lost(now);
            assert_eq!(count, attempt);
            assert!(delay <= (250u64 << (attempt - 1).min(16)).min(30_000));
            now = now.plus(delay);
        }
        assert_eq!(redial.poll(now), RedialAction::Dial);
        redial.connected(now);
        now = now.plus(60_000);
        assert_eq!(redial.lost(now).0, 1);
    }

    #[test]
    fn c1_a_short_connection_does_not_reset_the_back_off() {
        let mut redial = Redial::new(Timestamp(0), [2; 32]);
        redial.poll(Timestamp(0));
        redial.lost(Timestamp(0));
        let mut now = Timestamp(30_000);
        redial.poll(now);
        redial.connected(now);
        now = now.plus(1_000);
        assert_eq!(redial.lost(now).0, 2);
    }

    #[test]
    fn c2_a_nudge_dials_at_once() {
        let (mut redial, mut now) = (Redial::new(Timestamp(0), [3; 32]), Timestamp(0));
        for _ in 0..8 {
            assert_eq!(redial.poll(now), RedialAction::Dial);
            now = now.plus(redial.lost(now).1);
        }
        redial.poll(now);
        while redial.lost(now).1 == 0 {
            redial.poll(now);
        }
        assert!(matches!(redial.poll(now), RedialAction::Wait(_)));
        redial.nudge(now);
        assert_eq!(redial.poll(now), RedialAction::Dial);
    }

    #[test]
    fn c1_the_same_seed_gives_the_same_delays() {
        let delays = |seed| {
            let mut redial = Redial::new(Timestamp(0), [seed; 32]);
            (0..10)
                .map(|_| {
                    redial.poll(Timestamp(u64::MAX));
                    redial.lost(Timestamp(0)).1
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(delays(4), delays(4));
        assert_ne!(delays(4), delays(5));
    }
}
