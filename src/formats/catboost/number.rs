//! Numbers of a JSON model as the library itself reads them.
//!
//! Its reader (`RapidJSON` without full precision) collects up to 18 digits and scales them once by a power of ten; the result is often
//! the neighbour of the nearest double. A model read from JSON predicts with these neighbours, so they are what counts.

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::sync::OnceLock;

/// A double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Double(pub f64);

/// A double, rounded to a single.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Single(pub f32);

/// A double, or a list of doubles.
#[derive(Debug, Clone, PartialEq)]
pub enum OneOrMany {
    /// A number alone.
    One(f64),
    /// A list.
    Many(Vec<Double>),
}

impl OneOrMany {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            OneOrMany::One(_) => 1,
            OneOrMany::Many(numbers) => numbers.len(),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        let (one, many) = match self {
            OneOrMany::One(number) => (Some(*number), &[][..]),
            OneOrMany::Many(numbers) => (None, numbers.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|number| number.0))
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        parse(raw.get()).map(Double).ok_or_else(|| de::Error::custom("a number was expected"))
    }
}

impl<'de> Deserialize<'de> for Single {
    #[allow(clippy::cast_possible_truncation)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Double::deserialize(deserializer).map(|number| Single(number.0 as f32))
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('[') {
            return serde_json::from_str(raw.get()).map(OneOrMany::Many).map_err(de::Error::custom);
        }
        parse(raw.get()).map(OneOrMany::One).ok_or_else(|| de::Error::custom("a number or a list was expected"))
    }
}

/// The digits of a number so far.
#[derive(Clone, Copy)]
enum Digits {
    Whole(u64),
    Rounded(f64),
}

impl Digits {
    #[allow(clippy::cast_precision_loss)]
    fn value(self) -> f64 {
        match self {
            Digits::Whole(whole) => whole as f64,
            Digits::Rounded(rounded) => rounded,
        }
    }
}

/// The value of a JSON number; none for any other JSON text.
pub fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-');
    let negative = unsigned.is_some();
    let mut rest = unsigned.unwrap_or(text).as_bytes();
    let digit = |rest: &mut &[u8]| match rest.split_first() {
        Some((&byte @ b'0'..=b'9', tail)) => {
            *rest = tail;
            Some(byte - b'0')
        }
        _ => None,
    };
    let largest = if negative { i64::MIN.unsigned_abs() } else { u64::MAX };
    let mut digits = Digits::Whole(u64::from(digit(&mut rest)?));
    // The first digit does not count, and neither do those that no longer fit.
    let mut significant = 0;
    while let Some(next) = digit(&mut rest) {
        digits = match digits {
            Digits::Whole(whole) => {
                let grown = whole.checked_mul(10).and_then(|whole| whole.checked_add(u64::from(next)));
                match grown.filter(|&whole| whole <= largest) {
                    Some(whole) => {
                        significant += 1;
                        Digits::Whole(whole)
                    }
                    None => Digits::Rounded(digits.value() * 10.0 + f64::from(next)),
                }
            }
            Digits::Rounded(rounded) => Digits::Rounded(rounded * 10.0 + f64::from(next)),
        };
    }
    let mut exponent: i32 = 0;
    let fractional = rest.first() == Some(&b'.');
    if fractional {
        rest = &rest[1..];
        while let Some(next) = digit(&mut rest) {
            let number = f64::from(next);
            match digits {
                Digits::Whole(whole) if whole < 1 << 53 => {
                    let whole = whole * 10 + u64::from(next);
                    digits = Digits::Whole(whole);
                    significant += i32::from(whole != 0);
                }
                _ if significant < 17 => {
                    let rounded = digits.value() * 10.0 + number;
                    digits = Digits::Rounded(rounded);
                    significant += i32::from(rounded > 0.0);
                }
                _ => continue,
            }
            exponent = exponent.saturating_sub(1);
        }
    }
    let mut scaled = fractional;
    if matches!(rest.first(), Some(b'e' | b'E')) {
        scaled = true;
        rest = &rest[1..];
        let minus = rest.first() == Some(&b'-');
        if matches!(rest.first(), Some(b'-' | b'+')) {
            rest = &rest[1..];
        }
        let mut written = i32::from(digit(&mut rest)?);
        while let Some(next) = digit(&mut rest) {
            written = written.saturating_mul(10).saturating_add(i32::from(next));
        }
        exponent = exponent.saturating_add(if minus { -written } else { written });
    }
    if !rest.is_empty() {
        return None;
    }
    let value = if scaled { scale(digits.value(), exponent) } else { digits.value() };
    // A whole number has no negative zero.
    Some(if negative && (scaled || value != 0.0) { -value } else { value })
}

fn scale(digits: f64, exponent: i32) -> f64 {
    if exponent < -308 { shift(shift(digits, -308), exponent + 308) } else { shift(digits, exponent) }
}

fn shift(digits: f64, exponent: i32) -> f64 {
    match exponent {
        ..-308 => 0.0,
        -308..0 => digits / power(-exponent),
        _ => digits * power(exponent),
    }
}

/// The double nearest to a power of ten that is not negative.
fn power(exponent: i32) -> f64 {
    static POWERS: OnceLock<Vec<f64>> = OnceLock::new();
    let powers = POWERS.get_or_init(|| (0..309).map(|n| format!("1e{n}").parse().unwrap_or(f64::INFINITY)).collect());
    usize::try_from(exponent).ok().and_then(|place| powers.get(place)).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_numbers_are_exact() {
        for (text, value) in [
            ("0", 0.0),
            ("-7", -7.0),
            ("0.5", 0.5),
            ("-12.25e2", -1225.0),
            ("1e-3", 1e-3),
            ("4294967296", 4_294_967_296.0),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        assert_eq!(parse("18446744073709551616"), Some(18_446_744_073_709_551_616.0));
        assert!(parse("-0").unwrap().is_sign_positive() && parse("-0.0").unwrap().is_sign_negative());
        for text in ["", "\"1\"", "null", "[1]", "1x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn tiny_and_huge_exponents_end() {
        assert_eq!(parse("1e-99999999999"), Some(0.0));
        assert_eq!(parse("1e400"), Some(f64::INFINITY));
    }
}
