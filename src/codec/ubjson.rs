//! Universal Binary JSON, as a `serde` deserializer: typed arrays go to their visitor number by number, nothing is held twice.
//!
//! Read is what `XGBoost` writes (numbers big-endian; lengths of any integer type; arrays plain, counted or typed) and what the
//! specification allows beside it, except for high-precision numbers and typed objects.

mod heads;

use crate::error::{Error, Result};
use heads::{Items, no_value, width};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

/// The value that these bytes hold, all of them.
///
/// # Errors
/// `MI_MALFORMED` naming the byte where the bytes stop to be UBJSON or the value that was expected.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T> {
    let mut reader = Reader { bytes, at: 0, depth: 0 };
    let value = T::deserialize(&mut reader)
        .map_err(|failure| Error::malformed(format!("UBJSON, before byte {}: {failure}", reader.at)))?;
    if reader.at != bytes.len() {
        return Err(Error::malformed(format!(
            "UBJSON: the document ends at byte {}, but {} bytes follow; the file is damaged or two files were joined",
            reader.at,
            bytes.len() - reader.at
        )));
    }
    Ok(value)
}

/// A failure on its way up through `serde`.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Failure(message.to_string())
    }
}

type Outcome<T> = std::result::Result<T, Failure>;

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: usize,
}

impl<'de> Reader<'de> {
    fn visit<V: Visitor<'de>>(&mut self, marker: u8, visitor: V) -> Outcome<V::Value> {
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'S' => visitor.visit_borrowed_str(self.text()?),
            b'[' => {
                self.deeper()?;
                let items = self.items()?;
                let mut array = Array { reader: self, items };
                let value = visitor.visit_seq(&mut array)?;
                if !array.ended() {
                    return Err(Failure("an array has more elements than expected".to_owned()));
                }
                self.depth -= 1;
                Ok(value)
            }
            b'{' => {
                self.deeper()?;
                let left = self.entries()?;
                let mut object = Object { reader: self, left };
                let value = visitor.visit_map(&mut object)?;
                if !object.ended() {
                    return Err(Failure("an object has more entries than expected".to_owned()));
                }
                self.depth -= 1;
                Ok(value)
            }
            b'H' => Err(Failure("high-precision numbers are not read".to_owned())),
            _ => self.number(marker, visitor),
        }
    }

    /// A number.
    #[allow(clippy::inline_always)] // typed arrays have millions of the same kind
    #[inline(always)]
    fn number<V: Visitor<'de>>(&mut self, marker: u8, visitor: V) -> Outcome<V::Value> {
        match marker {
            b'i' => visitor.visit_i64(i64::from(i8::from_be_bytes(self.array()?))),
            b'U' | b'C' => visitor.visit_i64(i64::from(self.byte()?)),
            b'I' => visitor.visit_i64(i64::from(i16::from_be_bytes(self.array()?))),
            b'l' => visitor.visit_i64(i64::from(i32::from_be_bytes(self.array()?))),
            b'L' => visitor.visit_i64(i64::from_be_bytes(self.array()?)),
            b'd' => visitor.visit_f32(f32::from_be_bytes(self.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(self.array()?)),
            _ => Err(no_value(marker)),
        }
    }

    fn skip(&mut self, marker: u8) -> Outcome<()> {
        match marker {
            b'Z' | b'T' | b'F' => Ok(()),
            b'S' | b'H' => {
                let length = self.length()?;
                self.take(length).map(|_| ())
            }
            b'[' => {
                self.deeper()?;
                match self.items()? {
                    Items::Typed { marker, left } => {
                        self.take(left * width(marker).unwrap_or(1))?;
                    }
                    items => {
                        let mut array = Array { reader: self, items };
                        while !array.ended() {
                            array.count();
                            let marker = array.reader.marker()?;
                            array.reader.skip(marker)?;
                        }
                    }
                }
                self.depth -= 1;
                Ok(())
            }
            b'{' => {
                self.deeper()?;
                let left = self.entries()?;
                let mut object = Object { reader: self, left };
                while !object.ended() {
                    object.count();
                    object.reader.text()?;
                    let marker = object.reader.marker()?;
                    object.reader.skip(marker)?;
                }
                self.depth -= 1;
                Ok(())
            }
            _ => match width(marker) {
                Some(width) => self.take(width).map(|_| ()),
                None => Err(no_value(marker)),
            },
        }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        let marker = self.marker()?;
        self.visit(marker, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        if self.peek() == Some(b'Z') {
            self.at += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        let marker = self.marker()?;
        self.skip(marker)?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier
    }
}

/// A number whose type stands at the head of its array.
struct Element<'a, 'de>(&'a mut Reader<'de>, u8);

impl<'de> Deserializer<'de> for Element<'_, 'de> {
    type Error = Failure;

    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        self.0.number(self.1, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        visitor.visit_some(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Array<'a, 'de> {
    reader: &'a mut Reader<'de>,
    items: Items,
}

impl Array<'_, '_> {
    /// Whether the last element was read; a closing bracket is consumed.
    fn ended(&mut self) -> bool {
        match self.items {
            Items::Typed { left, .. } | Items::Counted { left } => left == 0,
            Items::Open => {
                while self.reader.peek() == Some(b'N') {
                    self.reader.at += 1;
                }
                let ended = self.reader.peek() == Some(b']');
                if ended {
                    self.reader.at += 1;
                    self.items = Items::Counted { left: 0 };
                }
                ended
            }
        }
    }

    fn count(&mut self) {
        if let Items::Typed { left, .. } | Items::Counted { left } = &mut self.items {
            *left -= 1;
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Array<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Outcome<Option<T::Value>> {
        if let Items::Typed { marker, left } = &mut self.items {
            if *left == 0 {
                return Ok(None);
            }
            *left -= 1;
            return seed.deserialize(Element(self.reader, *marker)).map(Some);
        }
        if self.ended() {
            return Ok(None);
        }
        self.count();
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        match self.items {
            Items::Typed { left, .. } => Some(left),
            Items::Counted { left } => Some(left.min(self.reader.left())),
            Items::Open => None,
        }
    }
}

struct Object<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: Option<usize>,
}

impl Object<'_, '_> {
    /// Whether the last entry was read; a closing brace is consumed.
    fn ended(&mut self) -> bool {
        if self.left.is_none() && self.reader.peek() == Some(b'}') {
            self.reader.at += 1;
            self.left = Some(0);
        }
        self.left == Some(0)
    }

    fn count(&mut self) {
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
    }
}

impl<'de> MapAccess<'de> for &mut Object<'_, 'de> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Outcome<Option<K::Value>> {
        if self.ended() {
            return Ok(None);
        }
        self.count();
        let key = self.reader.text()?;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Outcome<V::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;
    use serde_json::{Value, json};

    fn read(bytes: &[u8]) -> Result<Value> {
        // Skipping must agree with reading on what is UBJSON and where it ends.
        let value = from_slice::<Value>(bytes);
        assert_eq!(value.is_ok(), from_slice::<IgnoredAny>(bytes).is_ok(), "{value:?}");
        value
    }

    #[test]
    fn values_of_every_type() {
        for (bytes, value) in [
            (&b"Z"[..], json!(null)),
            (b"T", json!(true)),
            (b"NF", json!(false)),
            (b"i\xff", json!(-1)),
            (b"U\xff", json!(255)),
            (b"I\x80\x00", json!(-32768)),
            (b"l\x00\x01\x00\x00", json!(65536)),
            (b"L\xff\xff\xff\xff\xff\xff\xff\xfe", json!(-2)),
            (b"d\x3f\x00\x00\x00", json!(0.5)),
            (b"D\x3f\xe0\x00\x00\x00\x00\x00\x00", json!(0.5)),
            (b"Si\x02ab", json!("ab")),
            (b"[]", json!([])),
            (b"[ZN[U\x01]]", json!([null, [1]])),
            (b"[#i\x02TF", json!([true, false])),
            (b"[$i#U\x03\x01\x02\xff", json!([1, 2, -1])),
            (b"[$d#L\0\0\0\0\0\0\0\x01\x3f\x80\0\0", json!([1.0])),
            (b"{}", json!({})),
            (b"{i\x01aTU\x01b{#i\x01L\0\0\0\0\0\0\0\x01cZ}", json!({"a": true, "b": {"c": null}})),
        ] {
            assert_eq!(read(bytes).unwrap(), value, "{bytes:?}");
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        let long = |bytes: &[u8]| [bytes, &[0; 8]].concat();
        for (bytes, words) in [
            (b"".to_vec(), "cut off"),
            (b"?".to_vec(), "found '?'"),
            (b"ZZ".to_vec(), "1 bytes follow"),
            (b"[Z".to_vec(), "cut off"),
            (b"{i\x01a".to_vec(), "cut off"),
            (b"{S".to_vec(), "a length was expected"),
            (b"Si\xff".to_vec(), "a length is -1"),
            (b"Si\x05ab".to_vec(), "cut off"),
            (long(b"[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff"), "does not fit"),
            (long(b"[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff"), "not read"),
            (b"[#L\x7f\xff\xff\xff\xff\xff\xff\xffZ".to_vec(), "cut off"),
            (b"[".repeat(100_000), "deeper than"),
            (b"{i\x01a".repeat(100_000), "deeper than"),
        ] {
            let message = read(&bytes).unwrap_err().message().to_owned();
            assert!(message.contains(words), "{message}");
        }
        assert!(from_slice::<Value>(b"Si\x01\xff").unwrap_err().message().contains("UTF-8"));
        assert!(from_slice::<Value>(b"Hi\x011").unwrap_err().message().contains("high-precision"));
    }
}
