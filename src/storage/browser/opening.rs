//! Opening a database: what the browser says meanwhile, and waiting no longer than is reasonable.

use futures::{StreamExt as _, channel::mpsc};
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbVersionChangeEvent};

use super::{
    super::{SCHEMA_VERSION, StoreError},
    request::{Access, Transaction, error_of, text, within},
    upgrade,
};
use crate::{
    base::limits::{STORE_ANSWER_TIMEOUT_MS, STORE_OPEN_ATTEMPTS, STORE_OPEN_TIMEOUT_MS},
    storage::Flush,
};

/// What an opening is told.
enum Told {
    /// Made anew (from 0) or to be upgraded, inside this event.
    Upgrade {
        from: f64,
    },
    Blocked,
    Success,
    Error,
}

/// Why an attempt failed, and whether another may not.
struct Failure {
    error: StoreError,
    again: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, again: false }
    }
}

/// An open database of this schema.
pub(super) async fn open(name: &str, mark: &[u8]) -> Result<IdbDatabase, StoreError> {
    let mut attempt = 1;
    loop {
        match attempt_open(name, mark).await {
            Ok(database) => return Ok(database),
            // Browsers fail so for a moment, after an update or while another process restarts.
            Err(Failure { again: true, .. }) if attempt < STORE_OPEN_ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure.error),
        }
    }
}

async fn attempt_open(name: &str, mark: &[u8]) -> Result<IdbDatabase, Failure> {
    let request = factory()?.open_with_u32(name, SCHEMA_VERSION).map_err(|error| refusal(&error))?;
    let mut opening = Opening::new(request);
    let mut upgrading: Option<Transaction> = None;
    let mut failed = None;
    let mut patience_ms = STORE_OPEN_TIMEOUT_MS;
    loop {
        let told = match within(patience_ms, opening.told.next()).await {
            Ok(told) => told,
            Err(error) => {
                wasm_bindgen_futures::spawn_local(opening.abandon());
                return Err(error.into());
            }
        };
        match told {
            Some(Told::Blocked) => {}
            Some(Told::Upgrade { from }) => {
                let transaction = opening.request.transaction().ok_or_else(no_result)?;
                let transaction = Transaction::of(transaction, Access::Write(Flush::Strict));
                match upgrade::run(&opening.database()?, &transaction, from, mark).await {
                    Ok(()) => upgrading = Some(transaction),
                    // Undoes the upgrade, of which the browser tells us with an error.
                    Err(error) => failed = Some(error),
                }
                patience_ms = STORE_ANSWER_TIMEOUT_MS;
            }
            Some(Told::Success) => return Ok(opening.database()?),
            Some(Told::Error) | None => {
                return Err(match (failed, &upgrading) {
                    (Some(error), _) => error.into(),
                    (None, Some(transaction)) => transaction.failure().into(),
                    (None, None) => opening.refusal(),
                });
            }
        }
    }
}

/// The factory of this window or worker.
fn factory() -> Result<IdbFactory, StoreError> {
    let missing = || StoreError::Missing("this browser has no IndexedDB".to_owned());
    match Reflect::get(&js_sys::global(), &"indexedDB".into()) {
        Ok(factory) if factory.is_object() => Ok(factory.unchecked_into()),
        Ok(_) => Err(missing()),
        // The getter throws in a sandbox.
        Err(error) => Err(StoreError::Missing(text(&error, "message"))),
    }
}

/// What an error that meets an opening means.
fn refusal(error: &JsValue) -> Failure {
    match text(error, "name").as_str() {
        // Private windows, blocked site data, sandboxes: no attempt will help.
        "SecurityError" | "InvalidStateError" | "NotSupportedError" => {
            StoreError::Missing(text(error, "message")).into()
        }
        _ => {
            let error = error_of(error);
            Failure { again: matches!(error, StoreError::Io(_)), error }
        }
    }
}

fn no_result() -> StoreError {
    StoreError::Io("no database was opened".to_owned())
}

/// A request to open, with handlers that it loses when this is dropped.
struct Opening {
    request: IdbOpenDbRequest,
    told: mpsc::Receiver<Told>,
    _tell: Closure<dyn FnMut(Event)>,
}

impl Opening {
    fn new(request: IdbOpenDbRequest) -> Self {
        // Each is told once, so there is always room.
        let (mut sender, told) = mpsc::channel(4);
        let tell = Closure::new(move |event: Event| {
            let told = match event.type_().as_str() {
                "upgradeneeded" => Told::Upgrade { from: event.unchecked_ref::<IdbVersionChangeEvent>().old_version() },
                "blocked" => Told::Blocked,
                "success" => Told::Success,
                _ => Told::Error,
            };
            _ = sender.try_send(told);
        });
        let handler = tell.as_ref().unchecked_ref();
        request.set_onupgradeneeded(Some(handler));
        request.set_onblocked(Some(handler));
        request.set_onsuccess(Some(handler));
        request.set_onerror(Some(handler));
        Self { request, told, _tell: tell }
    }

    fn database(&self) -> Result<IdbDatabase, StoreError> {
        self.request.result().map(JsCast::unchecked_into).map_err(|_| no_result())
    }

    fn refusal(&self) -> Failure {
        match self.request.error() {
            Ok(Some(error)) => refusal(&error),
            _ => no_result().into(),
        }
    }

    /// Waits for an opening that nobody waits for any more: the connection it may still yield would block others.
    async fn abandon(mut self) {
        while let Some(told) = self.told.next().await {
            match told {
                Told::Upgrade { .. } => _ = self.request.transaction().map(|transaction| transaction.abort()),
                Told::Blocked => {}
                Told::Success => {
                    if let Ok(database) = self.database() {
                        database.close();
                    }
                    return;
                }
                Told::Error => return,
            }
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.request.set_onupgradeneeded(None);
        self.request.set_onblocked(None);
        self.request.set_onsuccess(None);
        self.request.set_onerror(None);
    }
}
