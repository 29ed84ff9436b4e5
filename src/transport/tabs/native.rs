//! No tabs: the names of the browser's side, of which nothing ever comes to be.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

use super::{Tab, TabEvent, TabId};

/// Locks between pages of one origin. A process is the only one with its store, so that everything is granted.
pub mod locks {
    use std::future::{Ready, ready};

    /// A lock that is held.
    #[derive(Debug)]
    pub struct LockGuard;

    /// A lock that is asked for.
    pub type LockRequest = Ready<Option<LockGuard>>;

    /// Granted at once.
    pub fn request(_: &str, _: bool) -> LockRequest {
        ready(Some(LockGuard))
    }
}

/// Joined by nobody.
#[derive(Clone, Debug)]
pub struct TabBus(Infallible);

impl TabBus {
    /// `None`: there are no tabs.
    #[expect(clippy::unused_async, reason = "the browser's waits")]
    pub async fn join(_: String, _: TabId, _: Vec<u8>) -> Option<Self> {
        None
    }

    /// This tab.
    #[must_use]
    pub fn tab(&self) -> TabId {
        match self.0 {}
    }

    /// The others.
    #[must_use]
    pub fn tabs(&self) -> Vec<Tab> {
        match self.0 {}
    }

    /// Says something new of this tab.
    pub fn announce(&self, _: Vec<u8>) {
        match self.0 {}
    }

    /// Asks a tab to say again what it is.
    pub fn ask(&self, _: TabId) {
        match self.0 {}
    }

    /// The next event.
    #[expect(clippy::unused_async, reason = "the browser's waits")]
    pub async fn next_event(&self) -> TabEvent {
        match self.0 {}
    }

    /// A pipe to another tab.
    #[expect(clippy::unused_async, reason = "the browser's waits")]
    pub async fn open(&self, _: TabId) -> Option<TabPipe> {
        match self.0 {}
    }
}

/// Made by nobody.
#[derive(Debug)]
pub struct Offer(Infallible);

impl Offer {
    /// Whose.
    #[must_use]
    pub fn tab(&self) -> TabId {
        match self.0 {}
    }

    /// Takes it.
    #[must_use]
    pub fn take(self) -> TabPipe {
        match self.0 {}
    }
}

/// Leads nowhere.
#[derive(Debug)]
pub struct TabPipe(Infallible);

impl AsyncRead for TabPipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }
}

impl AsyncWrite for TabPipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
