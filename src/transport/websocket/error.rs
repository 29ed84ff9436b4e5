//! Why a WebSocket could not be opened, and why an open one ended.

use std::io;

use thiserror::Error;

use super::address::AddressError;

/// Why a dial failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialError {
    /// The address names a WebSocket but not a valid one.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The browser would not even try: mixed content, a content security policy, a forbidden port.
    #[error("the browser refused to open {url}: {reason}")]
    Refused {
        /// What was dialed.
        url: String,
        /// The browser's words.
        reason: String,
    },
    /// Nothing answered, or something that speaks no WebSocket. A browser does not say which.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// What was dialed.
        url: String,
        /// The platform's words.
        reason: String,
    },
    /// Another tab keeps the connection for all, and has none at the moment.
    #[error("the tab that keeps the connection for all tabs is not connected")]
    NoUplink,
    /// `wss://` from the native client, which has no TLS.
    #[error("cannot dial {url}: this client has no TLS, use ws:// or a TLS proxy")]
    TlsUnsupported {
        /// What was dialed.
        url: String,
    },
}

/// Why an open WebSocket ended. The source of the `io::Error` that readers and writers get.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketError {
    /// A close other than a normal one.
    #[error("the WebSocket was closed with code {code}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Closed {
        /// RFC 6455 section 7.4; 1006 when the connection just ended.
        code: u16,
        /// At most 123 bytes, the peer's words, perhaps empty.
        reason: String,
    },
    /// The peer sent a text message.
    #[error("a text message where only binary libp2p is spoken")]
    TextMessage,
    /// The peer sent a message over the limit.
    #[error("a WebSocket message larger than the limit")]
    MessageTooLarge,
    /// The peer sent faster than anybody read.
    #[error("more than {max} bytes received that nobody has read")]
    ReceiveBufferFull {
        /// The limit.
        max: usize,
    },
    /// The platform would not take a message.
    #[error("the WebSocket refused a message: {reason}")]
    Send {
        /// The platform's words.
        reason: String,
    },
}

impl WebSocketError {
    /// The connection ended without a closing handshake.
    pub(super) fn abnormal() -> Self {
        Self::Closed { code: 1006, reason: String::new() }
    }

    /// What a close means to a reader: `None` (end of stream) for a normal one, which codes 1000 and 1005 are.
    pub(super) fn of_close(code: u16, reason: String) -> Option<Self> {
        match code {
            1000 | 1005 => None,
            _ => Some(Self::Closed { code, reason }),
        }
    }
}

impl From<WebSocketError> for io::Error {
    fn from(error: WebSocketError) -> Self {
        let kind = match &error {
            WebSocketError::Closed { code: 1006, .. } => io::ErrorKind::ConnectionReset,
            WebSocketError::Closed { .. } => io::ErrorKind::ConnectionAborted,
            WebSocketError::TextMessage | WebSocketError::MessageTooLarge => io::ErrorKind::InvalidData,
            WebSocketError::ReceiveBufferFull { .. } => io::ErrorKind::OutOfMemory,
            WebSocketError::Send { .. } => io::ErrorKind::BrokenPipe,
        };
        Self::new(kind, error)
    }
}
