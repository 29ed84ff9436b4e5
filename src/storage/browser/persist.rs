//! Asks that this origin's databases are kept when space is short. <https://storage.spec.whatwg.org/#dom-storagemanager-persist>

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Whether the browser agreed; `None` where it cannot be asked, as in workers.
pub(crate) async fn ask_to_persist() -> Option<bool> {
    JsFuture::from(asked().ok()?).await.ok()?.as_bool()
}

fn asked() -> Result<Promise, JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
    let manager = Reflect::get(&navigator, &"storage".into())?;
    let persist: Function = Reflect::get(&manager, &"persist".into())?.dyn_into()?;
    persist.call0(&manager)?.dyn_into()
}
