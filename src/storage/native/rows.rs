//! The tables of a store's file, schema 2.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `about` | `"schema"` | version, u32 BE. The same in every schema, so that an older peersync can tell |
//! | `lists` | room, list u64 BE | check, first u64 BE, end u64 BE |
//! | `log` | room, list u64 BE, index u64 BE | check, entry |
//! | `meta` | key | check, value |
//!
//! redb verifies its pages only when it repairs a file, hence the checks.

use redb::TableDefinition;

use super::{super::rows, database::Failure};

pub(super) use rows::{CHECK_BYTES, EntryKey, ListKey, bounds_in, bounds_row, entry_key, list_key, list_of, unseal};

pub(super) const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
pub(super) const LISTS: TableDefinition<'_, &ListKey, &[u8]> = TableDefinition::new("lists");
pub(super) const LOG: TableDefinition<'_, &EntryKey, &[u8]> = TableDefinition::new("log");
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

pub(super) const SCHEMA_KEY: &str = "schema";

/// Fills `slot`, which has [`CHECK_BYTES`] more than `value`.
pub(super) fn seal(key: &[u8], value: &[u8], slot: &mut [u8]) {
    let (check_slot, value_slot) = slot.split_at_mut(CHECK_BYTES);
    check_slot.copy_from_slice(&rows::check(key, value));
    value_slot.copy_from_slice(value);
}

pub(super) fn damaged(what: &str) -> Failure {
    rows::damaged(what).into()
}
