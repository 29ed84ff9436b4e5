//! One WebSocket as the byte stream that noise and yamux expect: message boundaries mean nothing, only binary frames
//! are spoken. Whoever drops the stream closes the socket with the right code (RFC 6455, 7.4.1).

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use futures::{AsyncRead, AsyncWrite, SinkExt as _, StreamExt as _};
use tokio::{runtime::Handle, time};
use tokio_tungstenite::tungstenite;

use super::{
    accept::Edge,
    admission::Permit,
    limits::{FAREWELL_TIMEOUT, SOCKET_MESSAGE_BYTES},
    metrics::Reject,
};

/// Why the server closes a socket: close code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Farewell(u16, &'static str);

impl Farewell {
    const NORMAL: Self = Self(1000, "");
    const STOPPING: Self = Self(1001, "the server is stopping");
    const TEXT_FRAME: Self = Self(1003, "only binary frames (libp2p) are spoken here");
    const TOO_LARGE: Self = Self(1009, "the message is too large");

    fn message(self) -> Message {
        Message::Close(Some(CloseFrame { code: self.0, reason: self.1.into() }))
    }
}

/// What has been said about closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// Our close frame is on its way; nothing may follow it.
    Said,
    /// The socket is broken: nothing can be said.
    Broken,
}

/// The byte stream.
#[derive(Debug)]
pub(super) struct SocketBytes {
    /// `None` only once dropped.
    socket: Option<WebSocket>,
    received: Bytes,
    unsent: Vec<u8>,
    ended: bool,
    closing: Closing,
    farewell: Option<Farewell>,
    edge: Arc<Edge>,
    permit: Option<Permit>,
}

impl SocketBytes {
    /// Wraps a socket. `permit` is that of the client behind a proxy, held as long as the socket.
    pub(super) fn new(socket: WebSocket, edge: Arc<Edge>, permit: Option<Permit>) -> Self {
        edge.metrics.sockets.fetch_add(1, Relaxed);
        Self {
            socket: Some(socket),
            received: Bytes::new(),
            unsent: Vec::new(),
            ended: false,
            closing: Closing::No,
            farewell: None,
            edge,
            permit,
        }
    }

    fn farewell(&self) -> Farewell {
        let usual = if self.edge.is_stopping() { Farewell::STOPPING } else { Farewell::NORMAL };
        self.farewell.unwrap_or(usual)
    }

    fn socket(&mut self) -> io::Result<&mut WebSocket> {
        self.socket.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Waits until `received` holds something or the stream has ended.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.received.is_empty() && !self.ended {
            match ready!(self.socket()?.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(bytes))) => {
                    self.edge.metrics.bytes_received.fetch_add(bytes.len() as u64, Relaxed);
                    self.received = bytes;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => self.ended = true,
                Some(Ok(Message::Text(_))) => {
                    self.edge.metrics.reject(Reject::TextFrame);
                    self.farewell = Some(Farewell::TEXT_FRAME);
                    self.ended = true;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a text frame")));
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Err(self.note_failure(error)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn note_failure(&mut self, error: axum::Error) -> io::Error {
        let inner = error.into_inner();
        if let Some(tungstenite::Error::Capacity(_)) = inner.downcast_ref() {
            self.edge.metrics.reject(Reject::FrameTooLarge);
            self.farewell = Some(Farewell::TOO_LARGE);
        } else {
            self.closing = Closing::Broken;
        }
        io::Error::new(io::ErrorKind::ConnectionAborted, inner)
    }

    /// Hands what was gathered to the socket as one message.
    fn poll_push(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.socket()?.poll_ready_unpin(cx)).map_err(broken)?;
        let bytes = std::mem::take(&mut self.unsent);
        self.edge.metrics.bytes_sent.fetch_add(bytes.len() as u64, Relaxed);
        Poll::Ready(self.socket()?.start_send_unpin(Message::Binary(bytes.into())).map_err(broken))
    }
}

impl AsyncRead for SocketBytes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_receive(cx))?;
        let len = self.received.len().min(buf.len());
        buf[..len].copy_from_slice(&self.received.split_to(len));
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for SocketBytes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.closing != Closing::No {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.unsent.len() >= SOCKET_MESSAGE_BYTES {
            ready!(self.poll_push(cx))?;
        }
        let len = buf.len().min(SOCKET_MESSAGE_BYTES - self.unsent.len());
        self.unsent.extend_from_slice(&buf[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_push(cx))?;
        self.socket()?.poll_flush_unpin(cx).map_err(broken)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing == Closing::No {
            ready!(self.poll_push(cx))?;
            ready!(self.socket()?.poll_ready_unpin(cx)).map_err(broken)?;
            let message = self.farewell().message();
            self.closing = Closing::Said;
            // The peer may have closed first; then there is nothing left to say.
            let _ = self.socket()?.start_send_unpin(message);
        }
        // An error means that the peer is gone, which is what was wanted.
        self.socket()?.poll_flush_unpin(cx).map(|_| Ok(()))
    }
}

impl Drop for SocketBytes {
    fn drop(&mut self) {
        self.edge.metrics.sockets.fetch_sub(1, Relaxed);
        let (Some(mut socket), Ok(runtime)) = (self.socket.take(), Handle::try_current()) else { return };
        let last_words = match self.closing {
            Closing::No => Some(self.farewell().message()),
            Closing::Said => None,
            Closing::Broken => return,
        };
        let permit = self.permit.take();
        // Belongs to nobody, but ends by its deadline, and there is at most one per admitted socket.
        runtime.spawn(async move {
            let _permit = permit;
            let goodbye = async {
                if let Some(message) = last_words {
                    let _ = socket.send(message).await;
                }
                // Until the peer has answered: closing a socket with unread bytes resets it, and the reset can
                // overtake the close frame.
                while let Some(Ok(_)) = socket.next().await {}
            };
            let _ = time::timeout(FAREWELL_TIMEOUT, goodbye).await;
        });
    }
}

fn broken(error: axum::Error) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error.into_inner())
}
