//! A byte stream over a WebSocket that comes as a stream and sink of messages (tungstenite's, axum's).
//!
//! Binary messages carry the bytes. A text message or one over the library's limit ends the connection with a close
//! frame that says why. Pings are the library's to answer.

use std::{
    error::Error,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite, Sink, Stream};
use tokio_tungstenite::tungstenite::{
    self, Bytes, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::error::WebSocketError;
use crate::base::limits::WEBSOCKET_MESSAGE_BYTES;

/// A library's WebSocket message, as far as a byte stream cares.
pub trait WebSocketMessage: Sized {
    /// A binary message.
    fn binary(payload: Bytes) -> Self;
    /// A close message. `reason` is at most 123 bytes.
    fn close(code: u16, reason: &'static str) -> Self;
    /// What a received message is.
    fn into_received(self) -> Received;
}

/// A received message, as far as a byte stream cares.
#[derive(Debug)]
pub enum Received {
    /// Bytes of the stream.
    Binary(Bytes),
    /// Text, whatever it says.
    Text,
    /// A ping, a pong, anything to be ignored.
    Control,
    /// The peer closes, with code and reason if it gives them.
    Close(Option<(u16, String)>),
}

impl WebSocketMessage for Message {
    fn binary(payload: Bytes) -> Self {
        Self::Binary(payload)
    }

    fn close(code: u16, reason: &'static str) -> Self {
        Self::Close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }))
    }

    fn into_received(self) -> Received {
        match self {
            Self::Binary(payload) => Received::Binary(payload),
            Self::Text(_) => Received::Text,
            Self::Close(frame) => Received::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string()))),
            Self::Ping(_) | Self::Pong(_) | Self::Frame(_) => Received::Control,
        }
    }
}

/// The byte stream. Dropping it drops the socket; [`AsyncWrite::poll_close`] says goodbye first.
#[derive(Debug)]
pub struct MessageStream<S> {
    socket: S,
    /// What is left of the last binary message.
    unread: Bytes,
    /// `Some` once nothing more will come: `Ok` for a normal close.
    end: Option<Result<(), WebSocketError>>,
}

impl<S, M, E> MessageStream<S>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: WebSocketMessage,
    E: Error + Send + Sync + 'static,
{
    /// The byte stream over `socket`, whose handshake is done. The socket's own message limit must be set
    /// (`MAX_FRAME_BYTES`): a larger message has been allocated before this sees it.
    pub fn new(socket: S) -> Self {
        Self { socket, unread: Bytes::new(), end: None }
    }

    /// Ends the stream with `error`, telling the peer if that can be done at once. A peer that does not read gets
    /// no explanation, rather than a connection that stays until it does.
    fn refuse(&mut self, cx: &mut Context<'_>, code: u16, reason: &'static str, error: WebSocketError) {
        let mut socket = Pin::new(&mut self.socket);
        if let Poll::Ready(Ok(())) = socket.as_mut().poll_ready(cx)
            && socket.as_mut().start_send(M::close(code, reason)).is_ok()
        {
            let _ = socket.poll_flush(cx);
        }
        self.end = Some(Err(error));
    }

    /// Takes the next message off the socket.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let message = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
            Some(Ok(message)) => message,
            Some(Err(error)) if is_too_large(&error) => {
                self.refuse(cx, 1009, "message too large", WebSocketError::MessageTooLarge);
                return Poll::Ready(Ok(()));
            }
            Some(Err(error)) => {
                self.end = Some(Err(WebSocketError::abnormal()));
                return Poll::Ready(Err(to_io(error)));
            }
            None => {
                self.end = Some(Ok(()));
                return Poll::Ready(Ok(()));
            }
        };
        match message.into_received() {
            Received::Binary(payload) => self.unread = payload,
            Received::Text => {
                self.refuse(cx, 1003, "only binary libp2p is spoken here", WebSocketError::TextMessage);
            }
            Received::Close(frame) => {
                let (code, reason) = frame.unwrap_or((1005, String::new()));
                self.end = Some(WebSocketError::of_close(code, reason).map_or(Ok(()), Err));
                // The library has queued its half of the closing handshake. Nobody may poll this socket again.
                let _ = Pin::new(&mut self.socket).poll_flush(cx);
            }
            Received::Control => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, M, E> AsyncRead for MessageStream<S>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: WebSocketMessage,
    E: Error + Send + Sync + 'static,
{
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if !self.unread.is_empty() || buf.is_empty() {
                let len = self.unread.len().min(buf.len());
                buf[..len].copy_from_slice(&self.unread.split_to(len));
                return Poll::Ready(Ok(len));
            }
            match &self.end {
                Some(Ok(())) => return Poll::Ready(Ok(0)),
                Some(Err(error)) => return Poll::Ready(Err(error.clone().into())),
                None => ready!(self.poll_message(cx))?,
            }
        }
    }
}

impl<S, M, E> AsyncWrite for MessageStream<S>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: WebSocketMessage,
    E: Error + Send + Sync + 'static,
{
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(Err(error)) = &self.end {
            return Poll::Ready(Err(error.clone().into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(to_io)?;
        let len = buf.len().min(WEBSOCKET_MESSAGE_BYTES);
        Pin::new(&mut self.socket).start_send(M::binary(Bytes::copy_from_slice(&buf[..len]))).map_err(to_io)?;
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(to_io)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_close(cx).map_err(to_io)
    }
}

/// Whether tungstenite is at the bottom of `error` and refused a message for its size. axum wraps its errors.
fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(tungstenite::Error::Capacity(_)) = error.downcast_ref() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The socket's own I/O error where there is one, so that its kind is kept.
fn to_io<E: Error + Send + Sync + 'static>(error: E) -> io::Error {
    let boxed: Box<dyn Error + Send + Sync> = Box::new(error);
    match boxed.downcast() {
        Ok(error) => match *error {
            tungstenite::Error::Io(error) => error,
            other => io::Error::other(other),
        },
        Err(boxed) => io::Error::other(boxed),
    }
}
