//! Starting tasks: on tokio natively, on the event loop in a browser.

use std::future::Future;

/// Runs `task` to its end. Every task here ends when what it serves is dropped.
#[cfg(not(wasm_browser))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}

/// Runs `task` to its end. Every task here ends when what it serves is dropped.
#[cfg(wasm_browser)]
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}
