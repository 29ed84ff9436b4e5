//! The tables of a store's file, schema 2, and what their rows look like.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `about` | `"schema"` | version, u32 BE. The same in every schema, so that an older peersync can tell |
//! | `lists` | room, list u64 BE | check, first u64 BE, end u64 BE |
//! | `log` | room, list u64 BE, index u64 BE | check, entry |
//! | `meta` | key | check, value |
//!
//! A check is the first 8 bytes of a hash over key and value. redb verifies its pages only when it repairs a file:
//! without checks a flipped bit would come back as data, and without bounds a lost page as a shorter list.

use redb::TableDefinition;

use super::{
    super::{ListId, StoreError, lengths::Bounds},
    database::Failure,
};
use crate::base::{RoomId, hash_parts};

pub(super) type ListKey = [u8; 40];
pub(super) type EntryKey = [u8; 48];

pub(super) const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
pub(super) const LISTS: TableDefinition<'_, &ListKey, &[u8]> = TableDefinition::new("lists");
pub(super) const LOG: TableDefinition<'_, &EntryKey, &[u8]> = TableDefinition::new("log");
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

pub(super) const SCHEMA_KEY: &str = "schema";
/// Bytes before each value.
pub(super) const CHECK_BYTES: usize = 8;

pub(super) fn list_key(list: ListId) -> ListKey {
    let mut key = [0; 40];
    key[..32].copy_from_slice(&list.room.0);
    key[32..].copy_from_slice(&list.list.to_be_bytes());
    key
}

pub(super) fn entry_key(list: ListId, index: u64) -> EntryKey {
    let mut key = [0; 48];
    key[..40].copy_from_slice(&list_key(list));
    key[40..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The list that a key of `lists`, or the beginning of a key of `log`, names.
pub(super) fn list_of(key: &[u8]) -> Result<ListId, Failure> {
    let split = key.split_first_chunk::<32>().and_then(|(room, rest)| Some((room, rest.first_chunk::<8>()?)));
    let (room, list) = split.ok_or_else(|| damaged("a key without a list"))?;
    Ok(ListId { room: RoomId(*room), list: u64::from_be_bytes(*list) })
}

/// The row of a list's bounds.
pub(super) fn bounds_row(key: &ListKey, bounds: Bounds) -> Vec<u8> {
    let value = [bounds.first.to_be_bytes(), bounds.end.to_be_bytes()].concat();
    [check(key, &value).as_slice(), &value].concat()
}

/// The bounds in a row of `lists`: of a list that is there.
pub(super) fn bounds_in(key: &ListKey, row: &[u8]) -> Result<Bounds, Failure> {
    let value = unseal(key, row)?;
    let split = value.split_first_chunk::<8>().and_then(|(first, end)| Some((first, end.try_into().ok()?)));
    let (first, end) = split.ok_or_else(|| damaged("a list without bounds"))?;
    let bounds = Bounds { first: u64::from_be_bytes(*first), end: u64::from_be_bytes(end) };
    if bounds.end == 0 || bounds.first > bounds.end { Err(damaged("a list without bounds")) } else { Ok(bounds) }
}

fn check(key: &[u8], value: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash_parts(&[key, value]).0[..CHECK_BYTES]);
    check
}

/// Fills `slot`, which has [`CHECK_BYTES`] more than `value`.
pub(super) fn seal(key: &[u8], value: &[u8], slot: &mut [u8]) {
    let (check_slot, value_slot) = slot.split_at_mut(CHECK_BYTES);
    check_slot.copy_from_slice(&check(key, value));
    value_slot.copy_from_slice(value);
}

pub(super) fn unseal(key: &[u8], stored: &[u8]) -> Result<Vec<u8>, Failure> {
    match stored.split_at_checked(CHECK_BYTES) {
        Some((sum, value)) if sum == check(key, value) => Ok(value.to_vec()),
        _ => Err(damaged("a value does not match its check")),
    }
}

pub(super) fn damaged(what: &str) -> Failure {
    StoreError::Corrupt(what.to_owned()).into()
}
