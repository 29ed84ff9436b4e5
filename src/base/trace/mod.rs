//! The trace of what happens to operations and sessions. `note!` takes what `tracing::debug!` takes: fields, then a
//! message. Natively it is that. In the browser a subscriber would bring every event of libp2p to life, 24 KB of them
//! (brotli); there `note!` has a listener of its own.

#[cfg(wasm_browser)]
mod browser;

#[cfg(not(wasm_browser))]
macro_rules! note {
    ($($event:tt)+) => {
        tracing::debug!($($event)+)
    };
}

#[cfg(wasm_browser)]
macro_rules! note {
    ($($event:tt)+) => {
        if $crate::base::trace::is_wanted(module_path!()) {
            let mut line = $crate::base::trace::Line::default();
            $crate::base::trace::fields!(line, $($event)+);
            line.show(module_path!());
        }
    };
}

#[cfg(wasm_browser)]
pub(crate) use browser::{Line, fields, is_wanted};
#[cfg(all(wasm_browser, feature = "net"))]
pub(crate) use browser::{Listener, listen};
pub(crate) use note;
