//! Bounds of the server's own edge: HTTP and sockets before libp2p. Those of the protocol are in `base::limits`.

use std::time::Duration;

/// TCP connections in total, whatever they speak. More: answered 503 and closed at accept.
pub(super) const DEFAULT_MAX_CONNECTIONS: usize = 5_000;
/// TCP connections of one client address (IPv6: one /64), loopback excepted. More: answered 429 and closed.
pub(super) const DEFAULT_MAX_CONNECTIONS_PER_IP: usize = 64;
/// From accept, or from the last answer, to a whole request head. Later: closed.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest request head, bytes. Larger: 431.
pub(super) const MAX_HEAD_BYTES: usize = 32 << 10;
/// Request headers. More: 431.
pub(super) const MAX_HEADERS: usize = 64;
/// Largest request body, bytes; no route reads one. Larger: 413.
pub(super) const MAX_BODY_BYTES: usize = 16 << 10;
/// Sockets that were refused at accept and are still being told so. More: closed without a word.
pub(super) const MAX_TURNED_AWAY: usize = 64;
/// How long a refused or closing socket may take to read its last message.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
/// Read and write buffer of one WebSocket, bytes: what an idle connection costs.
pub(super) const SOCKET_BUFFER_BYTES: usize = 16 << 10;
/// Most bytes one WebSocket may hold unsent. More: the connection fails; writes wait long before that.
pub(super) const SOCKET_UNSENT_BYTES: usize = 512 << 10;
/// Wait after the system refused to accept (out of file descriptors, usually), so that the loop does not spin.
pub(super) const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// How long `/readyz` believes its last look at the store.
pub(super) const READINESS_LIFETIME: Duration = Duration::from_secs(1);
/// A store that takes longer than this to write one value is not ready.
pub(super) const READINESS_TIMEOUT: Duration = Duration::from_secs(2);
/// For HTTP requests under way when the server stops.
pub(super) const HTTP_DRAIN: Duration = Duration::from_secs(2);
/// For the node to make what it accepted durable and close its connections when the server stops.
pub(super) const NODE_DRAIN: Duration = Duration::from_secs(4);
/// For the store to flush when the server stops.
pub(super) const STORE_DRAIN: Duration = Duration::from_secs(2);
/// Addresses that `--announce` may name.
pub(super) const MAX_ANNOUNCED: usize = 32;
