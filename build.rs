//! Names the one platform distinction of this crate; see ARCHITECTURE, "Platform and role".
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    cfg_aliases::cfg_aliases! {
        wasm_browser: { all(target_family = "wasm", target_os = "unknown") },
        // The library for property tests does not build for browsers; unit tests that use it stand behind this.
        has_proptest: { not(wasm_browser) },
    }
}
