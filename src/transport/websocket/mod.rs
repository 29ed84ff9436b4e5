//! WebSocket byte streams (in progress).
