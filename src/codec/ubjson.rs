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
use std::marker::PhantomData;
use std::slice::Iter;

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
                let value = match self.items()? {
                    Items::Typed { marker, left } => self.numbers(marker, left, visitor)?,
                    Items::Plain { left } => {
                        let mut array = Array { reader: self, left };
                        let value = visitor.visit_seq(&mut array)?;
                        if !array.ended() {
                            return Err(more_elements());
                        }
                        value
                    }
                };
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
    fn number<V: Visitor<'de>>(&mut self, marker: u8, visitor: V) -> Outcome<V::Value> {
        match marker {
            b'i' => i8::visit(self.array()?, visitor),
            b'U' | b'C' => u8::visit(self.array()?, visitor),
            b'I' => i16::visit(self.array()?, visitor),
            b'l' => i32::visit(self.array()?, visitor),
            b'L' => i64::visit(self.array()?, visitor),
            b'd' => f32::visit(self.array()?, visitor),
            b'D' => f64::visit(self.array()?, visitor),
            _ => Err(no_value(marker)),
        }
    }

    /// So many numbers of the same type.
    fn numbers<V: Visitor<'de>>(&mut self, marker: u8, count: usize, visitor: V) -> Outcome<V::Value> {
        match marker {
            b'i' => self.run::<1, i8, V>(count, visitor),
            b'U' | b'C' => self.run::<1, u8, V>(count, visitor),
            b'I' => self.run::<2, i16, V>(count, visitor),
            b'l' => self.run::<4, i32, V>(count, visitor),
            b'L' => self.run::<8, i64, V>(count, visitor),
            b'd' => self.run::<4, f32, V>(count, visitor),
            b'D' => self.run::<8, f64, V>(count, visitor),
            _ => Err(no_value(marker)),
        }
    }

    fn run<const N: usize, T: Number<N>, V: Visitor<'de>>(&mut self, count: usize, visitor: V) -> Outcome<V::Value> {
        let (numbers, _) = self.take(count * N)?.as_chunks();
        let mut left = numbers.iter();
        let value = visitor.visit_seq(Run { left: &mut left, number: PhantomData::<T> });
        // Errors name the byte where reading stopped.
        self.at -= left.len() * N;
        if value.is_ok() && left.len() > 0 {
            return Err(more_elements());
        }
        value
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
                    Items::Plain { left } => {
                        let mut array = Array { reader: self, left };
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

/// A type of number, of so many bytes.
trait Number<const N: usize> {
    /// Hands a number to its visitor.
    fn visit<'de, V: Visitor<'de>>(bytes: [u8; N], visitor: V) -> Outcome<V::Value>;
}

macro_rules! numbers {
    ($($type:ty, $bytes:literal, $visit:ident;)*) => {$(
        impl Number<$bytes> for $type {
            #[inline]
            fn visit<'de, V: Visitor<'de>>(bytes: [u8; $bytes], visitor: V) -> Outcome<V::Value> {
                visitor.$visit(<$type>::from_be_bytes(bytes).into())
            }
        }
    )*};
}

numbers! {
    i8, 1, visit_i64;
    u8, 1, visit_i64;
    i16, 2, visit_i64;
    i32, 4, visit_i64;
    i64, 8, visit_i64;
    f32, 4, visit_f32;
    f64, 8, visit_f64;
}

/// The numbers of an array at whose head their type stands.
struct Run<'a, 'de, const N: usize, T> {
    left: &'a mut Iter<'de, [u8; N]>,
    number: PhantomData<T>,
}

impl<'de, const N: usize, T: Number<N>> SeqAccess<'de> for Run<'_, 'de, N, T> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Outcome<Option<S::Value>> {
        match self.left.next() {
            Some(&bytes) => seed.deserialize(Element(bytes, PhantomData::<T>)).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// One of them.
struct Element<const N: usize, T>([u8; N], PhantomData<T>);

impl<'de, const N: usize, T: Number<N>> Deserializer<'de> for Element<N, T> {
    type Error = Failure;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        T::visit(self.0, visitor)
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

#[cold]
fn more_elements() -> Failure {
    Failure("an array has more elements than expected".to_owned())
}

struct Array<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// How many elements are left, where the array tells.
    left: Option<usize>,
}

impl Array<'_, '_> {
    /// Whether the last element was read; a closing bracket is consumed.
    fn ended(&mut self) -> bool {
        if self.left.is_none() {
            while self.reader.peek() == Some(b'N') {
                self.reader.at += 1;
            }
            if self.reader.peek() == Some(b']') {
                self.reader.at += 1;
                self.left = Some(0);
            }
        }
        self.left == Some(0)
    }

    fn count(&mut self) {
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Array<'_, 'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Outcome<Option<T::Value>> {
        if self.ended() {
            return Ok(None);
        }
        self.count();
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left.map(|left| left.min(self.reader.left()))
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
    fn errors_in_typed_arrays_name_where_reading_stopped() {
        // The second of three numbers ends at byte 14 and is no byte.
        let bytes = b"[$l#i\x03\0\0\0\x07\0\0\x01\0\0\0\0\x07";
        let message = from_slice::<Vec<u8>>(bytes).unwrap_err().message().to_owned();
        assert!(message.contains("before byte 14"), "{message}");
        let message = from_slice::<(i64, i64)>(bytes).unwrap_err().message().to_owned();
        assert!(message.contains("before byte 14") && message.contains("more elements"), "{message}");
        assert_eq!(from_slice::<(i64, i64, i64)>(bytes).unwrap(), (7, 256, 7));
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
