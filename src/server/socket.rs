//! An upgraded WebSocket as the server keeps it: counted while it lives, told why when it ends (RFC 6455, 7.4.1). How
//! its messages become a byte stream is `transport::websocket`'s business.

use std::{
    error::Error as _,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::{runtime::Handle, time};
use tokio_tungstenite::tungstenite;

use super::{accept::Edge, admission::Permit, limits::FAREWELL_TIMEOUT, metrics::Reject};
use crate::transport::websocket::{Received, WebSocketMessage};

const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;

impl WebSocketMessage for Message {
    fn binary(payload: Bytes) -> Self {
        Self::Binary(payload)
    }

    fn close(code: u16, reason: &'static str) -> Self {
        Self::Close(Some(CloseFrame { code, reason: reason.into() }))
    }

    fn into_received(self) -> Received {
        match self {
            Self::Binary(payload) => Received::Binary(payload),
            Self::Text(_) => Received::Text,
            Self::Close(frame) => Received::Close(frame.map(|frame| (frame.code, frame.reason.to_string()))),
            Self::Ping(_) | Self::Pong(_) => Received::Control,
        }
    }
}

/// Whether the peer can be, or has been, told that the socket closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Due,
    Said,
    /// The connection is broken.
    Pointless,
}

/// The socket. Dropping it says goodbye in the background.
#[derive(Debug)]
pub(super) struct Socket {
    /// `None` only once dropped.
    inner: Option<WebSocket>,
    farewell: Farewell,
    edge: Arc<Edge>,
    permit: Option<Permit>,
}

impl Socket {
    /// `permit` is that of the client behind a proxy, held as long as the socket.
    pub(super) fn new(inner: WebSocket, edge: Arc<Edge>, permit: Option<Permit>) -> Self {
        edge.metrics.sockets.fetch_add(1, Relaxed);
        Self { inner: Some(inner), farewell: Farewell::Due, edge, permit }
    }

    fn inner(&mut self) -> Result<&mut WebSocket, axum::Error> {
        self.inner.as_mut().ok_or_else(|| axum::Error::new(tungstenite::Error::AlreadyClosed))
    }

    fn goodbye(&self) -> Message {
        if self.edge.is_stopping() {
            Message::close(GOING_AWAY, "the server is stopping")
        } else {
            Message::close(NORMAL, "")
        }
    }

    fn note_failure(&mut self, error: &axum::Error) {
        let inner = error.source().and_then(|source| source.downcast_ref());
        if matches!(inner, Some(tungstenite::Error::Capacity(_))) {
            self.edge.metrics.reject(Reject::FrameTooLarge);
        } else {
            self.farewell = Farewell::Pointless;
        }
    }
}

impl Stream for Socket {
    type Item = Result<Message, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = ready!(self.inner()?.poll_next_unpin(cx));
        match &received {
            Some(Ok(Message::Text(_))) => self.edge.metrics.reject(Reject::TextFrame),
            // The library answers with a close frame of its own.
            Some(Ok(Message::Close(_))) => self.farewell = Farewell::Said,
            Some(Err(error)) => self.note_failure(error),
            _ => {}
        }
        Poll::Ready(received)
    }
}

impl Sink<Message> for Socket {
    type Error = axum::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        self.inner()?.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), axum::Error> {
        if matches!(message, Message::Close(_)) {
            self.farewell = Farewell::Said;
        }
        self.inner()?.start_send_unpin(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        self.inner()?.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        if self.farewell == Farewell::Due {
            ready!(self.as_mut().poll_ready(cx))?;
            let goodbye = self.goodbye();
            self.as_mut().start_send(goodbye)?;
        }
        self.poll_flush(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.edge.metrics.sockets.fetch_sub(1, Relaxed);
        let (Some(mut socket), Ok(runtime)) = (self.inner.take(), Handle::try_current()) else { return };
        let goodbye = match self.farewell {
            Farewell::Due => Some(self.goodbye()),
            Farewell::Said => None,
            Farewell::Pointless => return,
        };
        let permit = self.permit.take();
        // Belongs to nobody, but ends by its deadline, and there is at most one per admitted socket.
        runtime.spawn(async move {
            let _permit = permit;
            let say = async {
                if let Some(goodbye) = goodbye {
                    let _ = socket.send(goodbye).await;
                }
                let _ = socket.flush().await;
                // Until the peer has answered: closing a socket with unread bytes resets it, and the reset can
                // overtake the close frame.
                while let Some(Ok(_)) = socket.next().await {}
            };
            let _ = time::timeout(FAREWELL_TIMEOUT, say).await;
        });
    }
}
