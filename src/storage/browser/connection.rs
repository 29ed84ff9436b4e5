//! The connection to one database: opened when it is needed, given up when the browser or another page asks for it.

use std::{cell::Cell, rc::Rc};

use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, IdbDatabase};

use super::{
    super::{SCHEMA_VERSION, StoreError},
    opening,
    request::{Access, Transaction, ask, bytes_of, error_of, text},
    tables::{ABOUT, MARK_KEY, SCHEMA_KEY},
};

/// How often a call finds that the connection it has just opened was closed meanwhile.
const BEGIN_ATTEMPTS: usize = 3;

pub(super) struct Connection {
    name: String,
    seed: [u8; 32],
    /// How often it was opened. With the seed, a mark for a database that is made then: not even this page's own
    /// databases may have the same.
    openings: u32,
    open: Option<Open>,
    /// Of the database that was opened first.
    mark: Option<Vec<u8>>,
    /// Whether the database that is open is not the one whose commits were answered, and nobody was told yet.
    pub(super) forgot: bool,
}

impl Connection {
    pub(super) async fn open(name: String, seed: [u8; 32]) -> Result<Self, StoreError> {
        let mut connection = Self { name, seed, openings: 0, open: None, mark: None, forgot: false };
        connection.database().await?;
        Ok(connection)
    }

    /// A transaction over `stores`, on a connection that is opened again if it was lost.
    pub(super) async fn begin(&mut self, stores: &[&str], access: Access) -> Result<Transaction, StoreError> {
        for _ in 0..BEGIN_ATTEMPTS {
            match Transaction::begin(self.database().await?, stores, access) {
                Ok(transaction) => return Ok(transaction),
                Err(error) if text(&error, "name") == "InvalidStateError" => self.discard(),
                Err(error) => return Err(error_of(&error)),
            }
        }
        Err(StoreError::Io("the database keeps being closed".to_owned()))
    }

    /// Closes; the next call opens again.
    pub(super) fn discard(&mut self) {
        self.open = None;
    }

    async fn database(&mut self) -> Result<&IdbDatabase, StoreError> {
        let open = match self.open.take() {
            Some(open) if !open.lost.get() => open,
            lost => {
                // First the handlers and the connection of before, or it could block the new one.
                drop(lost);
                self.openings = self.openings.wrapping_add(1);
                let mark = [self.seed.as_slice(), &self.openings.to_be_bytes()].concat();
                let open = Open::new(opening::open(&self.name, &mark).await?);
                let mark = examine(&open.database).await?;
                self.forgot |= self.mark.replace(mark.clone()).is_some_and(|known| known != mark);
                open
            }
        };
        Ok(&self.open.insert(open).database)
    }
}

/// The mark of a database that is ours and of this schema.
async fn examine(database: &IdbDatabase) -> Result<Vec<u8>, StoreError> {
    let transaction = Transaction::begin(database, &[ABOUT], Access::Read).map_err(|error| error_of(&error))?;
    let about = transaction.store(ABOUT)?;
    let schema = bytes_of(ask(about.get(&JsValue::from_str(SCHEMA_KEY))).await?)?;
    let mark = bytes_of(ask(about.get(&JsValue::from_str(MARK_KEY))).await?)?;
    match schema.try_into().map(u32::from_be_bytes) {
        Ok(SCHEMA_VERSION) => Ok(mark),
        Ok(found) if found > SCHEMA_VERSION => Err(StoreError::NewerSchema { found, supported: SCHEMA_VERSION }),
        _ => Err(StoreError::Corrupt("no schema version".to_owned())),
    }
}

/// An open database. Dropping it closes it.
struct Open {
    database: IdbDatabase,
    /// Set when the browser closed it, or when it had to make way.
    lost: Rc<Cell<bool>>,
    _handlers: [Closure<dyn FnMut(Event)>; 2],
}

impl Open {
    fn new(database: IdbDatabase) -> Self {
        let lost = Rc::new(Cell::new(false));
        let closed = Rc::clone(&lost);
        let close = Closure::new(move |_: Event| closed.set(true));
        let asked = Rc::clone(&lost);
        let version_change = Closure::new(move |event: Event| {
            asked.set(true);
            // At once: another page waits for this to upgrade or delete. Transactions under way still end.
            if let Some(database) = event.target() {
                database.unchecked_ref::<IdbDatabase>().close();
            }
        });
        database.set_onclose(Some(close.as_ref().unchecked_ref()));
        database.set_onversionchange(Some(version_change.as_ref().unchecked_ref()));
        Self { database, lost, _handlers: [close, version_change] }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.database.set_onclose(None);
        self.database.set_onversionchange(None);
        self.database.close();
    }
}
