//! `NativeClient`: one room, for `BrowserSyncClient`.

mod containers;
pub(crate) mod presence;
mod records;
mod text;

use std::cell::{Cell, OnceCell, RefCell};

use futures::{
    FutureExt,
    future::{AbortHandle, abortable},
};
use js_sys::{Array, Function, Object, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::spawn_local;

use super::{
    change::snapshot,
    content::content,
    convert::set,
    envelope,
    error::{invalid, of_client, of_edit, thrown},
    events::{self, Told},
    input::{name_property, property, string_property},
};
use crate::{
    base::{Seq, Timestamp},
    node::{Attributes, Client, ClientOptions, EditError, Engine, Persistence, Status, TabsOptions, author_name},
};

/// The database of pages that name none.
const DATABASE: &str = "peersync";

/// A client of one room. Every method may throw `{code, message}`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct NativeClient {
    client: Client,
    listening: AbortHandle,
    client_id: String,
    /// This client's own presence.
    presence: RefCell<Attributes>,
    sent: Cell<u64>,
    closing: OnceCell<Promise>,
}

#[wasm_bindgen]
impl NativeClient {
    /// `options`: `{url, room, clientId?, identity?, token?, persistence?, shareUplink?, dbName?}`. Resolves with the client and what
    /// this device has of the room; nothing is dialed. `on_event` is called from a microtask, never inside a call of
    /// this class.
    pub async fn open(options: JsValue, on_event: Function) -> Result<Self, JsValue> {
        let checked = client_options(&options)?;
        let client_id = string_property(&options, "clientId")?;
        let client = Client::open(checked).await.map_err(|error| of_client(&error))?;
        let client_id = client_id.unwrap_or_else(|| author_name(client.author()));
        let source = client.clone();
        let (task, listening) = abortable(async move {
            // What this device had of the room is its state; changes follow.
            let mut told = Told { snapshot: source.was_synced(), stored: source.read(Engine::saved) };
            if told.snapshot {
                let _ = on_event.call1(&JsValue::NULL, &snapshot(&source));
            }
            loop {
                let event = source.next_event().await;
                for converted in events::convert(&source, event, &mut told) {
                    // A listener that throws is the wrapper's to report; others must still hear.
                    let _ = on_event.call1(&JsValue::NULL, &converted);
                }
            }
        });
        spawn_local(task.map(drop));
        let presence = RefCell::default();
        Ok(Self { client, listening, client_id, presence, sent: Cell::new(0), closing: OnceCell::new() })
    }

    /// Starts dialing and stays connected.
    pub fn connect(&self) {
        self.client.connect();
    }

    /// The network or the tab is back.
    pub fn wake(&self) {
        self.client.wake();
    }

    /// Sends what is unsent, for a bounded time, then ends. A second call gets the first one's promise.
    pub fn close(&self) -> Promise {
        let close = || {
            let (client, listening) = (self.client.clone(), self.listening.clone());
            wasm_bindgen_futures::future_to_promise(async move {
                client.close().await;
                listening.abort();
                Ok(JsValue::UNDEFINED)
            })
        };
        self.closing.get_or_init(close).clone()
    }

    /// The page goes away: for good, or (`persisted`) perhaps to come back as it is. After the former the client has
    /// ended.
    pub fn pagehide(&self, persisted: bool) {
        self.client.page_hides(persisted);
    }

    /// Takes back the last group of own edits. Whether there was any.
    pub fn undo(&self) -> Result<bool, JsValue> {
        self.alive()?;
        let undone = self.client.with(|engine, now| engine.undo(now));
        undone.map(|seq| seq.is_some()).map_err(|error| of_edit(&error))
    }

    /// Does it again. Whether there was anything to do again.
    pub fn redo(&self) -> Result<bool, JsValue> {
        self.alive()?;
        let redone = self.client.with(|engine, now| engine.redo(now));
        redone.map(|seq| seq.is_some()).map_err(|error| of_edit(&error))
    }

    /// Whether there is something to take back.
    #[wasm_bindgen(js_name = canUndo)]
    pub fn can_undo(&self) -> bool {
        self.client.read(Engine::can_undo)
    }

    /// Whether there is something to do again.
    #[wasm_bindgen(js_name = canRedo)]
    pub fn can_redo(&self) -> bool {
        self.client.read(Engine::can_redo)
    }

    /// The next edit begins a new group.
    pub fn checkpoint(&self) {
        self.client.with(|engine, _| engine.checkpoint());
    }

    /// Everything in the room: `{texts, maps, lists, records}`.
    pub fn content(&self) -> Object {
        content(&self.client, "texts")
    }

    /// Does what a JSON envelope asks for: `{id, seq}`; without `seq` if it is never stored.
    pub fn send(&self, message: &JsValue) -> Result<Object, JsValue> {
        let (given, seq) = envelope::apply(self, message)?;
        let count = self.sent.get() + 1;
        self.sent.set(count);
        let writer = self.client.read(|engine| engine.replica().writer());
        let id = given.unwrap_or_else(|| format!("{}_{count}_{:08x}", self.client_id, writer.0 >> 32));
        let out = Object::new();
        set(&out, "id", id);
        if let Some(seq) = seq {
            set(&out, "seq", seq);
        }
        Ok(out)
    }

    /// `connecting`, `connected`, `disconnected` or `closed`.
    pub fn status(&self) -> String {
        events::status_name(self.client.status()).to_owned()
    }

    /// Whether everything the backend had is here.
    pub fn synced(&self) -> bool {
        self.client.read(Engine::is_synced)
    }

    /// Own operations that the backend has not made durable.
    pub fn pending(&self) -> f64 {
        self.client.read(Engine::pending) as f64
    }

    /// Whether the room's state is here: the backend was heard, now or at an earlier visit.
    pub fn arrived(&self) -> bool {
        self.client.was_synced() || self.synced()
    }

    /// `{unsaved, pending, oldestPendingMs, mode}`: own operations that this device does not keep yet, and those that
    /// the backend has not made durable.
    #[wasm_bindgen(js_name = syncStatus)]
    pub fn sync_status(&self) -> Object {
        events::sync_status(self.client.sync_state())
    }

    /// Others in the room.
    pub fn peers(&self) -> Array {
        events::peers(&self.client)
    }

    /// Figures by name.
    pub fn stats(&self) -> Object {
        let out = Object::new();
        let room = self.client.read(Engine::stats);
        let (sent, received, reconnects) = self.client.traffic();
        for (name, value) in [
            ("bytesSent", sent),
            ("bytesReceived", received),
            ("reconnects", reconnects),
            ("operations", room.ops),
            ("operationsMade", room.ops_made),
            ("operationsReceived", room.ops_accepted),
            ("logBytes", room.log_bytes),
            ("waiting", room.waiting),
            ("framesSent", room.frames_sent),
            ("framesReceived", room.frames_received),
        ] {
            set(&out, name, value as f64);
        }
        let refused = Object::new();
        for (reason, count) in self.client.stats().refusals.into_iter().filter(|(_, count)| *count > 0) {
            set(&refused, reason.as_str(), count as f64);
        }
        set(&out, "refused", refused);
        out
    }

    /// This tab's transport identity.
    #[wasm_bindgen(js_name = peerId)]
    pub fn peer_id(&self) -> String {
        self.client.peer_id().to_string()
    }

    /// On whose behalf it edits.
    pub fn author(&self) -> String {
        author_name(self.client.author())
    }
}

impl NativeClient {
    /// Makes an edit; answers the position of the operation it travels in.
    pub(crate) fn edit(
        &self,
        make: impl FnOnce(&mut Engine, Timestamp) -> Result<Seq, EditError>,
    ) -> Result<f64, JsValue> {
        self.edit_with(|error| of_edit(&error), make)
    }

    /// The same, with errors under the names that the caller uses.
    pub(crate) fn edit_with(
        &self,
        convert: impl FnOnce(EditError) -> JsValue,
        make: impl FnOnce(&mut Engine, Timestamp) -> Result<Seq, EditError>,
    ) -> Result<f64, JsValue> {
        self.alive()?;
        self.client.with(make).map(|seq| seq as f64).map_err(convert)
    }

    /// What is edited in a client that has ended would be lost without a word.
    fn alive(&self) -> Result<(), JsValue> {
        let ended = self.client.status() == Status::Closed;
        if ended { Err(thrown("CLOSED", "the client is closed")) } else { Ok(()) }
    }
}

impl Drop for NativeClient {
    fn drop(&mut self) {
        // Freed without a close: nobody hears it any more, and it must not dial for ever.
        let _ = self.close();
        self.listening.abort();
    }
}

fn client_options(options: &JsValue) -> Result<ClientOptions, JsValue> {
    let address = string_property(options, "url")?.ok_or_else(|| invalid("url", "a string"))?;
    let room = string_property(options, "room")?.ok_or_else(|| invalid("room", "a string"))?;
    let token = string_property(options, "token")?.unwrap_or_default().into_bytes();
    let author_seed = match property(options, "identity") {
        None => None,
        Some(bytes) => {
            let bytes = bytes.dyn_into::<Uint8Array>().map_err(|_| invalid("identity", "32 bytes"))?;
            Some(bytes.to_vec().try_into().map_err(|_| invalid("identity", "32 bytes"))?)
        }
    };
    let db_name = name_property(options, "dbName")?;
    let persistence = match string_property(options, "persistence")?.as_deref() {
        None | Some("indexeddb") => Persistence::Named(db_name.clone().unwrap_or_else(|| DATABASE.to_owned())),
        Some("memory") => Persistence::Memory,
        Some(_) => return Err(invalid("persistence", "'indexeddb' or 'memory'")),
    };
    let share_uplink = property(options, "shareUplink").is_none_or(|share| share.is_truthy());
    let tabs = db_name.map(|db_name| TabsOptions { db_name, share_uplink });
    Ok(ClientOptions { author_seed, token, persistence, tabs, ..ClientOptions::new(address, room) })
}
