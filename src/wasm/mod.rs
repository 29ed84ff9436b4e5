//! JavaScript bindings: convert and forward, nothing else. The TypeScript in `js/src/internal/native.ts` says what the
//! other side expects.

#![allow(unreachable_pub, reason = "wasm-bindgen exports what is `pub`, wherever it stands")]

mod change;
mod client;
mod content;
mod convert;
mod debug;
mod envelope;
mod error;
mod events;
mod input;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, sync::Once};

use js_sys::Function;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

thread_local! {
    static ON_TRAP: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// `callback` gets the message of a panic before the instance dies of it. Every handle is dead from then on.
#[wasm_bindgen(js_name = onTrap)]
pub fn on_trap(callback: Function) {
    ON_TRAP.with(|slot| *slot.borrow_mut() = Some(callback));
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            console_error_panic_hook::hook(panic);
            let callback = ON_TRAP.with(|slot| slot.try_borrow().ok().and_then(|callback| callback.clone()));
            if let Some(callback) = callback {
                let _ = callback.call1(&JsValue::NULL, &JsValue::from_str(&panic.to_string()));
            }
        }));
    });
}

/// Panics on purpose, so that tests can see what users would.
#[wasm_bindgen(js_name = __trap)]
pub fn trap() {
    #[expect(clippy::panic, reason = "this is what it is for")]
    {
        panic!("trap asked for by a test");
    }
}
