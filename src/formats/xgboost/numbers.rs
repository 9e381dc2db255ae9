//! Scalars and arrays of numbers, the same from JSON and UBJSON.

use crate::limits;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A key of an object.
pub(super) struct Key<'de>(pub Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Characters;
        impl<'de> Visitor<'de> for Characters {
            type Value = Key<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Characters)
    }
}

/// A string; a number or a truth value where a string was expected is taken by its spelling.
pub(super) struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Text;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bool<E>(self, truth: bool) -> std::result::Result<Text, E> {
                Ok(Text(truth.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> std::result::Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> std::result::Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_f32<E>(self, number: f32) -> std::result::Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> std::result::Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

/// A type of number that arrays hold.
pub(super) trait Element: Copy + 'static {
    /// What an element is, for errors.
    const WHAT: &'static str;
    /// From its spelling in JSON.
    fn spelled(text: &str) -> Option<Self>;
    /// From an integer.
    fn integer(number: i64) -> Option<Self>;
    /// From a float32.
    fn single(_number: f32) -> Option<Self> {
        None
    }
    /// From a float64.
    fn double(_number: f64) -> Option<Self> {
        None
    }
}

impl Element for f32 {
    const WHAT: &'static str = "a number";

    /// Rounded once, from decimals to the nearest float32, as the library does.
    fn spelled(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    #[allow(clippy::cast_precision_loss)]
    fn integer(number: i64) -> Option<Self> {
        Some(number as f32)
    }

    fn single(number: f32) -> Option<Self> {
        Some(number)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn double(number: f64) -> Option<Self> {
        Some(number as f32)
    }
}

macro_rules! whole {
    ($($type:ty, $what:literal;)*) => {$(
        impl Element for $type {
            const WHAT: &'static str = $what;

            fn spelled(text: &str) -> Option<Self> {
                match text {
                    "true" => Self::integer(1),
                    "false" => Self::integer(0),
                    _ => text.parse().ok(),
                }
            }

            fn integer(number: i64) -> Option<Self> {
                number.try_into().ok()
            }
        }
    )*};
}

whole! {
    u8, "true, false or a whole number below 256";
    i32, "a whole number of 32 bits";
    i64, "a whole number of 64 bits";
}

/// An array of numbers.
pub(super) struct Numbers<T>(pub Vec<T>);

impl<'de, T: Element> Deserialize<'de> for Numbers<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return parse(<&RawValue>::deserialize(deserializer)?.get()).map(Numbers).map_err(D::Error::custom);
        }
        deserializer.deserialize_seq(NumbersVisitor(PhantomData))
    }
}

/// The numbers between two brackets. `NaN` and infinities come in quotes.
fn parse<T: Element>(text: &str) -> std::result::Result<Vec<T>, String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or("an array was expected")?;
    if inner.trim().is_empty() {
        return Ok(Vec::new());
    }
    let count = inner.bytes().filter(|&byte| byte == b',').count() + 1;
    let mut numbers = limits::vec("numbers", count).map_err(|error| error.message().to_owned())?;
    for (index, item) in inner.as_bytes().split(|&byte| byte == b',').enumerate() {
        let item = item.trim_ascii();
        let item = item.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(item);
        // What stands between commas and quotes of a text is a text.
        let item = std::str::from_utf8(item).unwrap_or_default();
        let number = T::spelled(item).ok_or_else(|| {
            let shown: String = item.chars().take(24).collect();
            format!("element {index} is {shown}, {} was expected", T::WHAT)
        })?;
        numbers.push(number);
    }
    Ok(numbers)
}

struct NumbersVisitor<T>(PhantomData<T>);

impl<'de, T: Element> Visitor<'de> for NumbersVisitor<T> {
    type Value = Numbers<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "an array, each element {}", T::WHAT)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Numbers<T>, A::Error> {
        // The hint never passes the bytes that are left.
        let mut numbers = limits::vec("numbers", items.size_hint().unwrap_or(0)).map_err(A::Error::custom)?;
        while let Some(One(number)) = items.next_element()? {
            numbers.push(number);
        }
        Ok(Numbers(numbers))
    }
}

struct One<T>(T);

impl<'de, T: Element> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Number<T>(PhantomData<T>);
        impl<T: Element> Visitor<'_> for Number<T> {
            type Value = One<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(T::WHAT)
            }

            fn visit_bool<E: serde::de::Error>(self, truth: bool) -> std::result::Result<One<T>, E> {
                self.visit_i64(i64::from(truth))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<One<T>, E> {
                T::integer(number)
                    .map(One)
                    .ok_or_else(|| E::custom(format_args!("found {number}, {} was expected", T::WHAT)))
            }

            fn visit_f32<E: serde::de::Error>(self, number: f32) -> std::result::Result<One<T>, E> {
                T::single(number)
                    .map(One)
                    .ok_or_else(|| E::custom(format_args!("found {number}, {} was expected", T::WHAT)))
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> std::result::Result<One<T>, E> {
                T::double(number)
                    .map(One)
                    .ok_or_else(|| E::custom(format_args!("found {number}, {} was expected", T::WHAT)))
            }
        }
        deserializer.deserialize_any(Number(PhantomData))
    }
}

/// What no prediction depends on: numbers, or anything else, which is no failure.
pub(super) enum Loose {
    /// A number.
    Number(f32),
    /// An array of nothing but numbers.
    Numbers(Vec<f32>),
    /// Anything else.
    Other,
}

impl Loose {
    /// The numbers of the array; none when it was something else.
    pub(super) fn numbers(self) -> Vec<f32> {
        if let Loose::Numbers(numbers) = self { numbers } else { Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <&RawValue>::deserialize(deserializer)?.get();
            return Ok(parse(text).map_or(Loose::Other, Loose::Numbers));
        }
        LooseVisitor { inside: false }.deserialize(deserializer)
    }
}

struct LooseVisitor {
    /// Whether this is an element of an array; an array in an array is skipped.
    inside: bool,
}

impl<'de> DeserializeSeed<'de> for LooseVisitor {
    type Value = Loose;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Loose, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Loose, E> {
        Ok(f32::integer(number).map_or(Loose::Other, Loose::Number))
    }

    fn visit_f32<E>(self, number: f32) -> std::result::Result<Loose, E> {
        Ok(Loose::Number(number))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Loose, E> {
        Ok(f32::double(number).map_or(Loose::Other, Loose::Number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Loose, A::Error> {
        if !self.inside {
            let mut numbers = limits::vec("numbers", items.size_hint().unwrap_or(0)).map_err(A::Error::custom)?;
            loop {
                match items.next_element_seed(LooseVisitor { inside: true })? {
                    Some(Loose::Number(number)) => numbers.push(number),
                    Some(_) => break,
                    None => return Ok(Loose::Numbers(numbers)),
                }
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Loose, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}
