//! Making a database, and bringing one of an older schema to this one, inside the transaction that the browser begins
//! for it: all or nothing. One function for each older schema.

use js_sys::Reflect;
use web_sys::{IdbDatabase, IdbObjectStore};

use super::{
    super::{
        SCHEMA_VERSION, StoreError,
        lengths::{Bounds, Step},
        rows::{damaged, unseal},
        schema1::{Places, record_key},
    },
    request::{Transaction, array, ask, bytes_of, error_of, js_bytes, key_bytes, range},
    tables::{ABOUT, ENTRIES, LISTS, MARK_KEY, META, SCHEMA_KEY, Tables},
};
use crate::base::{RoomId, limits::STORE_PAGE_ENTRIES};

/// Leaves a database of this schema, named by `mark`. `from` is the version it has; 0 is a new one.
pub(super) async fn run(
    database: &IdbDatabase,
    transaction: &Transaction,
    from: f64,
    mark: &[u8],
) -> Result<(), StoreError> {
    if from == 0.0 {
        create(database, &[ABOUT, LISTS, ENTRIES, META])?;
    } else if from == 1.0 {
        from_1(database, transaction).await?;
    } else {
        return Err(damaged("of a schema that never was"));
    }
    let about = transaction.store(ABOUT)?;
    put(&about, MARK_KEY, mark)?;
    put(&about, SCHEMA_KEY, &SCHEMA_VERSION.to_be_bytes())
}

fn create(database: &IdbDatabase, stores: &[&str]) -> Result<(), StoreError> {
    stores.iter().try_for_each(|name| database.create_object_store(name).map(drop)).map_err(|error| error_of(&error))
}

fn put(store: &IdbObjectStore, key: &str, value: &[u8]) -> Result<(), StoreError> {
    store.put_with_key(&js_bytes(value), &key.into()).map(drop).map_err(|error| error_of(&error))
}

// ---- from schema 1: a room was one list of records; `rooms` said how many it had ----

const ROOMS: &str = "rooms";
/// What `entries` is called while they move.
const RECORDS: &str = "records";

async fn from_1(database: &IdbDatabase, transaction: &Transaction) -> Result<(), StoreError> {
    let records = transaction.store(ENTRIES)?;
    Reflect::set(&records, &"name".into(), &RECORDS.into()).map_err(|error| error_of(&error))?;
    create(database, &[LISTS, ENTRIES])?;
    let tables = Tables::of(transaction)?;
    let rooms = transaction.store(ROOMS)?;
    let mut moved = 0_u64;
    for key in array(ask(rooms.get_all_keys()).await?)?.iter() {
        let room = RoomId(key_bytes(&key).try_into().map_err(|_| damaged("a key without a room"))?);
        let len = bytes_of(ask(rooms.get(&key)).await?)?;
        let len = u64::from_be_bytes(len.try_into().map_err(|_| damaged("a room without a length"))?);
        move_room(&records, &tables, room, len).await?;
        moved += len;
    }
    if ask(records.count()).await?.as_f64() != Some(moved as f64) {
        return Err(damaged("the length of a room is missing"));
    }
    for name in [ROOMS, RECORDS] {
        database.delete_object_store(name).map_err(|error| error_of(&error))?;
    }
    Ok(())
}

async fn move_room(records: &IdbObjectStore, tables: &Tables, room: RoomId, len: u64) -> Result<(), StoreError> {
    let mut places = Places::of(room);
    let mut moved = 0;
    let high = js_bytes(&record_key(room, u64::MAX));
    loop {
        let rest = range(&js_bytes(&record_key(room, moved)), &high, false)?;
        let page = array(ask(records.get_all_with_key_and_limit(&rest, STORE_PAGE_ENTRIES as u32)).await?)?;
        for row in page.iter() {
            // A record that is missing, or one of another place, does not pass its check.
            let bytes = unseal(&record_key(room, moved), &bytes_of(row)?)?;
            let (list, index) = places.next(&bytes)?;
            tables.apply(Step::Put { list, index, bytes: &bytes })?;
            moved += 1;
        }
        if u64::from(page.length()) < STORE_PAGE_ENTRIES {
            break;
        }
    }
    if moved != len {
        return Err(damaged("records of a room are missing"));
    }
    places.lists().try_for_each(|(list, end)| tables.set_bounds(list, Bounds { first: 0, end }))
}
