//! All records as bytes, tombstones and stamps included: for snapshots (SPEC F3).

use super::{
    Cell, Collection, Record, Records, Stamp,
    patch::{Packed, is_field, is_name},
    position::is_position,
};
use crate::{
    base::{
        Hlc, WriterId,
        limits::{MAX_NAME_BYTES, MAX_POSITION_BYTES},
    },
    wire::{Reader, WireError, put_string, put_uvarint, read_string},
};

/// What is known of a record, as flags.
const CREATED: u8 = 1;
const ERASED: u8 = 2;
const HIDDEN: u8 = 4;
const PLACED: u8 = 8;

/// A stamp beside the one before it: the same operation's next write, the same writer, or anything.
const NEXT: u8 = 0;
const SAME_WRITER: u8 = 1;
const OTHER: u8 = 2;

impl Records {
    pub(crate) fn encode_state(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stamps = Stamps::default();
        put_uvarint(&mut out, self.collections.len() as u64);
        for (name, collection) in &self.collections {
            put_string(&mut out, name);
            put_uvarint(&mut out, collection.records.len() as u64);
            for (id, record) in &collection.records {
                put_string(&mut out, id);
                put_record(&mut out, &mut stamps, record);
            }
        }
        out
    }

    /// Reads what [`Records::encode_state`] wrote.
    pub(crate) fn decode_state(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let mut stamps = Stamps::default();
        let mut records = Self::default();
        for _ in 0..reader.length("collections", reader.remaining() / 2)? {
            let name = read_named(&mut reader)?;
            let mut collection = Collection::default();
            for _ in 0..reader.length("records", reader.remaining() / 2)? {
                let id = read_named(&mut reader)?;
                let record = read_record(&mut reader, &mut stamps)?;
                if record.is_visible() {
                    collection.order.insert((record.order_key(), id.clone()));
                }
                if collection.records.insert(id, record).is_some() {
                    return Err(WireError::NotCanonical("records"));
                }
            }
            if records.collections.insert(name, collection).is_some() {
                return Err(WireError::NotCanonical("collections"));
            }
        }
        reader.finish()?;
        Ok(records)
    }
}

#[derive(Default)]
struct Stamps {
    last: Stamp,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { hlc: Hlc(0), writer: WriterId(0), number: 0 }
    }
}

impl Stamps {
    fn put(&mut self, out: &mut Vec<u8>, stamp: Stamp) {
        let last = std::mem::replace(&mut self.last, stamp);
        if stamp == (Stamp { number: last.number.wrapping_add(1), ..last }) {
            out.push(NEXT);
            return;
        }
        out.push(if stamp.writer == last.writer { SAME_WRITER } else { OTHER });
        if stamp.writer != last.writer {
            out.extend_from_slice(&stamp.writer.0.to_be_bytes());
        }
        // Zigzag: the fields of a record were written in any order.
        let distance = stamp.hlc.0.wrapping_sub(last.hlc.0).cast_signed();
        put_uvarint(out, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
        put_uvarint(out, u64::from(stamp.number));
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<Stamp, WireError> {
        let mut stamp = self.last;
        match reader.u8()? {
            NEXT => stamp.number = stamp.number.wrapping_add(1),
            tag @ (SAME_WRITER | OTHER) => {
                if tag == OTHER {
                    stamp.writer = reader.writer()?;
                }
                let zigzag = reader.uvarint()?;
                let distance = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
                stamp.hlc = Hlc(stamp.hlc.0.wrapping_add(distance));
                stamp.number =
                    u32::try_from(reader.uvarint()?).map_err(|_| WireError::NotCanonical("number of a write"))?;
            }
            value => return Err(WireError::Unknown { what: "stamp", value: u64::from(value) }),
        }
        if !stamp.hlc.in_range() {
            return Err(WireError::NotCanonical("stamp"));
        }
        self.last = stamp;
        Ok(stamp)
    }
}

fn put_record(out: &mut Vec<u8>, stamps: &mut Stamps, record: &Record) {
    let flags = [
        (record.created.is_some(), CREATED),
        (record.erased.is_some(), ERASED),
        (record.hidden.is_some(), HIDDEN),
        (record.position.is_some(), PLACED),
    ];
    out.push(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum());
    for stamp in [record.created, record.erased, record.hidden].into_iter().flatten() {
        stamps.put(out, stamp);
    }
    if let Some((stamp, position)) = &record.position {
        stamps.put(out, *stamp);
        put_uvarint(out, position.len() as u64);
        out.extend_from_slice(position);
    }
    put_uvarint(out, record.cells.len() as u64);
    for (name, cell) in &record.cells {
        put_string(out, name);
        stamps.put(out, cell.stamp);
        out.push(u8::from(cell.value.is_some()));
        if let Some(value) = &cell.value {
            value.put(out);
        }
    }
}

fn read_record(reader: &mut Reader<'_>, stamps: &mut Stamps) -> Result<Record, WireError> {
    let flags = reader.u8()?;
    if flags > CREATED | ERASED | HIDDEN | PLACED {
        return Err(WireError::Unknown { what: "record", value: u64::from(flags) });
    }
    let mut stamp = |flag: u8, reader: &mut Reader<'_>| (flags & flag != 0).then(|| stamps.read(reader)).transpose();
    let mut record = Record {
        created: stamp(CREATED, reader)?,
        erased: stamp(ERASED, reader)?,
        hidden: stamp(HIDDEN, reader)?,
        ..Record::default()
    };
    if let Some(stamp) = stamp(PLACED, reader)? {
        let position = reader.byte_string("position", MAX_POSITION_BYTES)?;
        if !is_position(position) {
            return Err(WireError::NotCanonical("position"));
        }
        record.position = Some((stamp, position.to_vec()));
    }
    for _ in 0..reader.length("fields", reader.remaining() / 3)? {
        let name = read_named(reader)?;
        let stamp = stamps.read(reader)?;
        let value = (reader.u8()? != 0).then(|| Packed::read(reader)).transpose()?;
        if !is_field(&name) || record.cells.insert(name, Cell { stamp, value }).is_some() {
            return Err(WireError::NotCanonical("fields"));
        }
    }
    Ok(record)
}

fn read_named(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let name = read_string(reader, "name", MAX_NAME_BYTES)?;
    if is_name(&name) { Ok(name) } else { Err(WireError::NotCanonical("name")) }
}
