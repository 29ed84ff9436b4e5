//! The object stores of a database, schema 2, and what is done inside one transaction.
//!
//! | object store | key | value |
//! | --- | --- | --- |
//! | `about` | `"schema"`; `"mark"` | version, u32 BE; bytes that name this database. The same in every schema |
//! | `lists` | room, list u64 BE | check, first u64 BE, end u64 BE |
//! | `entries` | room, list u64 BE, index u64 BE | check, entry |
//! | `meta` | key, a string | check, value |
//!
//! Keys and values are bytes but for `meta`'s keys. Rows are those of the server's file (`rows.rs`).

use std::{collections::BTreeMap, ops::Range};

use wasm_bindgen::JsValue;
use web_sys::IdbObjectStore;

use super::{
    super::{
        Entry, ListId, ListState, StoreError, Write,
        lengths::{Bounds, Lengths, Step},
        rows::{self, damaged, entry_key, list_key, list_of},
    },
    request::{Asked, Transaction, array, ask, bytes_of, error_of, js_bytes, key_bytes, range},
};
use crate::base::{RoomId, limits::STORE_PAGE_ENTRIES};

pub(super) const ABOUT: &str = "about";
pub(super) const LISTS: &str = "lists";
pub(super) const ENTRIES: &str = "entries";
pub(super) const META: &str = "meta";

pub(super) const SCHEMA_KEY: &str = "schema";
pub(super) const MARK_KEY: &str = "mark";

/// Applies commits in order. One that would leave a hole, or meets a damaged list, is refused alone. If the database
/// `forgot` what was stored before, so is the first that appends.
pub(super) async fn commit(
    transaction: Transaction,
    group: &[Vec<Write>],
    mut forgot: bool,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let tables = Tables::of(&transaction)?;
    let (stored, damaged) = tables.bounds(group).await?;
    let mut lengths = Lengths::default();
    let mut results = Vec::with_capacity(group.len());
    for writes in group {
        if forgot && let Some(hole) = first_append(writes) {
            forgot = false;
            results.push(Err(hole));
            continue;
        }
        let mut anew = Vec::new();
        let steps = lengths.follow(writes, |list| match damaged.iter().find(|(damaged, _)| *damaged == list) {
            Some(_) if begins_anew(writes, list) => {
                anew.push(list);
                Ok(Bounds::default())
            }
            Some((_, error)) => Err(error.clone()),
            None => Ok(stored.get(&list).copied().unwrap_or_default()),
        });
        match steps {
            Ok(steps) => {
                anew.into_iter().try_for_each(|list| tables.forget(list))?;
                steps.into_iter().try_for_each(|step| tables.apply(step))?;
                results.push(Ok(()));
            }
            Err(error) => results.push(Err(error)),
        }
    }
    if results.iter().any(Result::is_ok) {
        lengths.into_lists().into_iter().try_for_each(|(list, bounds)| tables.set_bounds(list, bounds))?;
        transaction.commit().await?;
    }
    Ok(results)
}

/// What is answered for a commit that appends to a database which lost everything before it.
pub(super) fn first_append(writes: &[Write]) -> Option<StoreError> {
    writes.iter().find_map(|write| match write {
        Write::Append { list, index, .. } => Some(StoreError::Hole { list: *list, index: *index, end: 0 }),
        _ => None,
    })
}

/// Whether `writes` drop what `list` holds before they write there. Then it may as well be damaged.
fn begins_anew(writes: &[Write], list: ListId) -> bool {
    let first = writes.iter().find(|write| write.list() == Some(list));
    matches!(first, Some(Write::Truncate { from: 0, .. }))
}

/// Lists with damaged bounds. Few, if any.
type Damaged = Vec<(ListId, StoreError)>;

/// What a transaction writes to.
pub(super) struct Tables {
    lists: IdbObjectStore,
    entries: IdbObjectStore,
    meta: IdbObjectStore,
}

impl Tables {
    pub(super) fn of(transaction: &Transaction) -> Result<Self, StoreError> {
        let [lists, entries, meta] = [LISTS, ENTRIES, META].map(|name| transaction.store(name));
        Ok(Self { lists: lists?, entries: entries?, meta: meta? })
    }

    /// The bounds of every list that `group` writes to; and the lists whose bounds cannot be read, with why.
    async fn bounds(&self, group: &[Vec<Write>]) -> Result<(BTreeMap<ListId, Bounds>, Damaged), StoreError> {
        let mut stored = BTreeMap::new();
        let mut asked = Vec::new();
        for list in group.iter().flatten().filter_map(Write::list) {
            if stored.insert(list, Bounds::default()).is_none() {
                asked.push((list, Asked::new(self.lists.get(&js_bytes(&list_key(list))))?));
            }
        }
        let mut damaged = Vec::new();
        for (list, asked) in asked {
            match bounds_in(list, asked.answer().await?) {
                Ok(bounds) => _ = stored.insert(list, bounds),
                Err(error) => damaged.push((list, error)),
            }
        }
        Ok((stored, damaged))
    }

    /// Requests that fail end the transaction, which tells.
    pub(super) fn apply(&self, step: Step<'_>) -> Result<(), StoreError> {
        let done = match step {
            Step::Put { list, index, bytes } => {
                let key = entry_key(list, index);
                self.entries.put_with_key(&js_bytes(&rows::sealed(&key, bytes)), &js_bytes(&key))
            }
            Step::Drop { list, range } => self.entries.delete(&entry_range(list, range.start, Some(range.end))?),
            Step::Meta { key, value: Some(value) } => {
                self.meta.put_with_key(&js_bytes(&rows::sealed(key.as_bytes(), value)), &key.into())
            }
            Step::Meta { key, value: None } => self.meta.delete(&key.into()),
        };
        done.map(drop).map_err(|error| error_of(&error))
    }

    pub(super) fn set_bounds(&self, list: ListId, bounds: Bounds) -> Result<(), StoreError> {
        let key = list_key(list);
        let done = if bounds == Bounds::default() {
            self.lists.delete(&js_bytes(&key))
        } else {
            self.lists.put_with_key(&js_bytes(&rows::bounds_row(&key, bounds)), &js_bytes(&key))
        };
        done.map(drop).map_err(|error| error_of(&error))
    }

    /// Drops a list of which it is not known where it begins and ends.
    fn forget(&self, list: ListId) -> Result<(), StoreError> {
        self.entries.delete(&entry_range(list, 0, None)?).map_err(|error| error_of(&error))?;
        self.set_bounds(list, Bounds::default())
    }
}

/// Every list of `room`, ascending. One whose bounds cannot be read is said to end at the greatest number.
pub(super) async fn lists(transaction: &Transaction, room: RoomId) -> Result<Vec<ListState>, StoreError> {
    let store = transaction.store(LISTS)?;
    let [low, high] = [0, u64::MAX].map(|list| js_bytes(&list_key(ListId { room, list })));
    let all = range(&low, &high, false)?;
    let keys = Asked::new(store.get_all_keys_with_key(&all))?;
    let rows = array(ask(store.get_all_with_key(&all)).await?)?;
    let keys = array(keys.answer().await?)?;
    let mut found = Vec::new();
    for (key, row) in keys.iter().zip(rows.iter()) {
        let list = list_of(&key_bytes(&key))?;
        let Bounds { first, end } = match bounds_in(list, row) {
            // One list's damage does not take the room: loading it tells.
            Err(StoreError::Corrupt(_)) => Bounds { first: 0, end: u64::MAX },
            bounds => bounds?,
        };
        found.push(ListState { list: list.list, first, end });
    }
    Ok(found)
}

/// Entries of `list` from `from` on, at most `limit`. All that its bounds promise, or an error.
pub(super) async fn load(
    transaction: &Transaction,
    list: ListId,
    from: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut pages = Pages { entries: transaction.store(ENTRIES)?, list, found: Vec::new() };
    let bounds = Asked::new(transaction.store(LISTS)?.get(&js_bytes(&list_key(list))))?;
    // Most lists are short, and there may be thousands: the first page is asked for before it is known what there is.
    let first = pages.ask(from, limit.min(STORE_PAGE_ENTRIES) + 1)?;
    let bounds = bounds_in(list, bounds.answer().await?)?;
    let start = from.max(bounds.first);
    let end = bounds.end.min(start.saturating_add(limit));
    let page_end = |start: u64| end.min(start.saturating_add(STORE_PAGE_ENTRIES));
    // Where the list ends, one entry more is asked for, which must not be there.
    let ask = |pages: &Pages, from| pages.ask(from, page_end(from) - from + u64::from(page_end(from) == bounds.end));
    let mut page = Some((start, first));
    while let Some((start, asked)) = page {
        let to = page_end(start);
        // The next is on its way while this is read.
        page = if to < end { Some((to, ask(&pages, to)?)) } else { None };
        pages.read(asked, start..to, to == bounds.end).await?;
    }
    Ok(pages.found)
}

/// What is read of a list, page by page.
struct Pages {
    entries: IdbObjectStore,
    list: ListId,
    found: Vec<Entry>,
}

impl Pages {
    fn ask(&self, from: u64, count: u64) -> Result<Asked, StoreError> {
        let range = entry_range(self.list, from, None)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Asked::new(self.entries.get_all_with_key_and_limit(&range, count))
    }

    /// Takes the entries of `range` from the page that begins with them, and has no others if they are the `last`.
    async fn read(&mut self, page: Asked, range: Range<u64>, last: bool) -> Result<(), StoreError> {
        let page = array(page.answer().await?)?;
        let (found, expected) = (u64::from(page.length()), range.end.saturating_sub(range.start));
        if found < expected || (last && found > expected) {
            return Err(damaged("the bounds of a list are not those of its entries"));
        }
        for (index, row) in range.zip(page.iter()) {
            // A check is over the key too: a row in the place of another does not pass.
            let bytes = rows::unseal(&entry_key(self.list, index), &bytes_of(row)?)?;
            self.found.push(Entry { index, bytes });
        }
        Ok(())
    }
}

/// A value of this node's own.
pub(super) async fn meta(transaction: &Transaction, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = ask(transaction.store(META)?.get(&key.into())).await?;
    if row.is_undefined() {
        return Ok(None);
    }
    rows::unseal(key.as_bytes(), &bytes_of(row)?).map(Some)
}

/// Keys that begin with `prefix`, ascending, at most `limit`.
pub(super) async fn keys(transaction: &Transaction, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
    // To the browser, 0 is no limit.
    if limit == 0 {
        return Ok(Vec::new());
    }
    let range = range(&prefix.into(), &format!("{prefix}\u{ffff}").into(), false)?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let keys = array(ask(transaction.store(META)?.get_all_keys_with_key_and_limit(&range, limit)).await?)?;
    keys.iter().map(|key| key.as_string().ok_or_else(|| damaged("a key that is no string"))).collect()
}

/// The bounds in a row, or of a list that has none.
fn bounds_in(list: ListId, row: JsValue) -> Result<Bounds, StoreError> {
    if row.is_undefined() {
        return Ok(Bounds::default());
    }
    rows::bounds_in(&list_key(list), &bytes_of(row)?)
}

/// The keys of a list's entries from `from` on, up to `to` or all of them.
fn entry_range(list: ListId, from: u64, to: Option<u64>) -> Result<JsValue, StoreError> {
    let high = entry_key(list, to.unwrap_or(u64::MAX));
    range(&js_bytes(&entry_key(list, from)), &js_bytes(&high), to.is_some())
}
