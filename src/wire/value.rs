//! JSON values as bytes, inside record patches and presence (SPEC §3.2). Canonical: what decodes, encodes to the same
//! bytes. Depth and sizes are checked while reading.

use std::collections::BTreeMap;

use super::{Reader, WireError, put_uvarint};
use crate::base::limits::{MAX_PAYLOAD_BYTES, MAX_VALUE_DEPTH};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object, keys ascending.
    Object(BTreeMap<String, Self>),
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INTEGER: u8 = 3;
const FLOAT: u8 = 4;
const STRING: u8 = 5;
const ARRAY: u8 = 6;
const OBJECT: u8 = 7;

/// Integers up to here, either way, are exact in JavaScript and travel as varints.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

impl Value {
    /// Appends the value's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(NULL),
            Self::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
            Self::Number(value) => put_number(*value, out),
            Self::String(text) => {
                out.push(STRING);
                put_string(out, text);
            }
            Self::Array(items) => {
                out.push(ARRAY);
                put_uvarint(out, items.len() as u64);
                items.iter().for_each(|item| item.encode(out));
            }
            Self::Object(fields) => {
                out.push(OBJECT);
                put_uvarint(out, fields.len() as u64);
                for (key, value) in fields {
                    put_string(out, key);
                    value.encode(out);
                }
            }
        }
    }

    /// Reads one value; more may follow.
    ///
    /// # Errors
    /// [`WireError`]: cut off, not canonical, not finite, or nested deeper than [`MAX_VALUE_DEPTH`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::read(reader, 0)
    }

    /// How deep it nests: 0 for what is neither array nor object.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(fields) => 1 + fields.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Self, WireError> {
        if depth > MAX_VALUE_DEPTH {
            return Err(WireError::TooLarge {
                what: "nesting of a value",
                len: depth as u64,
                max: MAX_VALUE_DEPTH as u64,
            });
        }
        Ok(match reader.u8()? {
            NULL => Self::Null,
            FALSE => Self::Bool(false),
            TRUE => Self::Bool(true),
            INTEGER => read_integer(reader.uvarint()?)?,
            FLOAT => read_float(f64::from_bits(reader.u64()?))?,
            STRING => Self::String(read_string(reader, "string", MAX_PAYLOAD_BYTES)?),
            ARRAY => {
                // An item takes a byte at least, so that a count cannot ask for more than is there.
                let count = reader.length("array", reader.remaining())?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(Self::read(reader, depth + 1)?);
                }
                Self::Array(items)
            }
            OBJECT => {
                let count = reader.length("object", reader.remaining())?;
                let mut fields = BTreeMap::new();
                for _ in 0..count {
                    let key = read_string(reader, "key", MAX_PAYLOAD_BYTES)?;
                    if fields.last_key_value().is_some_and(|(last, _)| *last >= key) {
                        return Err(WireError::NotCanonical("order of keys"));
                    }
                    fields.insert(key, Self::read(reader, depth + 1)?);
                }
                Self::Object(fields)
            }
            value => return Err(WireError::Unknown { what: "value tag", value: u64::from(value) }),
        })
    }
}

/// Appends a string's length and bytes.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads a string of at most `max` bytes.
///
/// # Errors
/// [`WireError`]: too long, cut off, or not UTF-8.
pub fn read_string(reader: &mut Reader<'_>, what: &'static str, max: usize) -> Result<String, WireError> {
    let bytes = reader.byte_string(what, max)?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| WireError::NotCanonical(what))
}

fn put_number(value: f64, out: &mut Vec<u8>) {
    if is_integer(value) {
        out.push(INTEGER);
        let magnitude = value.abs() as u64;
        // Zigzag: small numbers of either sign stay short.
        put_uvarint(out, if value < 0.0 { magnitude * 2 - 1 } else { magnitude * 2 });
    } else {
        out.push(FLOAT);
        out.extend_from_slice(&value.to_bits().to_be_bytes());
    }
}

fn is_integer(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= MAX_SAFE && !(value == 0.0 && value.is_sign_negative())
}

fn read_integer(zigzag: u64) -> Result<Value, WireError> {
    let magnitude = zigzag.div_ceil(2) as f64;
    if magnitude > MAX_SAFE {
        return Err(WireError::NotCanonical("integer"));
    }
    Ok(Value::Number(if zigzag % 2 == 1 { -magnitude } else { magnitude }))
}

fn read_float(value: f64) -> Result<Value, WireError> {
    if !value.is_finite() || is_integer(value) {
        Err(WireError::NotCanonical("number"))
    } else {
        Ok(Value::Number(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        value.encode(&mut out);
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Value, WireError> {
        let mut reader = Reader::new(bytes);
        let value = Value::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    fn samples() -> Vec<Value> {
        let numbers = [0.0, 1.0, -1.0, 0.5, -0.0, MAX_SAFE, -MAX_SAFE, 2.0 * MAX_SAFE, f64::MIN_POSITIVE, f64::MAX];
        let mut all: Vec<Value> = numbers.into_iter().map(Value::Number).collect();
        all.extend([Value::Null, Value::Bool(true), Value::Bool(false), Value::String("ä😀\0".into())]);
        let object = BTreeMap::from([("a".to_owned(), Value::Array(all.clone())), (String::new(), Value::Null)]);
        all.push(Value::Object(object));
        all
    }

    #[test]
    fn w7_values_round_trip() {
        for value in samples() {
            let bytes = encoded(&value);
            let back = decoded(&bytes).unwrap();
            assert_eq!(encoded(&back), bytes, "{value:?}");
            assert_eq!(back, value);
        }
    }

    #[test]
    fn w7_only_one_form_of_a_value_decodes() {
        let float = |value: f64| [&[FLOAT], value.to_bits().to_be_bytes().as_slice()].concat();
        for value in [1.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(decoded(&float(value)).is_err(), "{value}");
        }
        assert!(decoded(&[INTEGER, 0x81, 0x00]).is_err());
        assert!(decoded(&[STRING, 1, 0xff]).is_err());
        assert!(decoded(&[OBJECT, 2, 1, b'b', NULL, 1, b'a', NULL]).is_err());
        assert!(decoded(&[OBJECT, 2, 1, b'a', NULL, 1, b'a', NULL]).is_err());
        assert!(decoded(&[8]).is_err());
        assert!(decoded(&[NULL, NULL]).is_err());
    }

    #[test]
    fn w2_values_nest_and_count_within_limits() {
        let nested = |depth: usize| [[ARRAY, 1].repeat(depth), vec![NULL]].concat();
        assert!(decoded(&nested(MAX_VALUE_DEPTH)).is_ok());
        assert!(decoded(&nested(MAX_VALUE_DEPTH + 1)).is_err());
        assert!(decoded(&nested(60_000)).is_err());
        assert!(decoded(&[ARRAY, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        for value in samples() {
            let bytes = encoded(&value);
            assert!((0..bytes.len()).all(|cut| decoded(&bytes[..cut]).is_err()));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut changed = bytes.clone();
                    changed[at] ^= 1 << bit;
                    if let Ok(other) = decoded(&changed) {
                        assert_eq!(encoded(&other), changed);
                    }
                }
            }
        }
    }
}
