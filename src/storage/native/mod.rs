//! redb, the embedded default of the server (in progress).
