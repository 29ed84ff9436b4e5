//! A store that forgets with its process: for tests, and for pages whose user wants no trace.

/// Rooms in ordered maps.
#[derive(Debug, Default)]
pub struct MemoryStore;
