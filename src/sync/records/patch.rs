//! A records patch: what one operation of kind `RECORDS` writes (SPEC §5.3). Canonical, bounded by the payload.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{
        Refusal,
        limits::{MAX_NAME_BYTES, MAX_POSITION_BYTES},
    },
    wire::{Reader, Value, WireError, put_string, put_uvarint, read_string},
};

use super::position::{Position, is_position};

/// What happens to a record when others change it while it is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletePolicy {
    /// Only a later creation brings it back.
    #[default]
    DeleteWins,
    /// Any later write brings it back whole.
    UpdateWins,
}

/// A value as it travels (SPEC 3.2): a twentieth of what it takes as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    pub(crate) fn of(value: &Value) -> Self {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        Self(bytes.into())
    }

    pub(crate) fn value(&self) -> Value {
        // It was made by `of` or read by `read`: it decodes.
        Value::decode(&mut Reader::new(&self.0)).unwrap_or(Value::Null)
    }

    /// Bytes it takes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    /// Reads one value, and keeps its bytes.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut rest = reader.clone();
        let value = Value::decode(&mut rest)?;
        if !has_plain_keys(&value) {
            return Err(WireError::NotCanonical("key"));
        }
        let bytes = reader.bytes(reader.remaining() - rest.remaining())?;
        Ok(Self(bytes.into()))
    }
}

/// One write to a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    /// It exists from now on.
    Create,
    /// A field has this value; `None`: it has none.
    Set(String, Option<Packed>),
    /// It stands here.
    Place(Position),
    /// It is gone.
    Delete(DeletePolicy),
}

/// All writes to one record, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) collection: String,
    pub(crate) id: String,
    pub(crate) writes: Vec<Write>,
}

const CREATE: u8 = 0;
const SET: u8 = 1;
const UNSET: u8 = 2;
const PLACE: u8 = 3;
const DELETE: u8 = 4;
const DELETE_UNLESS_UPDATED: u8 = 5;

/// Whether a name may stand for a collection, a record or a field. The three words are those by which a JavaScript
/// object's prototype is reached.
pub(crate) fn is_name(name: &str) -> bool {
    let reserved = matches!(name, "__proto__" | "constructor" | "prototype");
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains('\0') && !reserved
}

/// Whether a name may stand for a field: `id` is the record's own.
pub(crate) fn is_field(name: &str) -> bool {
    is_name(name) && name != "id"
}

/// Whether every key inside a value may stand in a JavaScript object.
pub(crate) fn has_plain_keys(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(has_plain_keys),
        Value::Object(fields) => fields.iter().all(|(key, value)| is_key(key) && has_plain_keys(value)),
        _ => true,
    }
}

/// A nested key may be empty, which JSON allows; otherwise it is a name.
fn is_key(key: &str) -> bool {
    key.is_empty() || is_name(key)
}

/// The payload of an operation that makes these writes.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut collections: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        let next = collections.len() as u64 + 1;
        match collections.get(entry.collection.as_str()) {
            Some(number) => put_uvarint(&mut out, *number),
            None => {
                put_uvarint(&mut out, 0);
                put_string(&mut out, &entry.collection);
                collections.insert(&entry.collection, next);
            }
        }
        put_string(&mut out, &entry.id);
        put_uvarint(&mut out, entry.writes.len() as u64);
        entry.writes.iter().for_each(|write| put_write(&mut out, write));
    }
    out
}

/// Bytes that an entry takes at most.
pub(crate) fn encoded_len(entry: &Entry) -> usize {
    encode(std::slice::from_ref(entry)).len()
}

/// Reads a payload whole.
///
/// # Errors
/// [`Refusal::BadRecords`], under which the operation is void.
pub(crate) fn decode(payload: &[u8]) -> Result<Vec<Entry>, Refusal> {
    read(payload).map_err(|_| Refusal::BadRecords)
}

fn put_write(out: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Create => out.push(CREATE),
        Write::Set(name, Some(value)) => {
            out.push(SET);
            put_string(out, name);
            out.extend_from_slice(&value.0);
        }
        Write::Set(name, None) => {
            out.push(UNSET);
            put_string(out, name);
        }
        Write::Place(position) => {
            out.push(PLACE);
            put_uvarint(out, position.len() as u64);
            out.extend_from_slice(position);
        }
        Write::Delete(DeletePolicy::DeleteWins) => out.push(DELETE),
        Write::Delete(DeletePolicy::UpdateWins) => out.push(DELETE_UNLESS_UPDATED),
    }
}

fn read(payload: &[u8]) -> Result<Vec<Entry>, WireError> {
    let mut reader = Reader::new(payload);
    let mut entries: Vec<Entry> = Vec::new();
    let (mut collections, mut seen) = (Vec::<String>::new(), BTreeSet::new());
    while !reader.is_empty() {
        let collection = match reader.length("collection", collections.len())? {
            0 => {
                let name = read_name(&mut reader)?;
                if !seen.insert(name.clone()) {
                    return Err(WireError::NotCanonical("collection"));
                }
                collections.push(name.clone());
                name
            }
            known => collections.get(known - 1).cloned().ok_or(WireError::NotCanonical("collection"))?,
        };
        let id = read_name(&mut reader)?;
        // A write takes a byte at least.
        let count = reader.length("writes", reader.remaining())?;
        if count == 0 {
            return Err(WireError::NotCanonical("writes"));
        }
        let mut writes = Vec::new();
        for _ in 0..count {
            writes.push(read_write(&mut reader)?);
        }
        entries.push(Entry { collection, id, writes });
    }
    if entries.is_empty() { Err(WireError::Truncated) } else { Ok(entries) }
}

fn read_write(reader: &mut Reader<'_>) -> Result<Write, WireError> {
    Ok(match reader.u8()? {
        CREATE => Write::Create,
        SET => {
            let name = read_field(reader)?;
            Write::Set(name, Some(Packed::read(reader)?))
        }
        UNSET => Write::Set(read_field(reader)?, None),
        PLACE => {
            let position = reader.byte_string("position", MAX_POSITION_BYTES)?;
            if !is_position(position) {
                return Err(WireError::NotCanonical("position"));
            }
            Write::Place(position.to_vec())
        }
        DELETE => Write::Delete(DeletePolicy::DeleteWins),
        DELETE_UNLESS_UPDATED => Write::Delete(DeletePolicy::UpdateWins),
        value => return Err(WireError::Unknown { what: "write", value: u64::from(value) }),
    })
}

fn read_name(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let name = read_string(reader, "name", MAX_NAME_BYTES)?;
    if is_name(&name) { Ok(name) } else { Err(WireError::NotCanonical("name")) }
}

fn read_field(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let name = read_name(reader)?;
    if is_field(&name) { Ok(name) } else { Err(WireError::NotCanonical("field")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Entry> {
        let entry = |collection: &str, id: &str, writes| Entry { collection: collection.into(), id: id.into(), writes };
        vec![
            entry(
                "shapes",
                "a",
                vec![
                    Write::Create,
                    Write::Place(vec![128, 0, 0, 0, 1]),
                    Write::Set("x".into(), Some(Packed::of(&Value::Number(1.5)))),
                    Write::Set("y".into(), None),
                ],
            ),
            entry("shapes", "b", vec![Write::Delete(DeletePolicy::DeleteWins)]),
            entry("items", "a", vec![Write::Delete(DeletePolicy::UpdateWins)]),
        ]
    }

    #[test]
    fn l1_patches_round_trip_and_only_one_form_decodes() {
        let bytes = encode(&sample());
        assert_eq!(decode(&bytes), Ok(sample()));
        let whole = |cut: usize| decode(&bytes[..cut]).is_ok_and(|entries| encode(&entries) == bytes[..cut]);
        // A cut between entries is a shorter patch; any other cut is none.
        assert_eq!((0..bytes.len()).filter(|cut| whole(*cut)).count(), 2);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                if let Ok(entries) = decode(&changed) {
                    assert_eq!(encode(&entries), changed);
                }
            }
        }
    }

    #[test]
    fn l1_names_that_reach_a_prototype_or_are_too_long_are_refused() {
        let with = |collection: &str, id: &str, field: &str, key: &str| {
            let value = Value::Object([(key.to_owned(), Value::Null)].into());
            let writes = vec![Write::Set(field.into(), Some(Packed::of(&value)))];
            decode(&encode(&[Entry { collection: collection.into(), id: id.into(), writes }]))
        };
        assert!(with("c", "i", "f", "k").is_ok());
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for bad in ["__proto__", "constructor", "prototype", "nul\0", &long] {
            assert_eq!(with(bad, "i", "f", "k"), Err(Refusal::BadRecords), "{bad}");
            assert_eq!(with("c", bad, "f", "k"), Err(Refusal::BadRecords), "{bad}");
            assert_eq!(with("c", "i", bad, "k"), Err(Refusal::BadRecords), "{bad}");
            assert_eq!(with("c", "i", "f", bad), Err(Refusal::BadRecords), "{bad}");
        }
        assert_eq!(with("c", "i", "id", "k"), Err(Refusal::BadRecords));
        assert_eq!(with("", "i", "f", "k"), Err(Refusal::BadRecords));
    }
}
