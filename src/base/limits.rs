//! Every bound in the system, in one table, each with its reason and what happens when it is reached (SPEC §10).
//! Change a number here and nowhere else.

// ---- frames and operations ----

/// Largest session frame, bytes. Also the WebSocket message limit. Larger: the link is dropped at the header
/// (`frame_too_large`), before anything is allocated.
pub const MAX_FRAME_BYTES: usize = 1 << 20;
/// Largest operation payload, bytes: keeps one operation well inside a frame and a verification well under a
/// millisecond. Local edits are split to fit; a peer's larger one is refused (`bad_payload`).
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;

// ---- connections ----

/// Receive window of one yamux connection, bytes. yamux's own default is 1 GiB; 256 KiB per stream is its minimum.
pub const YAMUX_WINDOW_BYTES: usize = 16 << 20;
/// Streams per yamux connection. More: yamux refuses the stream.
pub const YAMUX_MAX_STREAMS: usize = 64;
/// From the first byte of an upgrade to an authenticated, multiplexed connection. Later: closed.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// Bytes a WebSocket may hold unsent (`bufferedAmount`) before writes wait.
pub const WEBSOCKET_SEND_BUFFER_BYTES: usize = 256 << 10;
/// Received WebSocket messages that nobody has read yet, bytes. The browser cannot be told to pause, so more than
/// this (yamux's window plus slack) ends the connection.
pub const WEBSOCKET_RECEIVE_BUFFER_BYTES: usize = YAMUX_WINDOW_BYTES + (1 << 20);
/// Upgraded sockets waiting for the swarm. Full: the socket is closed with 1013.
pub const INCOMING_QUEUE: usize = 64;
/// Largest WebSocket message this side sends, bytes: more is split. Well under every server's message limit.
pub const WEBSOCKET_MESSAGE_BYTES: usize = 256 << 10;
/// Charged to [`WEBSOCKET_RECEIVE_BUFFER_BYTES`] for each waiting message beside its payload, so that a flood of
/// one-byte messages is bounded too.
pub const WEBSOCKET_MESSAGE_OVERHEAD_BYTES: usize = 128;
/// While a write waits for a browser's send buffer, how often the buffer is looked at. No timer runs otherwise.
pub const WEBSOCKET_DRAIN_POLL_MS: u64 = 10;
/// Read buffer that a native WebSocket allocates at once, bytes. tungstenite's own default is 128 KiB per socket.
pub const WEBSOCKET_READ_BUFFER_BYTES: usize = 16 << 10;
/// Longest WebSocket URL or multiaddr that is looked at, bytes. Longer: refused before it is parsed.
pub const WEBSOCKET_ADDRESS_BYTES: usize = 2_048;

// ---- storage ----

/// Commits the server's store holds beyond the life of their futures. Full: a further commit waits in its future, in
/// order, and dropping that future withdraws it.
pub const STORE_QUEUE: usize = 1024;
/// Commits that share one flush to disk: enough that a slow disk keeps up with every session, few enough that one
/// flush stays short. More wait for the next flush.
pub const STORE_GROUP_MAX: usize = 1024;
/// Bytes of the commits that share one flush; a single larger commit goes alone. Bounds what a failed flush undoes.
pub const STORE_GROUP_BYTES: usize = 8 << 20;
/// Pages of the server's store held in memory, bytes (redb's own default is 1 GiB). Full: the least used go.
pub const STORE_CACHE_BYTES: usize = 64 << 20;
