//! The server binary's parts (in progress).
