//! Names the one platform distinction of this crate; see ARCHITECTURE, "Platform and role".
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    cfg_aliases::cfg_aliases! {
        wasm_browser: { all(target_family = "wasm", target_os = "unknown") },
    }
}
