//! WebSocket byte streams (RFC 6455): binary messages, whose boundaries mean nothing.
//!
//! One `WebSocketTransport` per platform dials. Servers accept over HTTP elsewhere and hand upgraded sockets to an
//! [`IncomingTransport`]. No authentication here, see [`authenticate`](super::authenticate).

mod address;
mod error;

#[cfg(wasm_browser)]
mod browser;
#[cfg(not(wasm_browser))]
mod bytes;
#[cfg(not(wasm_browser))]
mod incoming;
#[cfg(not(wasm_browser))]
mod native;

pub use address::{AddressError, WsAddress, url_of};
pub use error::{DialError, WebSocketError};

#[cfg(wasm_browser)]
pub use browser::{Opening, WebSocketStream, WebSocketTransport};
#[cfg(not(wasm_browser))]
pub use bytes::{MessageStream, Received, WebSocketMessage};
#[cfg(not(wasm_browser))]
pub use incoming::{
    ByteStream, IncomingSender, IncomingSlot, IncomingSocket, IncomingStream, IncomingTransport, NotTaken, SocketGone,
    channel,
};
#[cfg(not(wasm_browser))]
pub use native::{WebSocketStream, WebSocketTransport, config};
