//! Why a local edit cannot be made.

use thiserror::Error;

use crate::base::limits::MAX_NAME_BYTES;

/// Why a local edit cannot be made. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EditError {
    /// A document's name is empty or too long.
    #[error("a document's name must have 1 to {MAX_NAME_BYTES} bytes of UTF-8")]
    BadName,
    /// The name is in use for something else.
    #[error("this name is in use for a {actual}")]
    TypeMismatch {
        /// For what: text, map, list.
        actual: &'static str,
    },
    /// A key that a map, an object or a mark cannot have.
    #[error(
        "a key in {field} must have 1 to {MAX_NAME_BYTES} bytes of UTF-8 without NUL, and mean nothing to JavaScript"
    )]
    BadKey {
        /// The argument.
        field: &'static str,
    },
    /// A number that JSON does not have.
    #[error("{field} holds a number that is not finite")]
    NotFinite {
        /// The argument.
        field: &'static str,
    },
    /// A position or range outside the text or list.
    #[error("{field} {value} is outside the length of {len}")]
    OutOfRange {
        /// The argument.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The length: UTF-16 units of a text, items of a list.
        len: u32,
    },
    /// A range cannot be moved into itself.
    #[error("{field} {value} lies inside the range to move")]
    InsideRange {
        /// The argument.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A position between the two halves of a surrogate pair.
    #[error("{field} {value} lies inside a surrogate pair")]
    SplitsCharacter {
        /// The argument.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// Attributes, text or values over the limit.
    #[error("{what} is over its limit of {max}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The room's log is full.
    #[error("the room is full")]
    RoomFull,
    /// Records cannot be edited so.
    #[error(transparent)]
    Record(#[from] crate::sync::RecordError),
    /// This replica only keeps operations and has no documents.
    #[error("this node does not edit")]
    NotAnEditor,
    /// Presence that is no encoded JSON object.
    #[error("presence must be an object")]
    BadPresence,
}
