//! One form for own updates: yrs writes the keys of an object in the order of a hash map, which differs from run to run,
//! and a seed must replay.

use std::borrow::Cow;

use super::Inspector;
use crate::wire::{Reader, put_uvarint};

const OBJECT: u8 = 118;
const ARRAY: u8 = 117;

/// The update with the keys of every object ascending. It means the same and is as long.
pub(super) fn canonical(bytes: &[u8], client: u64) -> Cow<'_, [u8]> {
    if !bytes.contains(&OBJECT) {
        return Cow::Borrowed(bytes);
    }
    let mut inspector = Inspector::new(bytes, client);
    if inspector.structs().is_err() {
        return Cow::Borrowed(bytes);
    }
    let mut sorted = bytes.to_vec();
    for range in inspector.values {
        let Some(value) = bytes.get(range.clone()) else { continue };
        let mut written = Vec::with_capacity(value.len());
        let read = copy(&mut Reader::new(value), &mut written);
        if let Some(place) = sorted.get_mut(range).filter(|place| read.is_some() && place.len() == written.len()) {
            place.copy_from_slice(&written);
        }
    }
    Cow::Owned(sorted)
}

/// Copies one lib0 `any` value. Depth is bounded by what `inspect` has read.
fn copy(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let tag = reader.u8().ok()?;
    out.push(tag);
    match tag {
        OBJECT => {
            let count = reader.uvarint().ok()?;
            put_uvarint(out, count);
            let mut fields = Vec::new();
            for _ in 0..count {
                let key = reader.byte_string("key", reader.remaining()).ok()?;
                let mut value = Vec::new();
                copy(reader, &mut value)?;
                fields.push((key, value));
            }
            fields.sort_by(|one, other| one.0.cmp(other.0));
            for (key, value) in fields {
                put_uvarint(out, key.len() as u64);
                out.extend_from_slice(key);
                out.extend_from_slice(&value);
            }
        }
        ARRAY => {
            let count = reader.uvarint().ok()?;
            put_uvarint(out, count);
            for _ in 0..count {
                copy(reader, out)?;
            }
        }
        119 | 116 => {
            let bytes = reader.byte_string("string", reader.remaining()).ok()?;
            put_uvarint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        122 | 123 => out.extend_from_slice(reader.bytes(8).ok()?),
        124 => out.extend_from_slice(reader.bytes(4).ok()?),
        125 => loop {
            let byte = reader.u8().ok()?;
            out.push(byte);
            if byte & 0x80 == 0 {
                break;
            }
        },
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use yrs::{Any, Array, Transact};

    use super::*;

    #[test]
    fn y7_objects_are_written_in_one_form() {
        let mut forms = std::collections::BTreeSet::new();
        for _ in 0..20 {
            // A new map each time: each has its own order.
            let fields = |letters: &str| letters.chars().map(|letter| (letter.to_string(), Any::from(1))).collect();
            let nested = Any::Map(Arc::new(fields("kvgcb")));
            let list = Any::Array([nested, Any::from(0.1), Any::from("v")].into());
            let outer = "zyxfa".chars().map(|letter| (letter.to_string(), list.clone())).collect();
            let doc = yrs::Doc::with_client_id(7);
            let list = doc.get_or_insert_array("l");
            let mut txn = doc.transact_mut();
            list.push_back(&mut txn, Any::Map(Arc::new(outer)));
            let update = txn.encode_update_v1();
            let sorted = canonical(&update, 7).into_owned();
            assert_eq!(sorted.len(), update.len());
            assert_eq!(canonical(&sorted, 7), sorted);
            super::super::inspect(&sorted, 7).unwrap();
            forms.insert(sorted);
        }
        assert_eq!(forms.len(), 1);
    }
}
