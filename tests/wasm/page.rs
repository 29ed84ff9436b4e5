//! What another page, a user or a failing browser does to a database, in JavaScript.

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// For every script: requests as promises, and ways to open and change a database.
const PRELUDE: &str = r"
    const settled = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const open = (version) => settled(indexedDB.open(name, version));
    const remove = () => settled(indexedDB.deleteDatabase(name));
    const within = async (stores, change) => {
        const db = await open();
        const transaction = db.transaction(stores, 'readwrite');
        const done = new Promise((resolve) => { transaction.oncomplete = resolve; });
        const result = await change(...stores.map((store) => transaction.objectStore(store)));
        await done;
        db.close();
        return result;
    };
";

/// Runs `script`, the body of an async function that knows the database's `name`.
pub async fn js(name: &str, script: &str) -> JsValue {
    js_given(name, &JsValue::NULL, script).await
}

/// The same, and `given` as well.
pub async fn js_given(name: &str, given: &JsValue, script: &str) -> JsValue {
    let body = format!("return (async () => {{ {PRELUDE} {script} }})()");
    let run = Function::new_with_args("name, given", &body);
    let promise = run.call2(&JsValue::NULL, &name.into(), given).unwrap();
    JsFuture::from(promise.unchecked_into::<Promise>()).await.unwrap()
}

/// A browser that behaves otherwise, until this is dropped. Tests run one after another.
pub struct Patched {
    restore: Function,
}

impl Patched {
    /// `script` changes the browser and returns what changes it back.
    pub fn new(script: &str) -> Self {
        let restore = Function::new_no_args(script).call0(&JsValue::NULL).unwrap();
        Self { restore: restore.unchecked_into() }
    }

    /// Timers that are a hundred times as fast.
    pub fn hasty() -> Self {
        Self::new(
            "const real = setTimeout;
            globalThis.setTimeout = (run, ms, ...rest) => real(run, ms / 100, ...rest);
            return () => { globalThis.setTimeout = real; };",
        )
    }

    /// `indexedDB` is what `script` evaluates to; `real` is the true one.
    pub fn factory(script: &str) -> Self {
        Self::new(&format!(
            "const real = indexedDB;
            const property = Object.getOwnPropertyDescriptor(globalThis, 'indexedDB');
            const value = {script};
            Object.defineProperty(globalThis, 'indexedDB', {{ value, configurable: true }});
            return () => {{ delete globalThis.indexedDB; if (property) Object.defineProperty(globalThis, 'indexedDB', property); }};"
        ))
    }
}

impl Drop for Patched {
    fn drop(&mut self) {
        self.restore.call0(&JsValue::NULL).unwrap();
    }
}
