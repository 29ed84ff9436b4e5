//! `note!` in the browser: a line of text for whoever listens, made only if somebody does.

use std::{
    fmt::{Debug, Write as _},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Who hears the trace.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Whether the lines of a module, by its path, are wanted.
    pub(crate) wants: fn(&'static str) -> bool,
    /// Takes a line of a module.
    pub(crate) log: fn(&'static str, &str),
}

static ON: AtomicBool = AtomicBool::new(false);
static LISTENER: OnceLock<Listener> = OnceLock::new();

/// From now on the first listener hears what it wants, or nobody hears anything.
#[cfg(feature = "net")]
pub(crate) fn listen(on: bool, listener: Listener) {
    let _ = LISTENER.set(listener);
    ON.store(on, Relaxed);
}

pub(crate) fn is_wanted(module: &'static str) -> bool {
    ON.load(Relaxed) && LISTENER.get().is_some_and(|listener| (listener.wants)(module))
}

/// A line in the making.
#[derive(Debug, Default)]
pub(crate) struct Line(String);

impl Line {
    #[inline(never)]
    pub(crate) fn field(&mut self, name: &'static str, value: &dyn Debug) {
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, " {name}={value:?}");
    }

    #[inline(never)]
    pub(crate) fn message(&mut self, message: &'static str) {
        self.0.insert_str(0, message);
    }

    #[inline(never)]
    pub(crate) fn show(&self, module: &'static str) {
        if let Some(listener) = LISTENER.get() {
            (listener.log)(module, &self.0);
        }
    }
}

/// The fields of `tracing`'s macros, as far as they are used here.
macro_rules! fields {
    ($line:ident, $message:literal) => { $line.message($message) };
    ($line:ident, ? $name:ident, $($rest:tt)+) => {
        $line.field(stringify!($name), &$name);
        $crate::base::trace::fields!($line, $($rest)+);
    };
    ($line:ident, % $name:ident, $($rest:tt)+) => {
        $line.field(stringify!($name), &format_args!("{}", $name));
        $crate::base::trace::fields!($line, $($rest)+);
    };
    ($line:ident, $name:ident = % $value:expr, $($rest:tt)+) => {
        $line.field(stringify!($name), &format_args!("{}", $value));
        $crate::base::trace::fields!($line, $($rest)+);
    };
    ($line:ident, $name:ident = ? $value:expr, $($rest:tt)+) => {
        $line.field(stringify!($name), &$value);
        $crate::base::trace::fields!($line, $($rest)+);
    };
    ($line:ident, $name:ident = $value:expr, $($rest:tt)+) => {
        $line.field(stringify!($name), &$value);
        $crate::base::trace::fields!($line, $($rest)+);
    };
    ($line:ident, $name:ident, $($rest:tt)+) => {
        $line.field(stringify!($name), &$name);
        $crate::base::trace::fields!($line, $($rest)+);
    };
}

pub(crate) use fields;
