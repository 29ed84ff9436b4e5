//! Dials `ws://` with tokio and tungstenite, for native clients. No TLS yet.

use futures::{
    FutureExt,
    future::{BoxFuture, Pending},
};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, connect_async_with_config, tungstenite::protocol::WebSocketConfig};

use super::{
    address::{AddressError, WsAddress},
    bytes::MessageStream,
    error::DialError,
};
use crate::base::limits::{MAX_FRAME_BYTES, WEBSOCKET_READ_BUFFER_BYTES};

/// A dialed WebSocket.
pub type WebSocketStream = MessageStream<tokio_tungstenite::WebSocketStream<MaybeTlsStream<TcpStream>>>;

/// Dials WebSocket multiaddrs; does not listen. Must be polled inside a tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketTransport;

impl WebSocketTransport {
    /// The transport. Nothing happens before a dial.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

/// Message limits and buffers of every native socket, dialed or accepted.
#[must_use]
pub fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
        .read_buffer_size(WEBSOCKET_READ_BUFFER_BYTES)
}

impl Transport for WebSocketTransport {
    type Output = WebSocketStream;
    type Error = DialError;
    type ListenerUpgrade = Pending<Result<Self::Output, Self::Error>>;
    type Dial = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<DialError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<DialError>> {
        let address = match WsAddress::try_from(&address) {
            Ok(address) => address,
            Err(AddressError::NotWebSocket { address }) => return Err(TransportError::MultiaddrNotSupported(address)),
            Err(error) => return Err(TransportError::Other(error.into())),
        };
        let url = address.url();
        if address.is_secure() {
            return Err(TransportError::Other(DialError::TlsUnsupported { url }));
        }
        Ok(async move {
            // Nagle off: a typed character must not wait for the acknowledgement of the one before.
            match connect_async_with_config(&url, Some(config()), true).await {
                Ok((socket, _)) => Ok(MessageStream::new(socket)),
                Err(error) => Err(DialError::Unreachable { url, reason: error.to_string() }),
            }
        }
        .boxed())
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Poll::Pending
    }
}
