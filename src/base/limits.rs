//! Every bound in the system, in one table, each with its reason and what happens when it is reached (SPEC §10).
//! Change a number here and nowhere else.

// ---- frames and operations ----

/// Largest session frame, bytes. Also the WebSocket message limit. Larger: the link is dropped at the header
/// (`frame_too_large`), before anything is allocated.
pub const MAX_FRAME_BYTES: usize = 1 << 20;
/// Largest operation payload, bytes: keeps one operation well inside a frame and a verification well under a
/// millisecond. Local edits are split to fit; a peer's larger one does not decode (`undecodable`).
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;

// ---- connections ----

/// Receive window of one yamux connection, bytes. yamux's own default is 1 GiB; 256 KiB per stream is its minimum.
pub const YAMUX_WINDOW_BYTES: usize = 16 << 20;
/// Streams per yamux connection. A peer that opens more loses the connection; own ones wait.
pub const YAMUX_MAX_STREAMS: usize = 64;
/// From the first byte of an upgrade to an authenticated, multiplexed connection. Later: closed.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// A closing connection waits this long for the peer's goodbye. Later: dropped, so that its streams end.
pub const GOODBYE_TIMEOUT_MS: u64 = 1_000;
/// Bytes a WebSocket may hold unsent (`bufferedAmount`) before writes wait.
pub const WEBSOCKET_SEND_BUFFER_BYTES: usize = 256 << 10;
/// Received WebSocket messages that nobody has read yet, bytes. The browser cannot be told to pause, so more than
/// this (yamux's window plus slack) ends the connection.
pub const WEBSOCKET_RECEIVE_BUFFER_BYTES: usize = YAMUX_WINDOW_BYTES + (1 << 20);
/// Upgraded sockets waiting for the swarm. Full: the upgrade is answered with 503.
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

// ---- tabs ----

/// Tabs of one origin that know each other, per room and per server. More: a newcomer is not noticed, and does without.
pub const MAX_TABS: usize = 32;
/// What a tab says of itself, bytes: a node id. Longer: not heard.
pub const MAX_TAB_INFO_BYTES: usize = MAX_NODE_ID_BYTES;
/// Pipes that other tabs offered and nobody has looked at. More: not noticed, and given up by whoever offered.
pub const MAX_TAB_OFFERS: usize = 64;
/// Tabs that keep sessions with all others; with more tabs than this, the rest meet through these. Three, so that one
/// that is frozen and one that is closing separate nobody, and so that an edit makes few copies.
pub const TAB_CORE: usize = 3;
/// Bytes on the way to another tab that it has not read, on one pipe. Full: the writer waits. Received beyond it: the
/// pipe ends.
pub const TAB_WINDOW_BYTES: usize = 256 << 10;
/// Largest message between tabs, bytes: more is split, so that no page is busy with one for long.
pub const TAB_MESSAGE_BYTES: usize = 64 << 10;
/// Charged to [`TAB_WINDOW_BYTES`] for each message beside its bytes, so that a flood of small ones is bounded too.
pub const TAB_MESSAGE_OVERHEAD_BYTES: usize = 64;
/// How long another tab may take to answer: a frozen one never does. Later: done without it.
pub const TAB_ANSWER_MS: u64 = 2_000;
/// A refused tunnel is asked for again after this long, by when the tab has said why.
pub const TAB_REOPEN_MS: u64 = 50;
/// A session with a tab that ended, or never began, is tried again after this long.
pub const TAB_RETRY_MS: u64 = 10_000;
/// Tunnels that come to nothing in a row. Then the next connection is a WebSocket of the tab's own.
pub const TUNNEL_FAILURES: u32 = 2;
/// Dials in a row that wait in vain for the tab that keeps the connection to have one. The last of them is a WebSocket of
/// the tab's own instead: few enough that a server that was down finds most tabs waiting for one.
pub const UPLINK_PATIENCE: u32 = 4;
/// A session that the server ends sooner, and not the connection, was refused: its tab carries nobody.
pub const UPLINK_FIT_MS: u64 = 10_000;
/// For so long the end of a connection may be heard later than that of the session in it.
pub const UPLINK_END_MS: u64 = 100;
/// A tab is woken to dial at most this often because others wait for it: each time ends its back-off.
pub const UPLINK_WAKE_MS: u64 = 2_000;
/// Tunnels that one node carries or has carried for it: fewer than the streams of a connection, which its own sessions
/// share. More: refused, and the tab dials for itself.
pub const MAX_TUNNELS: usize = 16;
/// What a tunnel reads at once, bytes, each way.
pub const TUNNEL_BUFFER_BYTES: usize = 16 << 10;

// ---- storage ----

/// Commits a durable store holds beyond the life of their futures. Full: a further commit waits in its future, in
/// order, and dropping that future withdraws it.
pub const STORE_QUEUE: usize = 1024;
/// Commits that share one flush to disk: enough that a slow disk keeps up with every session, few enough that one
/// flush stays short. More wait for the next flush.
pub const STORE_GROUP_MAX: usize = 1024;
/// Bytes of the commits that share one flush; a single larger commit goes alone. Bounds what a failed flush undoes.
pub const STORE_GROUP_BYTES: usize = 8 << 20;
/// Pages of the server's store held in memory, bytes (redb's own default is 1 GiB). Full: the least used go.
pub const STORE_CACHE_BYTES: usize = 64 << 20;
/// Entries that one request to a browser's database reads: few enough that the longest operations take 16 MiB, many
/// enough that the way there and back does not count.
pub const STORE_PAGE_ENTRIES: u64 = 256;
/// Reads of a browser's database that share a transaction: rooms have thousands of short lists, but each read may be
/// of a page of the longest operations. More wait for the next transaction.
pub const STORE_READS_AT_ONCE: usize = 16;
/// While a browser's database is opened: from one word of the browser to the next. Longer, as when another page holds
/// on to an older version: an error (`Io`).
pub const STORE_OPEN_TIMEOUT_MS: u64 = 5_000;
/// Attempts to open a browser's database that fails for no reason that would last. More: the error is told.
pub const STORE_OPEN_ATTEMPTS: usize = 3;
/// A browser's database answers a request or a commit within this time, however slow the disk. Later: an error (`Io`),
/// and the connection is opened anew.
pub const STORE_ANSWER_TIMEOUT_MS: u64 = 30_000;
/// Records of one batch given to the store. More: the next batch.
pub const PERSIST_BATCH_RECORDS: usize = 512;
/// After a failed commit, the store is tried again after this long, twice as long each time.
pub const PERSIST_RETRY_MS: u64 = 1_000;
/// See [`PERSIST_RETRY_MS`].
pub const PERSIST_RETRY_MAX_MS: u64 = 5_000;
/// Smallest file of the server's store that is cut to what it holds, bytes. Smaller: not worth the writing.
pub const STORE_COMPACT_MIN_BYTES: u64 = 4 << 20;
/// Largest file that is cut while the store runs, bytes: what is in use, at most half of it, is moved within a second,
/// and commits wait that long. Larger ones, up to [`STORE_VERIFY_BYTES`], are cut when they open; beyond, the free
/// space is only used again.
pub const STORE_COMPACT_MAX_BYTES: u64 = 128 << 20;
/// Largest file of the server's store whose every page is verified when it opens, bytes: a second or two of reading.
/// Larger: opened at once, and damage is only found where it is met.
pub const STORE_VERIFY_BYTES: u64 = 1 << 30;

/// Writers of one room that a device remembers, so that it can continue one and knows what the backend has of each.
/// More: those of which the backend has everything are forgotten first, then the oldest. Their operations stay.
pub const MAX_REMEMBERED_WRITERS: usize = 64;
/// Addresses of peers that a device remembers. More: the one that was not reached for longest is forgotten.
pub const MAX_KNOWN_PEERS: usize = 64;
/// What the backend acknowledged is written down at most this often: after a crash it says so again.
pub const REMEMBER_INTERVAL_MS: u64 = 1_000;
/// A tab that opens for the first time waits this long for another one that is making the device's identity.
pub const IDENTITY_WAIT_MS: u64 = 1_000;
/// How often it looks.
pub const LOCK_POLL_MS: u64 = 20;

// ---- rooms and logs ----

/// Writers of one room. Each page that edits is one until snapshots fold old ones away. Full: a new writer's
/// operations are refused (`room_full`); known writers go on.
pub const MAX_WRITERS: usize = 8_192;
/// Deps of one operation: a writer's first operation names every other writer.
pub const MAX_DEPS: usize = MAX_WRITERS;
/// Operations kept of one room, bytes. Full: refused (`room_full`), nothing is dropped.
pub const MAX_ROOM_BYTES: usize = 256 << 20;
/// Operations that wait for others they depend on, per room. Full: the newest is refused (`waiting_full`) and asked
/// for again later.
pub const MAX_WAITING: usize = 4_096;
/// Bytes of operations that wait, per room. Full: refused (`waiting_full`).
pub const MAX_WAITING_BYTES: usize = 16 << 20;
/// Losing operations of equivocating writers kept as proof, per room, and their bytes. Full: refused (`equivocation`).
pub const MAX_PROOFS: usize = 1_024;
/// See [`MAX_PROOFS`].
pub const MAX_PROOF_BYTES: usize = 16 << 20;
/// Positions at which one writer's equivocation is resolved; each costs a rebuild of the room. More: refused.
pub const MAX_EQUIVOCATIONS: usize = 16;
/// How far the Yjs clock of a writer may advance in one operation: keeps a few bytes from standing for gigabytes.
pub const MAX_CLOCK_ADVANCE: u32 = 1 << 20;
/// Greatest Yjs clock: yrs counts in 32 bits.
pub const MAX_YJS_CLOCK: u64 = 1 << 31;
/// Structs, or delete ranges, of one Yjs update: bounds the work that one payload can ask for.
pub const MAX_UPDATE_ELEMENTS: usize = 32 << 10;
/// Length of a document's name, bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// UTF-16 units inserted, deleted or formatted by one operation. Longer edits become several.
pub const EDIT_CHUNK_UNITS: usize = 8 << 10;
/// UTF-16 units of text that a page may hand over in one edit. More: refused before they are copied, since a module
/// that runs out of memory is lost with everything in it.
pub const MAX_EDIT_TEXT_UNITS: usize = 16 << 20;
/// Local edits that follow an operation at once wait this long, to travel together.
pub const COALESCE_MS: u64 = 10;
/// Waiting local edits over this many bytes are sent at once.
pub const COALESCE_BYTES: usize = 16 << 10;
/// A backend voids an operation whose kind is merged by clock when its stamp is this far ahead. Text never is.
pub const MAX_CLOCK_AHEAD_MS: u64 = 5 * 60 * 1_000;
/// Marks of one edit, bytes, roughly. More: the edit is refused.
pub const MAX_ATTRIBUTE_BYTES: usize = 4 << 10;

/// How deep arrays and objects nest in a record's field or in presence. Deeper: refused, or the operation is void.
pub const MAX_VALUE_DEPTH: usize = 16;

/// One value of a map or list, as bytes of an update: a payload less what names and ids take. Larger: refused.
pub const MAX_VALUE_BYTES: usize = MAX_PAYLOAD_BYTES - 1_024;
/// How deep shared types of other Yjs applications nest. yrs walks them by recursion. Deeper: the operation is void.
pub const MAX_TYPE_DEPTH: usize = 64;
/// Bytes of a record's position. Longer: the operation is void. Own ones are written anew long before.
pub const MAX_POSITION_BYTES: usize = 128;
/// A new position longer than this is written anew together with its neighbours'.
pub const REBALANCE_POSITION_BYTES: usize = 32;
/// Bytes of a records patch: a payload, less what a reissue puts before it. One edit over it is refused (`TOO_LARGE`).
pub const MAX_PATCH_BYTES: usize = MAX_PAYLOAD_BYTES - 16;
/// Edits by one user that follow each other within this time are undone together.
pub const UNDO_GROUP_MS: u64 = 500;
/// Undo groups kept, and as many redo groups. More: the oldest is forgotten.
pub const MAX_UNDO_GROUPS: usize = 200;
/// Runs of text that undo inserted anew whose old ids are remembered. More: all are forgotten, and what was inserted
/// before and has been deleted and restored since can no longer be undone.
pub const MAX_UNDO_REDIRECTS: usize = 8_192;
/// Writes of undo and redo of which it is known which write they stand for. More: the oldest is forgotten, and steps
/// before it may find nothing of their own to take back.
pub const MAX_STANDINGS: usize = 16_384;
/// Bytes of records kept for undo, roughly; and for redo. More: the oldest groups are forgotten.
pub const MAX_UNDO_BYTES: usize = 4 << 20;
/// Bytes of the newest undo step, which is kept even if it is larger than [`MAX_UNDO_BYTES`]: a whole board that was
/// cleared should come back. More: the step is forgotten whole.
pub const MAX_UNDO_STEP_BYTES: usize = 32 << 20;

// ---- snapshots ----

/// Largest snapshot, bytes: what a client takes in one piece. A room that would need a larger one keeps its log.
pub const MAX_SNAPSHOT_BYTES: usize = 64 << 20;
/// Bytes of its tables: every writer of a full room with some hundred runs each.
pub const MAX_SNAPSHOT_TABLE_BYTES: usize = 16 << 20;
/// Structs, values and delete ranges of a snapshot's document: a few bytes can stand for any number of them, and each
/// takes some hundred bytes of memory. More: not read (`bad_snapshot`).
pub const MAX_SNAPSHOT_ELEMENTS: usize = 1 << 20;
/// Operations without effect, not issued again, that a snapshot remembers. More: the last ones by name are forgotten.
pub const MAX_FOLDED_VOIDS: usize = 4_096;
/// Operations that are folded together at least: a snapshot costs as much as reading the room.
pub const FOLD_OPS: usize = 512;
/// The same in bytes, and in proportion to the snapshot before it (half of it), so that folding costs no more than
/// what came since.
pub const FOLD_BYTES: usize = 1 << 20;
/// The newest operations are not folded, so that whoever was away for a moment gets operations, and keeps its undo.
pub const FOLD_KEEP_OPS: usize = 128;
/// A room that leaves memory is folded if it has so many operations: the next to come loads it in one piece.
pub const FOLD_IDLE_OPS: usize = 64;
/// A snapshot that a peer still lacks after it was sent is sent again after this long: it may have been refused.
pub const SNAPSHOT_AGAIN_MS: u64 = 10_000;
/// A snapshot travels in pieces of this many bytes.
pub const SNAPSHOT_PIECE_BYTES: usize = 64 << 10;

// ---- sessions ----

/// Bytes handed to a link and not yet written. Full: the link's cursor waits; nothing is queued, the log has it.
pub const LINK_WINDOW_BYTES: usize = 256 << 10;
/// Operations are packed into frames up to about this many bytes, so that acks are not stuck behind a megabyte.
pub const OPS_FRAME_BYTES: usize = 64 << 10;
/// Entries of one vector frame; longer vectors take several.
pub const VECTOR_FRAME_ENTRIES: usize = 4_096;
/// Vectors of more writers than this are first compared by digests of their buckets.
pub const RANGE_WRITERS: usize = 64;
/// A live link that is this many operations behind no longer keeps them from being folded: it gets a snapshot.
pub const FOLD_LAG_OPS: usize = 4_096;
/// Writers introduced on one direction of a link: as many as a room may have.
pub const MAX_INTRODUCED: usize = MAX_WRITERS;
/// Extensions in a hello, bytes.
pub const MAX_EXTENSION_BYTES: usize = 1_024;
/// A token in a hello, bytes.
pub const MAX_TOKEN_BYTES: usize = 4_096;
/// A node id (libp2p `PeerId`), bytes.
pub const MAX_NODE_ID_BYTES: usize = 64;
/// Members named in one frame.
pub const MAX_MEMBERS_FRAME: usize = 256;
/// Members of a room that are told to others. More: not named.
pub const MAX_MEMBERS: usize = 1_024;
/// Sessions of one room. More: the newcomer is told `TOO_MANY_SESSIONS`.
pub const MAX_LINKS: usize = 4_096;
/// How long a *received* acknowledgement waits, for others to go with it or for the *persisted* one that makes it
/// superfluous. Nobody waits for it: it saves a reader of slow typing a frame a character.
pub const ACK_DELAY_MS: u64 = 300;
/// Members' changes are told together after this long.
pub const MEMBERS_DELAY_MS: u64 = 50;
/// The digest is repeated after this long without traffic, to find what was lost.
pub const DIGEST_INTERVAL_MS: u64 = 15_000;
/// And this often however much comes in: a client folds only what a digest has shown to be stored.
pub const DIGEST_LATEST_MS: u64 = 60_000;
/// A missing operation that was asked for is asked for again after this long.
pub const WANT_RETRY_MS: u64 = 2_000;
/// From a link's opening to the peer's hello.
pub const HELLO_TIMEOUT_MS: u64 = 10_000;
/// Events of peers' doing that the application has not fetched. Full: further ones are lost, and that is told (`Lagged`).
pub const MAX_EVENTS: usize = 16_384;
/// Bytes queued on a link, control frames included, before the peer counts as not reading and is dropped.
pub const LINK_QUEUE_BYTES: usize = 4 * LINK_WINDOW_BYTES;
/// A vector is answered with the own one unless that was sent this recently.
pub const VECTOR_REPLY_MS: u64 = 1_000;
/// Writers whose missing operations are asked for at once on one link. More wait for the digest.
pub const MAX_WANTS: usize = 1_024;
/// Voided operations that an author is told of again when it comes back.
pub const MAX_VOIDS_TOLD: usize = 1_024;
/// Voided records of others that a peer is told of each time, because it may have them from elsewhere. More: not told.
pub const MAX_OTHERS_VOIDS_TOLD: usize = 64;

// ---- presence ----

/// A node's encoded state, bytes: a name, a cursor, a drag, not a document. Larger: an error, or malformed.
pub const MAX_PRESENCE_BYTES: usize = 4 << 10;
/// Entries of one presence frame; more go in the next.
pub const MAX_PRESENCE_FRAME: usize = 256;
/// Presence is told at most this often, so that a cursor looks smooth at 20 Hz. What changes in between is told once.
pub const PRESENCE_INTERVAL_MS: u64 = 50;
/// The same while something urgent, such as a drag, is going on: a display's 60 Hz.
pub const PRESENCE_URGENT_MS: u64 = 16;
/// What one frame of presence costs a neighbour: twice as many as the interval of a drag needs are taken. More: the
/// newest state waits for its turn (`presence_flood`).
pub const PRESENCE_COST_MS: u64 = 8;
/// So much of [`PRESENCE_COST_MS`] may be spent at once: half a second's worth, when a network stalls and recovers.
pub const PRESENCE_BURST_MS: u64 = 480;

// ---- reconnecting ----

/// First and greatest delay of the full-jitter back-off (Brooker, 2015).
pub const BACKOFF_BASE_MS: u64 = 250;
/// See [`BACKOFF_BASE_MS`].
pub const BACKOFF_MAX_MS: u64 = 30_000;
/// A connection that held this long resets the back-off.
pub const BACKOFF_RESET_MS: u64 = 60_000;
/// Heartbeat (libp2p ping). libp2p keeps the first failure to itself, waits another interval and then opens a new
/// stream, which takes it 10 s to give up: a half-open connection is found within two intervals, the timeout and that,
/// 18 s. One that only stalls for less than the sum of the last three, 15 s, survives.
pub const PING_INTERVAL_MS: u64 = 3_000;
/// See [`PING_INTERVAL_MS`].
pub const PING_TIMEOUT_MS: u64 = 2_000;

// ---- the node ----

/// After the network or the tab came back, a session that hears nothing for this long (heartbeats included, which come
/// every three seconds) is given up and dialed again.
pub const WAKE_PROBE_MS: u64 = 5_000;
/// Commands waiting for the swarm. Full: the caller waits.
pub const COMMAND_QUEUE: usize = 64;
/// A connection that no protocol uses is closed after this long.
pub const IDLE_CONNECTION_MS: u64 = 30_000;
/// Rooms in memory at once. More: a session for another room is told `room_unavailable` until idle ones have left.
pub const MAX_OPEN_ROOMS: usize = 16_384;
/// A room that nobody has been in for this long leaves memory; the store has it.
pub const ROOM_IDLE_MS: u64 = 60_000;
/// While shutting down: how often to look whether everything is stored.
pub const DRAIN_POLL_MS: u64 = 5;
/// A closing client waits this long for its last operations to be acknowledged.
pub const CLOSE_FLUSH_MS: u64 = 2_000;
/// Client events that are not about the room (status changes) waiting for their listener. Full: the oldest goes.
pub const MAX_CLIENT_EVENTS: usize = 1_024;
