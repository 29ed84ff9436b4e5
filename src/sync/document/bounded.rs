//! Decodes a whole document (Yjs update, v2 encoding) within limits. In that encoding a few bytes can stand for any
//! number of structs, and yrs takes memory for what is declared: numbers are looked at before it sees them.

use std::sync::Arc;

use yrs::{
    Any, ClientID, ID, Update,
    any::Number,
    encoding::{
        read::{Cursor, Error, Read},
        varint::VarInt,
    },
    updates::decoder::{Decode, Decoder, DecoderV2},
};

use crate::{
    base::limits::{MAX_SNAPSHOT_ELEMENTS, MAX_YJS_CLOCK},
    wire::Reader,
};

/// How deep a value nests: as deep as a JSON parser goes, which is deeper than operations may.
const MAX_DEPTH: usize = 128;
/// Columns that come before the structs.
const COLUMNS: usize = 9;
/// Kinds of structs, as their lower bits say.
const GC: u8 = 0;
const DELETED: u8 = 1;
const JSON: u8 = 2;
const STRING: u8 = 4;
const VALUES: u8 = 8;
const DOCUMENT: u8 = 9;
const SKIP: u8 = 10;

/// Decodes `state`, which says in at most [`MAX_SNAPSHOT_ELEMENTS`] structs, values and ranges what there is.
pub(super) fn decode(state: &[u8]) -> Result<Update, String> {
    check_columns(state).ok_or("the columns are damaged")?;
    let inner = DecoderV2::new(Cursor::new(state)).map_err(|error| error.to_string())?;
    let mut decoder =
        Bounded { inner, left: MAX_SNAPSHOT_ELEMENTS, number: 0, shift: 0, free: false, kind: GC, clock: 0, range: 0 };
    Update::decode(&mut decoder).map_err(|error| error.to_string())
}

fn check_columns(state: &[u8]) -> Option<()> {
    let mut reader = Reader::new(state);
    reader.u8().ok()?;
    for _ in 0..COLUMNS {
        reader.byte_string("column", state.len()).ok()?;
    }
    Some(())
}

struct Bounded<'a> {
    inner: DecoderV2<'a>,
    /// Elements that may still come.
    left: usize,
    /// The number being read.
    number: u64,
    shift: u32,
    /// It is an id or a clock, not a count.
    free: bool,
    /// What the struct being read is.
    kind: u8,
    /// Clock of the client being read.
    clock: u64,
    /// End of the last delete range.
    range: u32,
}

fn over() -> Error {
    Error::Custom("over the limit of a document".to_owned())
}

impl Bounded<'_> {
    fn take(&mut self, count: usize) -> Result<(), Error> {
        self.left = self.left.checked_sub(count).ok_or_else(over)?;
        Ok(())
    }

    fn advance(&mut self, clocks: u64) -> Result<(), Error> {
        self.clock = self.clock.saturating_add(clocks);
        if self.clock > MAX_YJS_CLOCK { Err(over()) } else { Ok(()) }
    }

    fn any(&mut self, depth: usize) -> Result<Any, Error> {
        self.take(1)?;
        if depth > MAX_DEPTH {
            return Err(over());
        }
        Ok(match self.inner.read_u8()? {
            127 => Any::Undefined,
            126 => Any::Null,
            125 => Any::Number(Number::Int(self.inner.read_var::<i64>()?)),
            124 => Any::Number(Number::Float(f64::from(self.inner.read_f32()?))),
            123 => Any::Number(Number::Float(self.inner.read_f64()?)),
            122 => Any::Number(Number::Int(self.inner.read_i64()?)),
            121 => Any::Bool(false),
            120 => Any::Bool(true),
            119 => Any::String(self.text()?.into()),
            118 => {
                let mut entries = Vec::new();
                for _ in 0..self.inner.read_var::<u32>()? {
                    entries.push((self.text()?, self.any(depth + 1)?));
                }
                Any::Map(Arc::new(entries.into_iter().collect()))
            }
            117 => {
                let mut items = Vec::new();
                for _ in 0..self.inner.read_var::<u32>()? {
                    items.push(self.any(depth + 1)?);
                }
                Any::Array(items.into())
            }
            116 => Any::Buffer(Arc::from(self.inner.read_buf()?)),
            _ => return Err(Error::UnexpectedValue),
        })
    }

    /// A string of a value: those are not in the column of strings.
    fn text(&mut self) -> Result<String, Error> {
        let len: u32 = self.inner.read_var()?;
        let bytes = self.inner.read_exact(len as usize)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Error::UnexpectedValue)
    }
}

impl Read for Bounded<'_> {
    fn read_exact(&mut self, len: usize) -> Result<&[u8], Error> {
        self.inner.read_exact(len)
    }

    fn read_u8(&mut self) -> Result<u8, Error> {
        let byte = self.inner.read_u8()?;
        self.number |= u64::from(byte & 0x7f).checked_shl(self.shift).unwrap_or(u64::MAX);
        self.shift += 7;
        Ok(byte)
    }

    fn read_var<T: VarInt>(&mut self) -> Result<T, Error> {
        (self.number, self.shift) = (0, 0);
        let value = T::read(self)?;
        let max = if self.free { (1 << 53) - 1 } else { self.left as u64 };
        if self.number > max {
            return Err(over());
        }
        if self.free {
            self.clock = self.number;
        }
        self.free = false;
        Ok(value)
    }

    fn read_string(&mut self) -> Result<&str, Error> {
        let counts = self.kind == STRING;
        let text = self.inner.read_string()?;
        if counts {
            // At least as many bytes as units; names are counted along.
            self.clock = self.clock.saturating_add(text.len() as u64);
        }
        Ok(text)
    }
}

impl Decoder for Bounded<'_> {
    fn reset_ds_cur_val(&mut self) {
        self.range = 0;
        self.free = true;
    }

    fn read_ds_clock(&mut self) -> Result<u32, Error> {
        self.take(1)?;
        self.range = self.range.checked_add(self.inner.read_var()?).ok_or_else(over)?;
        Ok(self.range)
    }

    fn read_ds_len(&mut self) -> Result<u32, Error> {
        let len = self.inner.read_var::<u32>()?.checked_add(1).ok_or_else(over)?;
        self.range = self.range.checked_add(len).ok_or_else(over)?;
        Ok(len)
    }

    fn read_left_id(&mut self) -> Result<ID, Error> {
        self.inner.read_left_id()
    }

    fn read_right_id(&mut self) -> Result<ID, Error> {
        self.inner.read_right_id()
    }

    fn read_client(&mut self) -> Result<ClientID, Error> {
        self.free = true;
        self.inner.read_client()
    }

    fn read_info(&mut self) -> Result<u8, Error> {
        self.take(1)?;
        let info = self.inner.read_info()?;
        self.kind = info & 0x0f;
        // A whole document has no holes, and judged operations no documents inside.
        if self.kind == SKIP || self.kind == DOCUMENT || self.kind == JSON {
            return Err(Error::UnexpectedValue);
        }
        self.advance(1)?;
        Ok(info)
    }

    fn read_parent_info(&mut self) -> Result<bool, Error> {
        self.inner.read_parent_info()
    }

    fn read_type_ref(&mut self) -> Result<u8, Error> {
        self.inner.read_type_ref()
    }

    fn read_len(&mut self) -> Result<u32, Error> {
        let len = self.inner.read_len()?;
        if self.kind == VALUES && len as usize > self.left {
            return Err(over());
        }
        if matches!(self.kind, GC | DELETED | VALUES) {
            self.advance(u64::from(len))?;
        }
        Ok(len)
    }

    fn read_any(&mut self) -> Result<Any, Error> {
        self.any(0)
    }

    fn read_json(&mut self) -> Result<Any, Error> {
        self.any(0)
    }

    fn read_key(&mut self) -> Result<Arc<str>, Error> {
        self.inner.read_key()
    }

    fn read_to_end(&mut self) -> Result<&[u8], Error> {
        self.inner.read_to_end()
    }
}

#[cfg(test)]
mod tests {
    use yrs::updates::encoder::Encode;

    use super::*;
    use crate::{sync::document::Documents, wire::put_uvarint};

    /// A document that says: `counts` (clients, structs), then nothing in the columns.
    fn declaring(counts: &[u64], columns: [&[u8]; COLUMNS]) -> Vec<u8> {
        let mut bytes = vec![0];
        for column in columns {
            put_uvarint(&mut bytes, column.len() as u64);
            bytes.extend_from_slice(column);
        }
        counts.iter().for_each(|count| put_uvarint(&mut bytes, *count));
        bytes
    }

    fn sample() -> Vec<u8> {
        let mut documents = Documents::new(7);
        documents.insert("n", 0, "hello", None).unwrap();
        documents.insert("n", 2, "😀", None).unwrap();
        documents.delete("n", 0, 2).unwrap();
        documents.map_set("m", "k", &crate::wire::Value::Array(vec![crate::wire::Value::Bool(true)])).unwrap();
        documents.encode_state_v2()
    }

    #[test]
    fn f5_what_was_written_is_read() {
        assert_eq!(decode(&sample()).unwrap().encode_v1(), Update::decode_v2(&sample()).unwrap().encode_v1());
    }

    #[test]
    fn f5_a_few_bytes_that_stand_for_gigabytes_are_refused_before_they_take_memory() {
        let none: [&[u8]; COLUMNS] = [&[]; COLUMNS];
        // Clients, structs.
        assert!(decode(&declaring(&[u64::from(u32::MAX)], none)).is_err());
        let mut columns = none;
        // One client id; every struct is the same: collected garbage of length 1.
        columns[1] = &[1];
        columns[4] = &[0];
        columns[8] = &[1];
        for structs in [MAX_SNAPSHOT_ELEMENTS as u64 + 1, u64::from(u32::MAX)] {
            assert!(decode(&declaring(&[1, structs, 0, 0], columns)).is_err());
        }
        // A value that is a list of four billion values; lists within lists.
        columns[4] = &[VALUES];
        let mut many = declaring(&[1, 1, 0], columns);
        many.extend_from_slice(&[117, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(decode(&many).is_err());
        let mut deep = declaring(&[1, 1, 0], columns);
        deep.extend(std::iter::repeat_n([117, 1], 100_000).flatten());
        assert!(decode(&deep).is_err());
    }

    #[test]
    fn f5_cuts_and_flips_do_not_panic() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            let _ = decode(&bytes[..cut]);
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                // What is refused is refused, what decodes decodes; yrs asserts in debug builds what it does not check.
                let _ = std::panic::catch_unwind(|| decode(&changed).map(|_| ()));
            }
        }
    }
}
