//! Counters of the server's own edge. Labels come from closed sets: no peer ids, no addresses, no paths.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! labels {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)*];
            const COUNT: usize = Self::ALL.len();

            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

labels! {
    /// Why a connection or an upgrade was not taken, or a socket was closed by the server.
    Reject {
        /// The page's origin is not allowed.
        Origin = "origin",
        /// Too many connections of this client address.
        IpLimit = "ip_limit",
        /// Too many connections.
        TotalLimit = "total_limit",
        /// The node did not take the last sockets yet.
        QueueFull = "queue_full",
        /// A request head did not arrive in time.
        HeaderTimeout = "header_timeout",
        /// A request or upgrade that is not valid HTTP or WebSocket.
        BadRequest = "bad_request",
        /// A text frame where only binary frames are spoken.
        TextFrame = "text_frame",
        /// A WebSocket frame or message over the limit.
        FrameTooLarge = "frame_too_large",
        /// The server is stopping.
        Stopping = "stopping",
    }
}

labels! {
    /// Which part of the server a request was for.
    Route {
        /// `/` and `/ws` as WebSocket.
        Upgrade = "upgrade",
        /// `/info`.
        Info = "info",
        /// `/healthz`, `/readyz`, `/metrics`.
        Probe = "probe",
        /// `/sdk/…` and `/pkg/…`.
        Sdk = "sdk",
        /// Everything else.
        Page = "page",
    }
}

/// Status classes 1xx to 5xx.
const CLASSES: usize = 5;

/// The server's counters. All only grow, but for the gauge `sockets`.
#[derive(Debug)]
pub(super) struct Metrics {
    rejects: [AtomicU64; Reject::COUNT],
    responses: [[AtomicU64; CLASSES]; Route::COUNT],
    /// Connections accepted.
    pub(super) accepted: AtomicU64,
    /// Accept calls that failed.
    pub(super) accept_errors: AtomicU64,
    /// Connection tasks that panicked.
    pub(super) panics: AtomicU64,
    /// WebSockets open now.
    pub(super) sockets: AtomicU64,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            rejects: Default::default(),
            responses: Default::default(),
            accepted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            sockets: AtomicU64::new(0),
        }
    }

    pub(super) fn reject(&self, reason: Reject) {
        if let Some(counter) = self.rejects.get(reason as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn rejected(&self, reason: Reject) -> u64 {
        self.rejects.get(reason as usize).map_or(0, |counter| counter.load(Relaxed))
    }

    pub(super) fn respond(&self, route: Route, status: u16) {
        if let Some(counter) = self.response(route, usize::from(status / 100)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Every pair of route and status class (1 to 5) with its count.
    pub(super) fn responses(&self) -> impl Iterator<Item = (Route, usize, u64)> {
        Route::ALL.iter().flat_map(move |route| {
            (1..=CLASSES).map(move |class| {
                (*route, class, self.response(*route, class).map_or(0, |counter| counter.load(Relaxed)))
            })
        })
    }

    fn response(&self, route: Route, class: usize) -> Option<&AtomicU64> {
        self.responses.get(route as usize)?.get(class.checked_sub(1)?)
    }
}
