//! Protocol buffers, as far as their wire goes: fields in the order of the bytes, borrowed, and a writer for them.
//!
//! A message inside of a message is bytes here; whoever reads it decides how deep to go. Source: the encoding guide of protocol
//! buffers, for which a message is a list of (number, wire type, value).

use crate::error::{Error, Result};
use std::str;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0: integers, booleans and enumerations.
    Varint(u64),
    /// Wire type 1: eight bytes.
    Fixed64(u64),
    /// Wire type 2: text, bytes, a message, or numbers packed together.
    Bytes(&'a [u8]),
    /// Wire type 5: four bytes.
    Fixed32(u32),
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// Its number in the message's definition.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// All of its bytes: tag, length and value.
    pub whole: &'a [u8],
}

impl<'a> Field<'a> {
    fn wrong(&self, expected: &str) -> Error {
        let found = match self.value {
            Value::Varint(_) => "a varint",
            Value::Fixed64(_) => "eight bytes",
            Value::Bytes(_) => "a string",
            Value::Fixed32(_) => "four bytes",
        };
        Error::malformed(format!("field {} is {found}, {expected} was expected", self.number))
    }

    /// Bytes, or a message.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another wire type.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong("a string or message")),
        }
    }

    /// Text.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another wire type or text that is not UTF-8.
    pub fn text(&self) -> Result<&'a str> {
        str::from_utf8(self.bytes()?).map_err(|_| Error::malformed(format!("field {} is not UTF-8", self.number)))
    }

    /// An integer of 64 bits with its sign.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another wire type.
    pub fn int(&self) -> Result<i64> {
        match self.value {
            Value::Varint(bits) => Ok(bits.cast_signed()),
            _ => Err(self.wrong("an integer")),
        }
    }

    /// Hands on every integer of a repeated field, packed or one at a time.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another wire type or a varint that does not end.
    pub fn ints(&self, mut each: impl FnMut(i64)) -> Result<()> {
        let Value::Bytes(bytes) = self.value else {
            each(self.int()?);
            return Ok(());
        };
        let mut reader = Reader::new(bytes);
        while !reader.is_done() {
            each(reader.varint()?.cast_signed());
        }
        Ok(())
    }

    /// How many numbers of `size` bytes a repeated field holds, packed or one at a time.
    ///
    /// # Errors
    /// `MI_MALFORMED` for another wire type or bytes that are no whole numbers.
    pub fn fixed_count(&self, size: usize) -> Result<usize> {
        match self.value {
            Value::Bytes(bytes) if bytes.len().is_multiple_of(size) => Ok(bytes.len() / size),
            Value::Fixed32(_) if size == 4 => Ok(1),
            Value::Fixed64(_) if size == 8 => Ok(1),
            _ => Err(self.wrong(&format!("numbers of {size} bytes"))),
        }
    }
}

/// Reads the fields of a message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The fields of a message in these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the next field begins.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or_else(|| self.cut("an integer"))?;
            self.at += 1;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::malformed(format!("byte {}: an integer has more than 64 bits", self.at)))
    }

    fn cut(&self, what: &str) -> Error {
        Error::malformed(format!("byte {}: the bytes end inside of {what}", self.at))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count)).ok_or_else(|| {
            Error::malformed(format!(
                "byte {}: a field has {count} bytes, {} are left; the file is cut off, copy it again",
                self.at,
                rest.len()
            ))
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    /// The next field; `None` at the end.
    ///
    /// # Errors
    /// `MI_MALFORMED` for bytes that are no field.
    #[allow(clippy::should_implement_trait)] // an iterator over results would have to stop by itself after the first failure
    pub fn next(&mut self) -> Result<Option<Field<'a>>> {
        if self.is_done() {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let Some(number) = number else {
            return Err(Error::malformed(format!("byte {start}: field {} does not exist", tag >> 3)));
        };
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(array(self.take(8)?))),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(array(self.take(4)?))),
            other => {
                return Err(Error::malformed(format!("byte {start}: field {number} has the wire type {other}")));
            }
        };
        Ok(Some(Field { number, value, whole: &self.bytes[start..self.at] }))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// Writes the fields of a message.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// Bytes of a length that is filled in afterwards: a varint may carry zeros at its end.
const LENGTH: usize = 5;

impl Writer {
    /// An empty message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    fn tag(&mut self, number: u32, wire: u64) {
        self.varint(u64::from(number) << 3 | wire);
    }

    /// An integer, boolean or enumeration.
    pub fn int(&mut self, number: u32, value: i64) {
        self.tag(number, 0);
        self.varint(value.cast_unsigned());
    }

    /// A float.
    pub fn float(&mut self, number: u32, value: f32) {
        self.tag(number, 5);
        self.bytes.extend(value.to_le_bytes());
    }

    /// Text or bytes.
    pub fn bytes(&mut self, number: u32, value: &[u8]) {
        self.tag(number, 2);
        self.varint(value.len() as u64);
        self.bytes.extend(value);
    }

    /// Integers, packed.
    pub fn ints(&mut self, number: u32, values: impl IntoIterator<Item = i64>) {
        self.message(number, |packed| values.into_iter().for_each(|value| packed.varint(value.cast_unsigned())));
    }

    /// Floats, packed.
    pub fn floats(&mut self, number: u32, values: impl IntoIterator<Item = f32>) {
        self.message(number, |packed| values.into_iter().for_each(|value| packed.bytes.extend(value.to_le_bytes())));
    }

    /// A message, whose fields `body` writes; nothing is copied.
    pub fn message<T>(&mut self, number: u32, body: impl FnOnce(&mut Self) -> T) -> T {
        self.tag(number, 2);
        let start = self.bytes.len();
        self.bytes.extend([0; LENGTH]);
        let result = body(self);
        let mut length = self.bytes.len() - start - LENGTH;
        for at in 0..LENGTH {
            let more = if at + 1 < LENGTH { 0x80 } else { 0 };
            self.bytes[start + at] = (length & 0x7f).to_le_bytes()[0] | more;
            length >>= 7;
        }
        result
    }

    /// A field as it was read.
    pub fn copy(&mut self, field: &Field<'_>) {
        self.bytes.extend(field.whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>> {
        let mut reader = Reader::new(bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.next()? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn the_examples_of_the_guide_are_read() {
        let found = fields(&[0x08, 0x96, 0x01]).unwrap();
        assert_eq!((found[0].number, found[0].int().unwrap()), (1, 150));
        let found = fields(b"\x12\x07testing").unwrap();
        assert_eq!((found[0].number, found[0].text().unwrap()), (2, "testing"));
        let mut packed = Vec::new();
        fields(&[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]).unwrap()[0].ints(|value| packed.push(value)).unwrap();
        assert_eq!(packed, [3, 270, 86942]);
        let minus = fields(&[0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).unwrap();
        assert_eq!(minus[0].int().unwrap(), -2);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::new();
        writer.int(1, -7);
        writer.message(3, |inner| {
            inner.bytes(2, b"name");
            inner.message(4, |_| {});
            inner.floats(5, [1.5, -2.5]);
            inner.ints(6, [1, -1, 300]);
        });
        writer.float(7, 0.25);
        let bytes = writer.into_bytes();
        let outer = fields(&bytes).unwrap();
        assert_eq!(outer[0].int().unwrap(), -7);
        assert_eq!(outer[2].value, Value::Fixed32(0.25f32.to_bits()));
        let inner = fields(outer[1].bytes().unwrap()).unwrap();
        assert_eq!((inner[0].text().unwrap(), inner[1].bytes().unwrap()), ("name", &b""[..]));
        assert_eq!(inner[2].fixed_count(4).unwrap(), 2);
        let mut ints = Vec::new();
        inner[3].ints(|value| ints.push(value)).unwrap();
        assert_eq!(ints, [1, -1, 300]);
        let mut again = Writer::new();
        outer.iter().for_each(|field| again.copy(field));
        assert_eq!(again.into_bytes(), bytes);
    }

    #[test]
    fn broken_bytes_are_refused() {
        for (bytes, word) in [
            (&[0x08][..], "end inside"),
            (&[0x08, 0x80], "end inside"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "64 bits"),
            (&[0x12, 0x05, 0x00], "5 bytes, 1 are left"),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "are left"),
            (&[0x00, 0x00], "field 0"),
            (&[0x0b], "wire type 3"),
            (&[0x0d, 0x00], "4 bytes, 1 are left"),
        ] {
            let error = fields(bytes).unwrap_err();
            assert!(error.message().contains(word), "{bytes:?}: {error}");
        }
        assert!(fields(&[0x08, 0x01]).unwrap()[0].bytes().is_err());
        assert!(fields(&[0x12, 0x01, 0xff]).unwrap()[0].text().is_err());
        assert!(fields(&[0x12, 0x03, 0, 0, 0]).unwrap()[0].fixed_count(4).is_err());
    }
}
