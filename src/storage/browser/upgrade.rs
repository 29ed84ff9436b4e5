//! Making a database, and bringing one of an older schema to this one, inside the transaction that the browser begins
//! for it: all or nothing. One function for each older schema.

use web_sys::{IdbDatabase, IdbObjectStore};

use super::{
    super::{SCHEMA_VERSION, StoreError, rows::damaged},
    request::{Transaction, error_of, js_bytes},
    tables::{ABOUT, ENTRIES, LISTS, MARK_KEY, META, SCHEMA_KEY},
};

/// Leaves a database of this schema. `from` is the version it has; 0 is a new one.
pub(super) async fn run(
    database: &IdbDatabase,
    transaction: &Transaction,
    from: f64,
    seed: &[u8],
) -> Result<(), StoreError> {
    let create = |name| database.create_object_store(name).map_err(|error| error_of(&error));
    if from == 0.0 {
        for name in [ABOUT, LISTS, ENTRIES, META] {
            create(name)?;
        }
    } else {
        return Err(damaged("of a schema that never was"));
    }
    let about = transaction.store(ABOUT)?;
    put(&about, MARK_KEY, seed)?;
    put(&about, SCHEMA_KEY, &SCHEMA_VERSION.to_be_bytes())
}

fn put(store: &IdbObjectStore, key: &str, value: &[u8]) -> Result<(), StoreError> {
    store.put_with_key(&js_bytes(value), &key.into()).map(drop).map_err(|error| error_of(&error))
}
