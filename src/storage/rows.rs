//! Keys and values as every durable store writes them, schema 2. Which tables there are is each store's own.
//!
//! A check is the first 8 bytes of a hash over key and value. Without checks a flipped bit would come back as data, and
//! without bounds a lost page as a shorter list.

use super::{ListId, StoreError, lengths::Bounds};
use crate::base::{RoomId, hash_parts};

/// Room, list u64 BE.
pub(super) type ListKey = [u8; 40];
/// Room, list u64 BE, index u64 BE.
pub(super) type EntryKey = [u8; 48];

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

/// The list that a key, or the beginning of one, names.
pub(super) fn list_of(key: &[u8]) -> Result<ListId, StoreError> {
    let split = key.split_first_chunk::<32>().and_then(|(room, rest)| Some((room, rest.first_chunk::<8>()?)));
    let (room, list) = split.ok_or_else(|| damaged("a key without a list"))?;
    Ok(ListId { room: RoomId(*room), list: u64::from_be_bytes(*list) })
}

/// The value of a list's bounds.
pub(super) fn bounds_row(key: &ListKey, bounds: Bounds) -> Vec<u8> {
    let value = [bounds.first.to_be_bytes(), bounds.end.to_be_bytes()].concat();
    sealed(key, &value)
}

/// The bounds in a value: of a list that is there.
pub(super) fn bounds_in(key: &ListKey, row: &[u8]) -> Result<Bounds, StoreError> {
    let value = unseal(key, row)?;
    let split = value.split_first_chunk::<8>().and_then(|(first, end)| Some((first, end.try_into().ok()?)));
    let (first, end) = split.ok_or_else(|| damaged("a list without bounds"))?;
    let bounds = Bounds { first: u64::from_be_bytes(*first), end: u64::from_be_bytes(end) };
    if bounds.end == 0 || bounds.first > bounds.end { Err(damaged("a list without bounds")) } else { Ok(bounds) }
}

/// The first bytes of a hash over both.
pub(super) fn check(key: &[u8], value: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash_parts(&[key, value]).0[..CHECK_BYTES]);
    check
}

/// `value` behind its check.
pub(super) fn sealed(key: &[u8], value: &[u8]) -> Vec<u8> {
    [check(key, value).as_slice(), value].concat()
}

/// What is behind a check.
pub(super) fn unseal(key: &[u8], stored: &[u8]) -> Result<Vec<u8>, StoreError> {
    match stored.split_at_checked(CHECK_BYTES) {
        Some((sum, value)) if sum == check(key, value) => Ok(value.to_vec()),
        _ => Err(damaged("a value does not match its check")),
    }
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}
