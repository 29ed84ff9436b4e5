//! The other tabs of this origin (SPEC §13): who is there, pipes to them, and one WebSocket for all.
//!
//! Built on `BroadcastChannel` for bytes and Web Locks for elections and deaths. A browser that lacks either, and every
//! other platform, has no tabs: [`TabBus::join`] answers `None` and everything works without.

#[cfg(any(wasm_browser, test))]
mod message;
mod uplink;

#[cfg(wasm_browser)]
mod bus;
#[cfg(wasm_browser)]
pub mod locks;
#[cfg(wasm_browser)]
mod pipe;

#[cfg(not(wasm_browser))]
mod native;

pub use uplink::{Uplink, UplinkConfig, UplinkDial, UplinkDriver, UplinkEvent, UplinkStream, UplinkTransport};

#[cfg(wasm_browser)]
pub use bus::{Offer, TabBus};
#[cfg(not(wasm_browser))]
pub use native::{Offer, TabBus, TabPipe, locks};
#[cfg(wasm_browser)]
pub use pipe::TabPipe;

use std::fmt;

/// A tab, as the others on a bus know it: random, and never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TabId(u64);

impl TabId {
    /// From eight random bytes.
    #[must_use]
    pub fn new(random: u64) -> Self {
        Self(random.max(1))
    }
}

impl fmt::Debug for TabId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Another tab and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Which.
    pub tab: TabId,
    /// Its own words, at most `MAX_TAB_INFO_BYTES`.
    pub info: Vec<u8>,
    /// How often it has been heard of. Grows when it answers, even if it says the same.
    pub heard: u64,
}

/// What happens on a bus.
#[derive(Debug)]
pub enum TabEvent {
    /// Somebody came, left, or says something new of itself: look at [`TabBus::tabs`].
    Changed,
    /// A tab has asked this one whether it is there, and was answered.
    Asked,
    /// Another tab offers a pipe.
    Offered(Offer),
}
