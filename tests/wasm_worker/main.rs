#![cfg(wasm_browser)]
