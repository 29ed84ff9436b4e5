//! Reading and writing primitives: unsigned varints (LEB128, minimal form only), fixed arrays, byte strings.

use thiserror::Error;

use crate::base::{AuthorId, Hash, Hlc, RoomId, Signature, WriterId};

/// Why bytes do not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end too early.
    #[error("the message ends too early")]
    Truncated,
    /// Bytes follow the end.
    #[error("bytes follow the end of the message")]
    Trailing,
    /// A varint is longer than needed or does not fit.
    #[error("a number is not in its canonical form")]
    BadVarint,
    /// A count or length is over its limit.
    #[error("{what} is over its limit: {len} > {max}")]
    TooLarge {
        /// Which field.
        what: &'static str,
        /// What was declared.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A tag or flag that this version does not know.
    #[error("{what} has the unknown value {value}")]
    Unknown {
        /// Which field.
        what: &'static str,
        /// The value.
        value: u64,
    },
    /// A list that must ascend strictly does not, or a number is out of range.
    #[error("{0} is not canonical")]
    NotCanonical(&'static str),
}

/// Appends `value` as an unsigned LEB128 varint: 1 to 10 bytes.
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A cursor over received bytes. Nothing here allocates more than the bytes that are really there.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The next byte, which stays.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        let (first, rest) = self.rest.split_first().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        if len > self.rest.len() {
            return Err(WireError::Truncated);
        }
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut out = [0u8; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }

    /// A varint in its shortest form.
    pub fn uvarint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(WireError::BadVarint);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(WireError::BadVarint) } else { Ok(value) };
            }
        }
        Err(WireError::BadVarint)
    }

    /// A varint of at most `max`, for counts and lengths.
    pub fn length(&mut self, what: &'static str, max: usize) -> Result<usize, WireError> {
        let len = self.uvarint()?;
        if len > max as u64 {
            return Err(WireError::TooLarge { what, len, max: max as u64 });
        }
        Ok(len as usize)
    }

    /// A length-prefixed byte string of at most `max` bytes.
    pub fn byte_string(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], WireError> {
        let len = self.length(what, max)?;
        self.bytes(len)
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A room id.
    pub fn room(&mut self) -> Result<RoomId, WireError> {
        Ok(RoomId(self.array()?))
    }

    /// An author key (not checked to be a point; verification does that).
    pub fn author(&mut self) -> Result<AuthorId, WireError> {
        Ok(AuthorId(self.array()?))
    }

    /// A writer id.
    pub fn writer(&mut self) -> Result<WriterId, WireError> {
        Ok(WriterId(self.u64()?))
    }

    /// A digest.
    pub fn hash(&mut self) -> Result<Hash, WireError> {
        Ok(Hash(self.array()?))
    }

    /// A signature.
    pub fn signature(&mut self) -> Result<Signature, WireError> {
        Ok(Signature(self.array()?))
    }

    /// A hybrid logical clock stamp.
    pub fn hlc(&mut self) -> Result<Hlc, WireError> {
        Ok(Hlc(self.u64()?))
    }

    /// Fails unless everything was read.
    pub fn finish(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w1_varints_round_trip_and_longer_forms_are_refused() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_uvarint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.uvarint(), Ok(value));
            assert!(reader.finish().is_ok());
        }
        assert_eq!(Reader::new(&[0x80, 0x00]).uvarint(), Err(WireError::BadVarint));
        assert_eq!(Reader::new(&[0xff; 11]).uvarint(), Err(WireError::BadVarint));
        assert_eq!(Reader::new(&[0x80]).uvarint(), Err(WireError::Truncated));
    }

    #[test]
    fn w2_lengths_are_checked_before_bytes_are_taken() {
        let mut bytes = Vec::new();
        put_uvarint(&mut bytes, u64::MAX);
        let error = Reader::new(&bytes).byte_string("payload", 10);
        assert_eq!(error, Err(WireError::TooLarge { what: "payload", len: u64::MAX, max: 10 }));
        assert_eq!(Reader::new(&[5, 1]).byte_string("payload", 10), Err(WireError::Truncated));
    }
}
