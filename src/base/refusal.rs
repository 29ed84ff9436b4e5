//! Why something a peer sent was not taken. Each reason is a counter of its own in `/metrics` (SPEC §9).

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A counted reason for refusing bytes from a peer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// Every reason, in wire order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The label of the metric, and the reason in a refusal frame's text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

refusals! {
    /// A frame's declared length is over the limit; the link is dropped at the header.
    FrameTooLarge = "frame_too_large",
    /// A frame that does not decode; the link is dropped.
    Undecodable = "undecodable",
    /// The signature is not the author's over the rebuilt header.
    BadSignature = "bad_signature",
    /// The author does not own the writer, or the session's author binding is wrong.
    WrongAuthor = "wrong_author",
    /// The operation names another room than the session's.
    WrongRoom = "wrong_room",
    /// Already known; harmless, not applied again.
    Replayed = "replayed",
    /// The operation does not follow its writer's log; the missing ones are asked for.
    OutOfOrder = "out_of_order",
    /// A second, different operation at a known position of a writer; kept as proof.
    Equivocation = "equivocation",
    /// A Yjs struct under a client id that is not the writer's.
    ForeignClientId = "foreign_client_id",
    /// A Yjs client id of 2^53 or above.
    ClientIdTooLarge = "client_id_too_large",
    /// A Yjs delete range over structs that the operation's deps do not cover.
    DeleteBeyondDeps = "delete_beyond_deps",
    /// A Yjs origin or parent that the operation's deps do not cover.
    OriginBeyondDeps = "origin_beyond_deps",
    /// Yjs bytes that are malformed, not canonical, or of a kind Yjs 13 cannot read.
    BadUpdate = "bad_update",
    /// Yjs structs that do not continue the writer's own.
    ClockGap = "clock_gap",
    /// The payload does not hash to what the header says.
    BadPayload = "bad_payload",
    /// A stamp outside the constant range.
    ClockOutOfRange = "clock_out_of_range",
    /// A stamp more than five minutes ahead of a backend's clock.
    ClockAhead = "clock_ahead",
    /// A void from a peer that is not the backend.
    UntrustedVoid = "untrusted_void",
    /// The waiting room for operations with unknown deps is full.
    WaitingFull = "waiting_full",
    /// The room's log, writers or another bound is full.
    RoomFull = "room_full",
    /// A first frame that is no hello, a second hello, or a version this node does not speak.
    BadHello = "bad_hello",
    /// More sessions, streams or rooms than one peer may hold.
    TooManySessions = "too_many_sessions",
    /// The peer does not read what it is sent.
    SlowPeer = "slow_peer",
    /// The room cannot be opened here: its store failed, or too many rooms are open.
    RoomUnavailable = "room_unavailable",
    /// A reason that this version does not know.
    Unspecified = "unspecified",
    /// Presence that is no JSON object, or about a node for which the peer may not speak.
    BadPresence = "bad_presence",
    /// Presence more often than any display needs; only the newest state is kept.
    PresenceFlood = "presence_flood",
    /// A records patch that is malformed or not canonical.
    BadRecords = "bad_records",
    /// A snapshot by somebody whose word about it does not count here.
    UntrustedSnapshot = "untrusted_snapshot",
    /// A snapshot that is malformed, over a limit, or contradicts itself or what is known.
    BadSnapshot = "bad_snapshot",
    /// A snapshot that covers less than what was folded here already.
    StaleSnapshot = "stale_snapshot",
}
