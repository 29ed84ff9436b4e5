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

/// Runs what takes long on a thread of its own. `None` if it panicked.
#[cfg(not(wasm_browser))]
pub(crate) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Runs what takes long when the event loop has nothing else to do; there is one thread only.
#[cfg(wasm_browser)]
pub(crate) async fn compute<T>(work: impl FnOnce() -> T) -> Option<T> {
    futures_timer::Delay::new(std::time::Duration::from_millis(0)).await;
    Some(work())
}
