//! Requests and transactions of IndexedDB as futures, and their errors as the store's.
//!
//! A transaction commits by itself when the browser's event is over and none of its requests is open. So nothing else
//! may be awaited inside one; tasks run as microtasks, which still belong to the event.

use std::time::Duration;

use futures::{
    channel::oneshot,
    future::{Either, LocalBoxFuture, ready, select},
};
use futures_timer::Delay;
use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{Event, IdbDatabase, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use super::super::{Flush, SCHEMA_VERSION, StoreError};
use crate::base::limits::STORE_ANSWER_TIMEOUT_MS;

#[wasm_bindgen]
extern "C" {
    /// web-sys has the options of `transaction` among its unstable features only.
    #[wasm_bindgen(extends = IdbDatabase)]
    type Database;
    #[wasm_bindgen(method, structural, catch, js_name = transaction)]
    fn begin(this: &Database, stores: &JsValue, mode: &str, options: &JsValue) -> Result<IdbTransaction, JsValue>;
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write(Flush),
}

/// A transaction. Dropped before it ended, one that writes is undone.
pub(super) struct Transaction {
    inner: IdbTransaction,
    access: Access,
    _ended: Closure<dyn FnMut(Event)>,
    /// Whether it completed.
    end: oneshot::Receiver<bool>,
}

impl Transaction {
    /// Throws what the browser throws.
    pub(super) fn begin(database: &IdbDatabase, stores: &[&str], access: Access) -> Result<Self, JsValue> {
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let options = Object::new();
        let mode = match access {
            Access::Read => "readonly",
            Access::Write(flush) => {
                let durability = if flush == Flush::Strict { "strict" } else { "relaxed" };
                Reflect::set(&options, &"durability".into(), &durability.into())?;
                "readwrite"
            }
        };
        Ok(Self::of(database.unchecked_ref::<Database>().begin(&names, mode, &options)?, access))
    }

    /// A transaction that the browser began.
    pub(super) fn of(inner: IdbTransaction, access: Access) -> Self {
        let (sender, end) = oneshot::channel();
        let mut sender = Some(sender);
        let ended = Closure::new(move |event: Event| {
            if let Some(sender) = sender.take() {
                _ = sender.send(event.type_() == "complete");
            }
        });
        inner.set_oncomplete(Some(ended.as_ref().unchecked_ref()));
        inner.set_onabort(Some(ended.as_ref().unchecked_ref()));
        Self { inner, access, _ended: ended, end }
    }

    pub(super) fn store(&self, name: &str) -> Result<IdbObjectStore, StoreError> {
        self.inner.object_store(name).map_err(|error| error_of(&error))
    }

    /// Resolves once every write is stored, as durable as was asked for. After an error they are stored or not.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        // Spares a round trip; where it is missing, the transaction commits by itself.
        #[expect(deprecated, reason = "it is only the binding that calls itself so")]
        let _ = self.inner.commit();
        match within(STORE_ANSWER_TIMEOUT_MS, &mut self.end).await? {
            Ok(true) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Why it was aborted, as far as the browser says.
    pub(super) fn failure(&self) -> StoreError {
        self.inner.error().map_or_else(|| StoreError::Io("aborted".to_owned()), |error| error_of(&error))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.inner.set_oncomplete(None);
        self.inner.set_onabort(None);
        if self.access != Access::Read {
            // Throws if it has ended already.
            let _ = self.inner.abort();
        }
    }
}

/// A request under way. Dropping it leaves the request alone.
pub(super) struct Asked {
    request: IdbRequest,
    _settled: Closure<dyn FnMut()>,
    /// Ends when the request is settled.
    waiting: oneshot::Receiver<()>,
}

impl Asked {
    /// To be waited for later; the requests of a transaction are answered in order.
    pub(super) fn new(request: Result<IdbRequest, JsValue>) -> Result<Self, StoreError> {
        let request = request.map_err(|error| error_of(&error))?;
        let (sender, waiting) = oneshot::channel();
        let mut sender = Some(sender);
        let settled = Closure::new(move || drop(sender.take()));
        request.set_onsuccess(Some(settled.as_ref().unchecked_ref()));
        request.set_onerror(Some(settled.as_ref().unchecked_ref()));
        Ok(Self { request, _settled: settled, waiting })
    }

    /// Boxed: it is awaited in many places, and the code of each would hold all its states.
    pub(super) fn answer(mut self) -> LocalBoxFuture<'static, Result<JsValue, StoreError>> {
        Box::pin(async move {
            // An error is the sign that it is settled.
            _ = within(STORE_ANSWER_TIMEOUT_MS, &mut self.waiting).await?;
            match self.request.error() {
                Ok(Some(error)) => Err(error_of(&error)),
                _ => self.request.result().map_err(|error| error_of(&error)),
            }
        })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.request.set_onsuccess(None);
        self.request.set_onerror(None);
    }
}

/// What a request answers.
pub(super) fn ask(request: Result<IdbRequest, JsValue>) -> LocalBoxFuture<'static, Result<JsValue, StoreError>> {
    match Asked::new(request) {
        Ok(asked) => asked.answer(),
        Err(error) => Box::pin(ready(Err(error))),
    }
}

/// `future`, or an error after `limit_ms`: browsers have been seen to answer nothing at all.
pub(super) async fn within<F: Future + Unpin>(limit_ms: u64, future: F) -> Result<F::Output, StoreError> {
    match select(future, Delay::new(Duration::from_millis(limit_ms))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(StoreError::Io("the browser does not answer".to_owned())),
    }
}

/// Bytes as a key or value. A copy: IndexedDB stores the whole buffer under an array, which must not be our memory.
pub(super) fn js_bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// A stored value's bytes.
pub(super) fn bytes_of(value: JsValue) -> Result<Vec<u8>, StoreError> {
    match value.dyn_into::<Uint8Array>() {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(_) => Err(StoreError::Corrupt("a value that is no bytes".to_owned())),
    }
}

/// The bytes of a key, which the browser gives back as the buffer alone. None of something that is no such key.
pub(super) fn key_bytes(key: &JsValue) -> Vec<u8> {
    key.dyn_ref::<ArrayBuffer>().map(|key| Uint8Array::new(key).to_vec()).unwrap_or_default()
}

/// What `getAll` and `getAllKeys` answer.
pub(super) fn array(value: JsValue) -> Result<Array, StoreError> {
    value.dyn_into().map_err(|_| StoreError::Corrupt("rows that are no array".to_owned()))
}

/// From `low` to `high`, without `high` if `open`.
pub(super) fn range(low: &JsValue, high: &JsValue, open: bool) -> Result<JsValue, StoreError> {
    let range = IdbKeyRange::bound_with_lower_open_and_upper_open(low, high, false, open);
    range.map(JsValue::from).map_err(|error| error_of(&error))
}

pub(super) fn error_of(error: &JsValue) -> StoreError {
    let message = text(error, "message");
    match text(error, "name").as_str() {
        name @ "QuotaExceededError" => StoreError::Full(format!("{name}: {message}")),
        // The browser does not say which version it found: a newer one.
        "VersionError" => StoreError::NewerSchema { found: SCHEMA_VERSION + 1, supported: SCHEMA_VERSION },
        // A table that is not there, or a value whose file the browser has lost.
        "NotFoundError" | "NotReadableError" | "DataError" => StoreError::Corrupt(message),
        name => StoreError::Io(format!("{name}: {message}")),
    }
}

/// The name or message of what was thrown; empty if it is nothing of that sort.
pub(super) fn text(error: &JsValue, property: &str) -> String {
    Reflect::get(error, &property.into()).ok().and_then(|text| text.as_string()).unwrap_or_default()
}
