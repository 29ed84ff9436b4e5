//! JavaScript bindings: convert and forward, nothing else (in progress).
