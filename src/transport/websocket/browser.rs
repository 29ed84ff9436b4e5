//! Dials with the browser's own `WebSocket`, in a window or a worker. <https://websockets.spec.whatwg.org/>.
//!
//! The browser cannot be told to pause, and does not say when its send buffer has drained. So what is received is
//! bounded and ends the connection when nobody reads it, and a write that must wait looks at the buffer again when
//! something arrives or after a one-shot timer. An idle connection runs no timer.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::{Future, Pending},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite};
use futures_timer::Delay;
use js_sys::Uint8Array;
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use super::{
    address::{AddressError, WsAddress},
    error::{DialError, WebSocketError},
};
use crate::base::limits::{
    WEBSOCKET_DRAIN_POLL_MS, WEBSOCKET_MESSAGE_BYTES, WEBSOCKET_MESSAGE_OVERHEAD_BYTES, WEBSOCKET_RECEIVE_BUFFER_BYTES,
    WEBSOCKET_SEND_BUFFER_BYTES,
};

/// Dials WebSocket multiaddrs; does not listen.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketTransport;

impl WebSocketTransport {
    /// The transport. Nothing happens before a dial.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Transport for WebSocketTransport {
    type Output = WebSocketStream;
    type Error = DialError;
    type ListenerUpgrade = Pending<Result<Self::Output, Self::Error>>;
    type Dial = Opening;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<DialError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Opening, TransportError<DialError>> {
        match WsAddress::try_from(&address) {
            Ok(address) => Ok(Opening { url: address.url(), stream: None }),
            Err(AddressError::NotWebSocket { address }) => Err(TransportError::MultiaddrNotSupported(address)),
            Err(error) => Err(TransportError::Other(error.into())),
        }
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, DialError>> {
        Poll::Pending
    }
}

/// A dial. Begins with the first poll; dropping it closes the socket.
#[derive(Debug)]
pub struct Opening {
    url: String,
    stream: Option<WebSocketStream>,
}

impl Future for Opening {
    type Output = Result<WebSocketStream, DialError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => match WebSocketStream::open(&self.url) {
                Ok(stream) => stream,
                Err(reason) => return Poll::Ready(Err(DialError::Refused { url: self.url.clone(), reason })),
            },
        };
        match stream.poll_opened(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(stream)),
            Poll::Ready(Err(reason)) => {
                Poll::Ready(Err(DialError::Unreachable { url: self.url.clone(), reason: reason.to_string() }))
            }
            Poll::Pending => {
                self.stream = Some(stream);
                Poll::Pending
            }
        }
    }
}

/// An open WebSocket as a byte stream. Reads everything that was received before it reports an end. Flushed means
/// handed to the browser. Dropping it closes the socket, without waiting for the peer.
pub struct WebSocketStream {
    // The browser has one thread for all of this; libp2p asks for `Send` all the same.
    inner: SendWrapper<Inner>,
}

struct Inner {
    socket: WebSocket,
    state: Rc<RefCell<State>>,
    /// Runs only while a write waits for the send buffer.
    drain: Option<Delay>,
    handlers: Handlers,
}

/// The socket calls these as long as it has them; [`Inner::drop`] takes them away before they die.
struct Handlers {
    open: Closure<dyn FnMut(Event)>,
    message: Closure<dyn FnMut(MessageEvent)>,
    error: Closure<dyn FnMut(Event)>,
    close: Closure<dyn FnMut(CloseEvent)>,
}

/// What the handlers tell the stream.
#[derive(Default)]
struct State {
    opened: bool,
    /// Never empty ones. The first has been read up to `offset`.
    received: VecDeque<Uint8Array>,
    offset: u32,
    /// Payload and overhead of `received`, whole messages.
    received_bytes: usize,
    /// `Some` once nothing more will come: `Ok` for a normal close.
    end: Option<Result<(), WebSocketError>>,
    /// Waits for bytes, or for the socket to open.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl WebSocketStream {
    /// A connecting socket. The error is the browser's text.
    fn open(url: &str) -> Result<Self, String> {
        let socket = WebSocket::new(url).map_err(|error| js_text(&error))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let state = Rc::new(RefCell::new(State::default()));
        let handlers = Handlers::new(&state);
        handlers.attach(&socket);
        Ok(Self { inner: SendWrapper::new(Inner { socket, state, drain: None, handlers }) })
    }

    fn poll_opened(&self, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        let mut state = self.inner.state.borrow_mut();
        match &state.end {
            _ if state.opened => Poll::Ready(Ok(())),
            Some(end) => Poll::Ready(Err(end.clone().err().unwrap_or_else(WebSocketError::abnormal))),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for WebSocketStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.inner.state.borrow_mut();
        let read = state.read(buf);
        if read > 0 || buf.is_empty() {
            return Poll::Ready(Ok(read));
        }
        match &state.end {
            Some(Ok(())) => Poll::Ready(Ok(0)),
            Some(Err(error)) => Poll::Ready(Err(error.clone().into())),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for WebSocketStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let inner = &mut *self.inner;
        loop {
            inner.check_writable()?;
            if buf.is_empty() {
                return Poll::Ready(Ok(0));
            }
            if (inner.socket.buffered_amount() as usize) < WEBSOCKET_SEND_BUFFER_BYTES {
                inner.drain = None;
                let chunk = &buf[..buf.len().min(WEBSOCKET_MESSAGE_BYTES)];
                inner
                    .socket
                    .send_with_u8_array(chunk)
                    .map_err(|error| WebSocketError::Send { reason: js_text(&error) })?;
                return Poll::Ready(Ok(chunk.len()));
            }
            inner.state.borrow_mut().writer = Some(cx.waker().clone());
            let drain = inner.drain.get_or_insert_with(|| Delay::new(Duration::from_millis(WEBSOCKET_DRAIN_POLL_MS)));
            ready!(Pin::new(drain).poll(cx));
            inner.drain = None;
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.inner.state.borrow().end {
            Some(Err(error)) => Poll::Ready(Err(error.clone().into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Begins the closing handshake, after what was written. Does not wait for the peer's half, which a dead peer
    /// never sends.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.inner.socket);
        Poll::Ready(Ok(()))
    }
}

impl Inner {
    fn check_writable(&self) -> io::Result<()> {
        match &self.state.borrow().end {
            Some(Err(error)) => Err(error.clone().into()),
            Some(Ok(())) => Err(io::ErrorKind::BrokenPipe.into()),
            // The browser drops what is sent while it closes, without a word.
            None if self.socket.ready_state() != WebSocket::OPEN => Err(io::ErrorKind::BrokenPipe.into()),
            None => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.handlers.detach(&self.socket);
        close(&self.socket);
    }
}

impl Handlers {
    fn new(state: &Rc<RefCell<State>>) -> Self {
        let opened = Rc::clone(state);
        let open = Closure::new(move |_: Event| update(&opened, |state| state.opened = true));
        let received = Rc::clone(state);
        let message = Closure::new(move |event: MessageEvent| {
            update(&received, |state| state.receive(&event.data()));
            if received.borrow().end.is_some()
                && let Some(socket) = event.target()
            {
                close(socket.unchecked_ref());
            }
        });
        let failed = Rc::clone(state);
        // A browser gives no reason, and its close event follows with code 1006 and nothing more.
        let error =
            Closure::new(move |_: Event| update(&failed, |state| state.finish(Err(WebSocketError::abnormal()))));
        let closed = Rc::clone(state);
        let close = Closure::new(move |event: CloseEvent| {
            let end = WebSocketError::of_close(event.code(), event.reason()).map_or(Ok(()), Err);
            update(&closed, |state| state.finish(end));
        });
        Self { open, message, error, close }
    }

    fn attach(&self, socket: &WebSocket) {
        socket.set_onopen(Some(self.open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(self.message.as_ref().unchecked_ref()));
        socket.set_onerror(Some(self.error.as_ref().unchecked_ref()));
        socket.set_onclose(Some(self.close.as_ref().unchecked_ref()));
    }

    fn detach(&self, socket: &WebSocket) {
        socket.set_onopen(None);
        socket.set_onmessage(None);
        socket.set_onerror(None);
        socket.set_onclose(None);
    }
}

impl State {
    fn receive(&mut self, data: &JsValue) {
        if self.end.is_some() {
            return;
        }
        if data.is_string() {
            return self.finish(Err(WebSocketError::TextMessage));
        }
        let bytes = Uint8Array::new(data);
        if bytes.length() == 0 {
            return;
        }
        let cost = bytes.length() as usize + WEBSOCKET_MESSAGE_OVERHEAD_BYTES;
        if self.received_bytes.saturating_add(cost) > WEBSOCKET_RECEIVE_BUFFER_BYTES {
            return self.finish(Err(WebSocketError::ReceiveBufferFull { max: WEBSOCKET_RECEIVE_BUFFER_BYTES }));
        }
        self.received_bytes += cost;
        self.received.push_back(bytes);
    }

    /// The first reason counts: a failure is followed by a close.
    fn finish(&mut self, end: Result<(), WebSocketError>) {
        self.end.get_or_insert(end);
    }

    /// Copies from the first message straight into `buf`. Zero when nothing is there.
    fn read(&mut self, buf: &mut [u8]) -> usize {
        let Some(first) = self.received.front() else { return 0 };
        let left = first.length() - self.offset;
        let len = left.min(u32::try_from(buf.len()).unwrap_or(u32::MAX));
        first.subarray(self.offset, self.offset + len).copy_to(&mut buf[..len as usize]);
        self.offset += len;
        if len == left {
            self.received_bytes -= first.length() as usize + WEBSOCKET_MESSAGE_OVERHEAD_BYTES;
            self.offset = 0;
            self.received.pop_front();
        }
        len as usize
    }
}

impl fmt::Debug for WebSocketStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream").field("url", &self.inner.socket.url()).finish_non_exhaustive()
    }
}

/// Changes the state, then wakes whoever waits: after the borrow, because a waker may run its task at once. Writers
/// are woken by messages too; a message is often the news that the peer has read, and a background tab's timers are
/// slow.
fn update(state: &Rc<RefCell<State>>, change: impl FnOnce(&mut State)) {
    let wakers = {
        let mut state = state.borrow_mut();
        change(&mut state);
        [state.reader.take(), state.writer.take()]
    };
    wakers.into_iter().flatten().for_each(Waker::wake);
}

fn close(socket: &WebSocket) {
    if socket.ready_state() < WebSocket::CLOSING {
        // Without a code nothing can be thrown.
        let _ = socket.close();
    }
}

/// A thrown value as text, for people.
fn js_text(error: &JsValue) -> String {
    let text = |name: &str| js_sys::Reflect::get(error, &JsValue::from_str(name)).ok()?.as_string();
    text("message").or_else(|| error.as_string()).unwrap_or_else(|| "no reason given".to_owned())
}
