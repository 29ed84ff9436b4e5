//! Sockets that an HTTP server upgraded, handed to the swarm: the server checks origins and limits, the swarm sees a
//! listener.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    future::{Future, Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::address::{AddressError, WsAddress};

/// Any byte stream.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// An upgraded socket.
pub struct IncomingSocket {
    /// Its bytes.
    pub io: Box<dyn ByteStream>,
    /// The listen address it came in by. The listener of that address is credited, else the first.
    pub local: Multiaddr,
    /// Where it comes from, as `/ip4/…/tcp/…/ws`.
    pub remote: Multiaddr,
}

/// A transport whose connections come from the returned sender. At most `capacity` sockets wait in between.
#[must_use]
pub fn channel(capacity: usize) -> (IncomingSender, IncomingTransport) {
    let (sender, sockets) = mpsc::channel(capacity);
    let transport = IncomingTransport { sockets, listeners: Vec::new(), events: VecDeque::new(), waker: None };
    (IncomingSender { sender }, transport)
}

/// The HTTP server's end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct IncomingSender {
    sender: mpsc::Sender<Handed>,
}

impl IncomingSender {
    /// Hands `socket` to the swarm. The returned future resolves when the swarm is done with it.
    ///
    /// # Errors
    /// As [`IncomingSender::try_reserve`]; the socket is dropped then. Reserve first to close it with words.
    pub fn try_send(&self, socket: IncomingSocket) -> Result<SocketGone, NotTaken> {
        Ok(self.try_reserve()?.send(socket))
    }

    /// A place in the queue, so that a server can refuse before it upgrades.
    ///
    /// # Errors
    /// [`NotTaken::Full`] when the swarm does not keep up, [`NotTaken::Stopped`] when it is gone.
    pub fn try_reserve(&self) -> Result<IncomingSlot, NotTaken> {
        match self.sender.clone().try_reserve_owned() {
            Ok(permit) => Ok(IncomingSlot { permit }),
            Err(mpsc::error::TrySendError::Full(_)) => Err(NotTaken::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotTaken::Stopped),
        }
    }
}

/// A reserved place in the queue. Dropping it gives it back.
#[derive(Debug)]
pub struct IncomingSlot {
    permit: mpsc::OwnedPermit<Handed>,
}

impl IncomingSlot {
    /// Hands `socket` to the swarm. The returned future resolves when the swarm is done with it.
    pub fn send(self, socket: IncomingSocket) -> SocketGone {
        let (alive, gone) = oneshot::channel();
        let stream = IncomingStream { io: socket.io, _alive: alive };
        self.permit.send(Handed { stream, local: socket.local, remote: socket.remote });
        SocketGone { gone }
    }
}

/// Resolves once the swarm has dropped the socket, for whatever reason. Dropping it changes nothing.
#[derive(Debug)]
pub struct SocketGone {
    gone: oneshot::Receiver<Infallible>,
}

impl Future for SocketGone {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Nothing is ever sent: the sender lives in the socket, and its end is the message.
        Pin::new(&mut self.gone).poll(cx).map(|_| ())
    }
}

/// Why the swarm did not take a socket.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many sockets wait for the swarm. Try again later (close code 1013).
    #[error("too many new connections at once")]
    Full,
    /// The swarm is gone (close code 1001).
    #[error("the node is shutting down")]
    Stopped,
}

/// The swarm's end. Listens on whatever WebSocket addresses it is told to announce; opens no port, dials nothing.
#[derive(Debug)]
pub struct IncomingTransport {
    sockets: mpsc::Receiver<Handed>,
    listeners: Vec<(ListenerId, Multiaddr)>,
    /// One for each call of `listen_on` and `remove_listener` since the last poll.
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

type Event = TransportEvent<Ready<Result<IncomingStream, AddressError>>, AddressError>;

#[derive(Debug)]
struct Handed {
    stream: IncomingStream,
    local: Multiaddr,
    remote: Multiaddr,
}

impl IncomingTransport {
    fn announce(&mut self, event: Event) {
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The listener at `local`, else the first.
    fn listener_of(&self, local: &Multiaddr) -> Option<ListenerId> {
        let exact = self.listeners.iter().find(|(_, address)| address == local);
        exact.or(self.listeners.first()).map(|(id, _)| *id)
    }
}

impl Transport for IncomingTransport {
    type Output = IncomingStream;
    type Error = AddressError;
    type ListenerUpgrade = Ready<Result<Self::Output, Self::Error>>;
    type Dial = Ready<Result<Self::Output, Self::Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<AddressError>> {
        match WsAddress::try_from(&address) {
            Ok(_) => {}
            Err(AddressError::NotWebSocket { address }) => return Err(TransportError::MultiaddrNotSupported(address)),
            Err(error) => return Err(TransportError::Other(error)),
        }
        self.listeners.push((id, address.clone()));
        self.announce(TransportEvent::NewAddress { listener_id: id, listen_addr: address });
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let before = self.listeners.len();
        self.listeners.retain(|(listener, _)| *listener != id);
        if self.listeners.len() == before {
            return false;
        }
        self.announce(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        true
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<AddressError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if self.listeners.is_empty() {
                break;
            }
            match self.sockets.poll_recv(cx) {
                Poll::Ready(Some(Handed { stream, local, remote })) => {
                    let Some(listener_id) = self.listener_of(&local) else { break };
                    let upgrade = ready(Ok(stream));
                    return Poll::Ready(TransportEvent::Incoming {
                        listener_id,
                        upgrade,
                        local_addr: local,
                        send_back_addr: remote,
                    });
                }
                // Every sender is gone: the HTTP server has stopped.
                Poll::Ready(None) => {
                    for (listener_id, _) in std::mem::take(&mut self.listeners) {
                        self.events.push_back(TransportEvent::ListenerClosed { listener_id, reason: Ok(()) });
                    }
                }
                Poll::Pending => break,
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A handed socket, whose end [`SocketGone`] reports.
pub struct IncomingStream {
    io: Box<dyn ByteStream>,
    _alive: oneshot::Sender<Infallible>,
}

impl AsyncRead for IncomingStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for IncomingStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

impl fmt::Debug for IncomingStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingStream").finish_non_exhaustive()
    }
}

impl fmt::Debug for IncomingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingSocket")
            .field("local", &self.local)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
