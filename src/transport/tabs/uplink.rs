//! One WebSocket for all tabs of an origin (SPEC §13.3): whoever holds the lock of a server's address dials it; the
//! others dial through that tab. What goes through is each tab's own authenticated connection.
//!
//! Nobody is made to wait for a tab that does not answer: then each dials for itself, as without tabs.

use std::{
    fmt,
    future::Pending,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    AsyncRead, AsyncWrite, FutureExt,
    future::{BoxFuture, Fuse, poll_fn},
    select_biased,
    task::AtomicWaker,
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};

use super::{Offer, Tab, TabBus, TabEvent, TabId, TabPipe, locks};
use crate::{
    base::limits::{TAB_ANSWER_MS, TAB_REOPEN_MS, TUNNEL_FAILURES, UPLINK_PATIENCE},
    transport::websocket::{DialError, WebSocketStream, WebSocketTransport},
};

/// Which tabs share a connection, and to where.
#[derive(Clone, Debug)]
pub struct UplinkConfig {
    /// Name of the database: tabs of one share.
    pub db_name: String,
    /// URL of the server.
    pub address: String,
}

/// What a tab says of itself on the uplink's bus: one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// It waits for the lock.
    #[default]
    Waiting = 0,
    /// It holds the lock, and has no connection now.
    Dialing = 1,
    /// It holds the lock, and carries others.
    Carrying = 2,
    /// It holds the lock, and carries nobody: its server does not know how, or does not serve it.
    Alone = 3,
}

impl Standing {
    fn of(tab: &Tab) -> Self {
        let standing = [Self::Dialing, Self::Carrying, Self::Alone];
        let said = standing.into_iter().find(|standing| tab.info == [*standing as u8]);
        said.unwrap_or(Self::Waiting)
    }
}

/// A tab's share in the uplink. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Uplink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: UplinkConfig,
    state: Mutex<State>,
    /// The dial that waits for a change.
    dial: AtomicWaker,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    bus: Option<TabBus>,
    /// What the others were told last.
    said: Standing,
    /// Counts what a waiting dial may want to look at again.
    changes: u64,
    /// The connection is this tab's own WebSocket, or is about to be.
    own: bool,
    connected: bool,
    alone: bool,
    /// The server ended this tab's last session soon, and not the connection.
    unfit: bool,
    /// Tunnels in a row that came to nothing.
    failures: u32,
    /// Dials in a row that failed because the tab that keeps the connection has none.
    laters: u32,
    /// A tab that did not answer, and how often it had been heard of.
    deaf: Option<(TabId, u64)>,
    /// The uplink has moved to another tab since the last connection.
    moved: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Each tab for itself.
    #[default]
    Off,
    Starting,
    Follower,
    Holder,
}

impl Uplink {
    /// Not shared before [`Uplink::begin`].
    #[must_use]
    pub fn new(config: UplinkConfig) -> Self {
        Self { shared: Arc::new(Shared { config, state: Mutex::default(), dial: AtomicWaker::new() }) }
    }

    /// From now on dials wait for [`UplinkDriver::start`] to know who holds the uplink.
    pub fn begin(&self) {
        self.change(|state| {
            if state.phase == Phase::Off {
                state.phase = Phase::Starting;
            }
        });
    }

    /// Whether there is a session with the server, by whatever way.
    pub fn set_connected(&self, connected: bool) {
        self.change(|state| {
            state.connected = connected;
            state.alone = false;
            state.moved &= !connected;
            if connected {
                state.laters = 0;
            }
        });
        self.announce();
    }

    /// The server carries nobody but this tab.
    pub fn set_alone(&self) {
        self.change(|state| state.alone = true);
        self.announce();
    }

    /// Whether the server serves this tab over a connection of its own. One that it does not connects again and again,
    /// and would take the others with it: it carries nobody.
    pub fn set_fit(&self, fit: bool) {
        self.change(|state| state.unfit = !fit && state.own);
        self.announce();
    }

    /// Whether others may be carried.
    #[must_use]
    pub fn is_carrying(&self) -> bool {
        self.lock().standing() == Standing::Carrying
    }

    /// Whether the uplink has moved to another tab since there was a connection: no use in waiting to dial again.
    #[must_use]
    pub fn take_moved(&self) -> bool {
        std::mem::take(&mut self.lock().moved)
    }

    fn announce(&self) {
        let (bus, standing) = {
            let mut state = self.lock();
            let standing = state.standing();
            if std::mem::replace(&mut state.said, standing) == standing {
                return;
            }
            (state.bus.clone(), standing)
        };
        if let Some(bus) = bus {
            bus.announce(vec![standing as u8]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        {
            let mut state = self.lock();
            change(&mut state);
            state.changes += 1;
        }
        self.shared.dial.wake();
    }

    async fn changed(&self, since: u64) {
        poll_fn(|cx| {
            self.shared.dial.register(cx.waker());
            if self.lock().changes == since { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// The way to the server at this moment; takes at most [`TAB_ANSWER_MS`] to find.
    async fn way(&self) -> Way {
        let mut patience = Delay::new(Duration::from_millis(TAB_ANSWER_MS)).fuse();
        // Who was asked whether it is there, and how often it had been heard of.
        let mut asked: Option<(TabId, u64)> = None;
        loop {
            let (step, changes) = {
                let mut state = self.lock();
                (state.step(), state.changes)
            };
            match step {
                Step::Own => return Way::Own,
                Step::Open(bus, holder) => {
                    let opened = select_biased! {
                        pipe = Box::pin(bus.open(holder.tab)).fuse() => pipe,
                        () = patience => {
                            self.lock().deaf = Some((holder.tab, holder.heard));
                            return self.own();
                        }
                    };
                    if let Some(pipe) = opened {
                        self.lock().own = false;
                        return Way::Tunnel(TunnelStream { pipe, uplink: self.clone(), heard: false });
                    }
                    self.lock().failures += 1;
                    // Refused because things are changing there: it has said so, or will in a moment.
                    select_biased! {
                        () = Box::pin(self.changed(changes)).fuse() => {}
                        () = Delay::new(Duration::from_millis(TAB_REOPEN_MS)).fuse() => {}
                    }
                }
                Step::Wait(holder) => {
                    if let Some((bus, holder)) = holder
                        && asked.is_none_or(|(tab, _)| tab != holder.tab)
                    {
                        bus.ask(holder.tab);
                        asked = Some((holder.tab, holder.heard));
                    }
                    select_biased! {
                        () = Box::pin(self.changed(changes)).fuse() => {}
                        () = patience => return if self.has_answered(asked) { self.later() } else { self.own() },
                    }
                }
            }
        }
    }

    /// Whether the holder that was asked lives: it will have a connection before anybody else has.
    fn has_answered(&self, asked: Option<(TabId, u64)>) -> bool {
        let bus = self.lock().bus.clone();
        let tabs = bus.map(|bus| bus.tabs()).unwrap_or_default();
        asked.is_some_and(|(tab, heard)| tabs.iter().any(|other| other.tab == tab && other.heard > heard))
    }

    fn own(&self) -> Way {
        let mut state = self.lock();
        (state.own, state.laters) = (true, 0);
        Way::Own
    }

    /// Not for ever: what keeps the holder from the server may not keep this tab.
    fn later(&self) -> Way {
        {
            let mut state = self.lock();
            state.laters += 1;
            if state.laters < UPLINK_PATIENCE {
                return Way::Later;
            }
        }
        self.own()
    }
}

enum Way {
    Own,
    Tunnel(TunnelStream),
    /// The tab that keeps the connection lives, and has none.
    Later,
}

enum Step {
    Own,
    Open(TabBus, Tab),
    Wait(Option<(TabBus, Tab)>),
}

impl State {
    fn standing(&self) -> Standing {
        match self.phase {
            Phase::Holder if self.alone || self.unfit => Standing::Alone,
            Phase::Holder if self.connected && self.own => Standing::Carrying,
            Phase::Holder => Standing::Dialing,
            _ => Standing::Waiting,
        }
    }

    fn step(&mut self) -> Step {
        let bus = match (self.phase, &self.bus) {
            (Phase::Starting, _) => return Step::Wait(None),
            (Phase::Follower, Some(bus)) if self.failures < TUNNEL_FAILURES => bus.clone(),
            _ => {
                self.failures = 0;
                self.own = true;
                return Step::Own;
            }
        };
        // In a handover the old holder may still be listed beside the new one.
        let holder = bus.tabs().into_iter().max_by_key(|tab| match Standing::of(tab) {
            Standing::Waiting => 0,
            Standing::Dialing => 1,
            Standing::Alone => 2,
            Standing::Carrying => 3,
        });
        let Some(holder) = holder else { return Step::Wait(None) };
        match Standing::of(&holder) {
            Standing::Waiting => Step::Wait(None),
            Standing::Dialing => Step::Wait(Some((bus, holder))),
            Standing::Carrying if self.deaf != Some((holder.tab, holder.heard)) => Step::Open(bus, holder),
            Standing::Carrying | Standing::Alone => {
                self.own = true;
                Step::Own
            }
        }
    }
}

/// What follows from what other tabs do.
#[derive(Debug)]
pub enum UplinkEvent {
    /// The uplink is elsewhere, or connected anew: whoever has no connection should dial now.
    Moved,
    /// Another tab waits for this one to connect. Its own timers may be slow: it may be hidden.
    Awaited,
    /// Another tab wants to be carried.
    Wanted(Offer),
}

/// Takes part in the election. Dropping it gives the uplink to the next tab, and leaves the others.
#[derive(Debug)]
pub struct UplinkDriver {
    uplink: Uplink,
    bus: TabBus,
    holds: Option<locks::LockGuard>,
    turn: Fuse<locks::LockRequest>,
    /// Whether a tab that carried others was there at the last look.
    carried: Option<TabId>,
}

impl UplinkDriver {
    /// Joins the other tabs as `tab`. `None` if there can be none: then each has its own connection.
    pub async fn start(uplink: &Uplink, tab: TabId) -> Option<Self> {
        let UplinkConfig { db_name, address } = &uplink.shared.config;
        let bus = TabBus::join(format!("peersync/1/{db_name}/uplink/{address}"), tab, vec![0]).await;
        let Some(bus) = bus else {
            uplink.change(|state| state.phase = Phase::Off);
            return None;
        };
        let lock = format!("peersync/uplink/{db_name}/{address}");
        let holds = locks::request(&lock, true).await;
        let turn = if holds.is_some() { Fuse::terminated() } else { locks::request(&lock, false).fuse() };
        uplink.change(|state| {
            state.bus = Some(bus.clone());
            state.phase = if holds.is_some() { Phase::Holder } else { Phase::Follower };
        });
        uplink.announce();
        Some(Self { uplink: uplink.clone(), bus, holds, turn, carried: None })
    }

    /// The next event. Dropping the future loses none.
    pub async fn next(&mut self) -> UplinkEvent {
        loop {
            let mut turn = &mut self.turn;
            let event = select_biased! {
                holds = turn => {
                    self.inherit(holds);
                    return UplinkEvent::Moved;
                }
                event = Box::pin(self.bus.next_event()).fuse() => event,
            };
            match event {
                TabEvent::Offered(offer) => return UplinkEvent::Wanted(offer),
                TabEvent::Asked if self.uplink.lock().standing() == Standing::Dialing => return UplinkEvent::Awaited,
                TabEvent::Asked => {}
                TabEvent::Changed => {
                    let carrying = |tab: &Tab| Standing::of(tab) == Standing::Carrying;
                    let carried = self.bus.tabs().iter().find(|tab| carrying(tab)).map(|tab| tab.tab);
                    let moved = carried.is_some() && carried != self.carried;
                    self.carried = carried;
                    self.uplink.change(|state| state.moved |= moved);
                    if moved {
                        return UplinkEvent::Moved;
                    }
                }
            }
        }
    }

    fn inherit(&mut self, holds: Option<locks::LockGuard>) {
        let phase = if holds.is_some() { Phase::Holder } else { Phase::Off };
        self.holds = holds;
        self.uplink.change(|state| (state.phase, state.moved) = (phase, true));
        self.uplink.announce();
    }
}

impl Drop for UplinkDriver {
    fn drop(&mut self) {
        self.uplink.change(|state| *state = State { connected: state.connected, own: state.own, ..State::default() });
    }
}

/// Dials WebSocket multiaddrs, through another tab where one keeps a connection; does not listen.
#[derive(Debug)]
pub struct UplinkTransport {
    own: WebSocketTransport,
    uplink: Option<Uplink>,
}

impl UplinkTransport {
    /// Without an uplink every dial is a WebSocket of its own.
    #[must_use]
    pub fn new(uplink: Option<Uplink>) -> Self {
        Self { own: WebSocketTransport::new(), uplink }
    }
}

/// A dial.
pub type UplinkDial = BoxFuture<'static, Result<UplinkStream, DialError>>;

impl Transport for UplinkTransport {
    type Output = UplinkStream;
    type Error = DialError;
    type ListenerUpgrade = Pending<Result<Self::Output, Self::Error>>;
    type Dial = UplinkDial;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<DialError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<UplinkDial, TransportError<DialError>> {
        let own = self.own.dial(address, options)?;
        let uplink = self.uplink.clone();
        Ok(async move {
            let way = match &uplink {
                Some(uplink) => uplink.way().await,
                None => Way::Own,
            };
            match way {
                Way::Own => own.await.map(|stream| UplinkStream::Own(Box::new(stream))),
                Way::Tunnel(stream) => Ok(UplinkStream::Tunnel(stream)),
                Way::Later => Err(DialError::NoUplink),
            }
        }
        .boxed())
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, DialError>> {
        Poll::Pending
    }
}

/// A connection's bytes, by whichever way.
#[derive(Debug)]
pub enum UplinkStream {
    /// Over a WebSocket of this tab.
    Own(Box<WebSocketStream>),
    /// Through another tab.
    Tunnel(TunnelStream),
}

/// A connection's bytes through another tab.
pub struct TunnelStream {
    pipe: TabPipe,
    uplink: Uplink,
    heard: bool,
}

impl Drop for TunnelStream {
    fn drop(&mut self) {
        if !self.heard {
            self.uplink.lock().failures += 1;
        }
    }
}

impl AsyncRead for UplinkStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tunnel(stream) => {
                let read = Pin::new(&mut stream.pipe).poll_read(cx, buf);
                if !stream.heard && matches!(read, Poll::Ready(Ok(1..))) {
                    stream.heard = true;
                    stream.uplink.lock().failures = 0;
                }
                read
            }
        }
    }
}

impl AsyncWrite for UplinkStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tunnel(stream) => Pin::new(&mut stream.pipe).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tunnel(stream) => Pin::new(&mut stream.pipe).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_close(cx),
            Self::Tunnel(stream) => Pin::new(&mut stream.pipe).poll_close(cx),
        }
    }
}

impl fmt::Debug for TunnelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelStream").field("pipe", &self.pipe).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uplink(phase: Phase) -> Uplink {
        let uplink = Uplink::new(UplinkConfig { db_name: "db".to_owned(), address: "ws://localhost/ws".to_owned() });
        uplink.change(|state| state.phase = phase);
        uplink
    }

    #[test]
    fn b10_a_holder_that_the_server_does_not_serve_carries_nobody_until_it_does() {
        let uplink = uplink(Phase::Holder);
        uplink.own();
        uplink.set_connected(true);
        assert!(uplink.is_carrying());
        uplink.set_fit(false);
        for connected in [false, true] {
            uplink.set_connected(connected);
            assert_eq!(uplink.lock().standing(), Standing::Alone);
        }
        uplink.set_fit(true);
        assert!(uplink.is_carrying());
    }

    #[test]
    fn b10_what_ends_in_a_tunnel_says_nothing_of_a_connection_of_ones_own() {
        let uplink = uplink(Phase::Follower);
        uplink.set_fit(false);
        uplink.change(|state| state.phase = Phase::Holder);
        uplink.own();
        uplink.set_connected(true);
        assert!(uplink.is_carrying());
    }

    #[test]
    fn b10_a_holder_without_connection_is_not_waited_for_for_ever() {
        let uplink = uplink(Phase::Follower);
        let own = || matches!(uplink.later(), Way::Own);
        for _ in 0..2 {
            assert!((1..UPLINK_PATIENCE).all(|_| !own()));
            assert!(own());
        }
    }
}
