//! The trace on its way to the browser's console. Which modules are wanted is decided in JavaScript. Lines go to
//! `js/src/internal/debug.ts`, which shows them later: a page's code must not run while Rust holds a borrow.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::base::trace::{Listener, listen};

thread_local! {
    /// Whether a module is wanted, and where its lines go.
    static SINK: RefCell<Option<(Function, Function)>> = const { RefCell::new(None) };
}

/// From now on what a module notes goes to `log(name, line)` if `wants(name)`, where the name of `src/engine/…` is
/// `peersync:engine`. Neither may call into the module. Without arguments nothing is noted any more.
#[wasm_bindgen(js_name = setDebug)]
pub fn set_debug(wants: Option<Function>, log: Option<Function>) {
    let sink = wants.zip(log);
    listen(sink.is_some(), Listener { wants: is_wanted, log: show });
    SINK.with(|slot| *slot.borrow_mut() = sink);
}

fn is_wanted(module: &'static str) -> bool {
    let wanted = sink().and_then(|(wants, _)| wants.call1(&JsValue::NULL, &name(module)).ok());
    wanted.is_some_and(|wanted| wanted.is_truthy())
}

fn show(module: &'static str, line: &str) {
    if let Some((_, log)) = sink() {
        let _ = log.call2(&JsValue::NULL, &name(module), &JsValue::from_str(line));
    }
}

/// A copy: no borrow is held while JavaScript runs.
fn sink() -> Option<(Function, Function)> {
    SINK.with(|sink| sink.borrow().clone())
}

/// `peersync::engine::receive` as `peersync:engine`.
fn name(module: &str) -> JsValue {
    let mut parts = module.split("::");
    let (package, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    JsValue::from_str(&[package, ":", folder].concat())
}

#[cfg(test)]
mod tests {
    use js_sys::Array;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::base::{LinkId, OpId, WriterId, note};

    #[wasm_bindgen_test]
    fn a_wanted_module_is_heard_and_nobody_once_nobody_listens() {
        let lines = Array::new();
        let wants = Function::new_with_args("name", "return name === 'peersync:wasm'");
        let log = Function::new_with_args("name, line", "this.push(name + ' ' + line)").bind(&lines);
        let (op, link, room) = (OpId { writer: WriterId(7 << 32), seq: 3 }, LinkId(1), Some("r"));
        set_debug(Some(wants), Some(log.clone()));
        note!(%op, link = link.0, ?room, full = ?Some(1), by = %"me", "heard");
        set_debug(Some(Function::new_with_args("name", "return name === 'peersync:engine'")), Some(log));
        note!("not wanted");
        set_debug(None, None);
        note!("too late");
        let heard = "peersync:wasm heard op=00000007_3 link=1 room=Some(\"r\") full=Some(1) by=me";
        assert_eq!(String::from(lines.join("|")), heard);
    }
}
