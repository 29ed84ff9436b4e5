//! `/yamux/1.0.0` within this crate's limits. Spec: <https://github.com/hashicorp/yamux/blob/master/spec.md>.
//!
//! The `yamux` crate speaks the protocol; this wraps it as a libp2p muxer, because `libp2p-yamux` leaves the receive
//! window of a connection at 1 GiB.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    future::{Ready, ready},
    io, iter,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready as try_ready},
    time::Duration,
};

use ::yamux::{Config, Connection, ConnectionError, Mode, Stream};
use futures::{AsyncRead, AsyncWrite, FutureExt, task::AtomicWaker};
use futures_timer::Delay;
use libp2p::core::{
    UpgradeInfo,
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
};

use crate::base::limits::{GOODBYE_TIMEOUT_MS, YAMUX_MAX_STREAMS, YAMUX_WINDOW_BYTES};

/// The upgrade of an authenticated stream to a multiplexed connection.
#[derive(Clone, Copy, Debug)]
pub struct Yamux;

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Yamux {
    type Output = YamuxMuxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(YamuxMuxer::new(socket, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Yamux {
    type Output = YamuxMuxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(YamuxMuxer::new(socket, Mode::Client)))
    }
}

/// A multiplexed connection of at most [`YAMUX_MAX_STREAMS`] streams, both directions together. A peer that opens
/// more loses the connection (yamux has no way to refuse one stream); our own further streams wait for one to end.
#[derive(Debug)]
pub struct YamuxMuxer<C> {
    connection: Connection<C>,
    /// Streams the peer opened that nobody has asked for yet. yamux moves the connection on only by looking for
    /// inbound streams, so that `poll` may find some.
    inbound: VecDeque<YamuxStream>,
    inbound_waker: Option<Waker>,
    open: Arc<OpenStreams>,
    /// How long a closing connection still waits.
    patience: Option<Delay>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> YamuxMuxer<C> {
    fn new(socket: C, mode: Mode) -> Self {
        let mut config = Config::default();
        // The count first: the window must at no time be below 256 KiB for each stream.
        config.set_max_num_streams(YAMUX_MAX_STREAMS);
        config.set_max_connection_receive_window(Some(YAMUX_WINDOW_BYTES));
        Self {
            connection: Connection::new(socket, config, mode),
            inbound: VecDeque::new(),
            inbound_waker: None,
            open: Arc::default(),
            patience: None,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<YamuxStream>> {
        match try_ready!(self.connection.poll_next_inbound(cx)) {
            Some(Ok(stream)) => Poll::Ready(Ok(YamuxStream::new(stream, &self.open))),
            Some(Err(error)) => Poll::Ready(Err(to_io(error))),
            None => Poll::Ready(Err(to_io(ConnectionError::Closed))),
        }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for YamuxMuxer<C> {
    type Substream = YamuxStream;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<YamuxStream>> {
        let this = self.get_mut();
        if let Some(stream) = this.inbound.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let found = this.poll_next(cx);
        if found.is_pending() {
            this.inbound_waker = Some(cx.waker().clone());
        }
        found
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<YamuxStream>> {
        let this = self.get_mut();
        // Asking yamux for one stream too many ends the connection, so wait for one to be dropped.
        if this.open.is_full() {
            this.open.waiting.register(cx.waker());
            if this.open.is_full() {
                return Poll::Pending;
            }
        }
        let stream = try_ready!(this.connection.poll_new_outbound(cx)).map_err(to_io)?;
        Poll::Ready(Ok(YamuxStream::new(stream, &this.open)))
    }

    /// A peer that is gone never answers the goodbye, and as long as it is awaited its streams seem open.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(closed) = this.connection.poll_close(cx) {
            return Poll::Ready(closed.map_err(to_io));
        }
        let patience = this.patience.get_or_insert_with(|| Delay::new(Duration::from_millis(GOODBYE_TIMEOUT_MS)));
        patience.poll_unpin(cx).map(Ok)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let this = self.get_mut();
        let stream = try_ready!(this.poll_next(cx))?;
        // yamux itself ends the connection at this many; the check only keeps the bound where the queue is.
        if this.inbound.len() < YAMUX_MAX_STREAMS {
            this.inbound.push_back(stream);
        }
        if let Some(waker) = this.inbound_waker.take() {
            waker.wake();
        }
        // There may be more to read. Give others their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<C> Drop for YamuxMuxer<C> {
    /// yamux wakes nobody when it is dropped while it still waits for the peer's goodbye: whoever reads would wait for
    /// ever on a connection that is no more.
    fn drop(&mut self) {
        self.open.end();
    }
}

/// One stream of a [`YamuxMuxer`]. Dropping it unclosed resets it.
#[derive(Debug)]
pub struct YamuxStream {
    // Before `open`: fields drop in this order, and who waits for a place must find the stream gone.
    stream: Stream,
    open: OpenStream,
}

impl YamuxStream {
    fn new(stream: Stream, open: &Arc<OpenStreams>) -> Self {
        open.count.fetch_add(1, Ordering::AcqRel);
        let number = open.next.fetch_add(1, Ordering::AcqRel);
        Self { stream, open: OpenStream { all: Arc::clone(open), number } }
    }
}

impl AsyncRead for YamuxStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() && self.open.all.is_over(self.open.number, cx) {
            return Poll::Ready(Err(to_io(ConnectionError::Closed)));
        }
        read
    }
}

impl AsyncWrite for YamuxStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// How many streams of a connection exist, and who waits for one to go.
#[derive(Debug, Default)]
struct OpenStreams {
    count: AtomicUsize,
    waiting: AtomicWaker,
    next: AtomicUsize,
    readers: Mutex<Readers>,
}

/// Who waits to read, by number of the stream; and whether the connection is gone.
#[derive(Debug, Default)]
struct Readers {
    over: bool,
    waiting: BTreeMap<usize, Waker>,
}

impl OpenStreams {
    fn is_full(&self) -> bool {
        self.count.load(Ordering::Acquire) >= YAMUX_MAX_STREAMS
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection is gone; if not, the stream's reader is woken when it goes.
    fn is_over(&self, stream: usize, cx: &Context<'_>) -> bool {
        let mut readers = self.readers();
        if !readers.over {
            readers.waiting.insert(stream, cx.waker().clone());
        }
        readers.over
    }

    fn end(&self) {
        let waiting = {
            let mut readers = self.readers();
            readers.over = true;
            std::mem::take(&mut readers.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }
}

/// One stream's place in the count.
#[derive(Debug)]
struct OpenStream {
    all: Arc<OpenStreams>,
    number: usize,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.all.readers().waiting.remove(&self.number);
        self.all.count.fetch_sub(1, Ordering::AcqRel);
        self.all.waiting.wake();
    }
}

fn to_io(error: ConnectionError) -> io::Error {
    match error {
        ConnectionError::Io(error) => error,
        ConnectionError::Closed => io::Error::new(io::ErrorKind::ConnectionAborted, ConnectionError::Closed),
        other => io::Error::other(other),
    }
}
