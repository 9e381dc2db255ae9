//! Syntax of the text: lines of `key=value` in sections, and numbers separated by spaces.

use crate::error::{Error, Result};
use crate::limits;
use std::borrow::Cow;

/// One line without its line break.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) text: &'a [u8],
}

impl Line<'_> {
    pub(super) fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::malformed(format!("line {}: {what}", self.number))
    }
}

/// The lines of a file; LF and CRLF both end one.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, number: 0 }
    }

    /// The next line if it is `wanted`; otherwise it stays.
    pub(super) fn next_if(&mut self, wanted: impl FnOnce(Line<'a>) -> bool) -> Option<Line<'a>> {
        let mut after = self.clone();
        let line = after.next().filter(|&line| wanted(line))?;
        *self = after;
        Some(line)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let text = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.number += 1;
        Some(Line { number: self.number, text: text.strip_suffix(b"\r").unwrap_or(text) })
    }
}

/// The lines of a section that a reader knows; a repeated key keeps its last line, as the library does.
#[derive(Debug)]
pub(super) struct Section<'a> {
    known: &'static [&'static str],
    fields: Vec<Field<'a>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(known: &'static [&'static str]) -> Self {
        Self { known, fields: Vec::with_capacity(known.len()) }
    }

    /// Forgets the fields and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.fields.clear();
    }

    /// Takes in a line; one without `=` is a key with an empty value, an unknown key is left out.
    pub(super) fn insert(&mut self, line: Line<'a>) {
        let equals = line.text.iter().position(|&byte| byte == b'=');
        let (key, value) = match equals {
            Some(at) => (&line.text[..at], &line.text[at + 1..]),
            None => (line.text, &[][..]),
        };
        let Some(&key) = self.known.iter().find(|known| known.as_bytes() == key) else { return };
        let field = Field { key, value, line: line.number };
        match self.fields.iter_mut().find(|known| known.key == key) {
            Some(known) => *known = field,
            None => self.fields.push(field),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        debug_assert!(self.known.contains(&key), "{key} is asked for and not known");
        self.fields.iter().find(|field| field.key == key).copied()
    }

    /// The field, which must be there.
    pub(super) fn need(&self, key: &str) -> Result<Field<'a>> {
        self.get(key)
            .ok_or_else(|| Error::malformed(format!("has no {key}; the file is damaged or cut off, copy it again")))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// One `key=value` of a section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    key: &'static str,
    value: &'a [u8],
    line: usize,
}

impl<'a> Field<'a> {
    /// A failure that names line and key.
    pub(super) fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::malformed(format!("line {}: {}: {what}", self.line, self.key))
    }

    /// The value as text; bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.value.trim_ascii())
    }

    /// The words of the value, at most `cap` of them.
    pub(super) fn words(&self, cap: usize) -> Result<Vec<String>> {
        let words = || self.value.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let count = words().take(cap + 1).count();
        limits::check(self.key, count, cap)?;
        let mut found = limits::vec(self.key, count)?;
        found.extend(words().map(|word| String::from_utf8_lossy(word).into_owned()));
        Ok(found)
    }

    /// One count, from 0.
    pub(super) fn count(&self) -> Result<usize> {
        let text = self.text();
        text.parse().map_err(|_| self.malformed(format!("'{}' is not a count", shorten(&text))))
    }

    /// `count` numbers, each rounded to the nearest double.
    pub(super) fn floats(&self, count: usize) -> Result<Vec<f64>> {
        self.numbers(count, |text| {
            let (word, rest) = word(text);
            Some((std::str::from_utf8(word).ok()?.parse().ok()?, rest))
        })
    }

    /// `count` integers.
    pub(super) fn integers<T: TryFrom<i64>>(&self, count: usize) -> Result<Vec<T>> {
        self.numbers(count, |text| {
            let (value, rest) = integer(text)?;
            Some((value.try_into().ok()?, rest))
        })
    }

    /// `count` numbers as the library reads the float32 that it is less careful with.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn rough_singles(&self, count: usize) -> Result<Vec<f64>> {
        self.numbers(count, |text| rough_prefix(text).map(|(value, rest)| (f64::from(value as f32), rest)))
    }

    /// `count` numbers of rows; `None` when the field holds anything else, for what no prediction depends on.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn rows(&self, count: usize) -> Option<Vec<f32>> {
        self.numbers(count, |text| {
            let (rows, rest) = integer(text)?;
            Some((u32::try_from(rows).ok()? as f32, rest))
        })
        .ok()
    }

    /// Numbers between spaces; `read` takes one from the beginning of a text and gives back what follows it.
    fn numbers<T>(&self, count: usize, read: impl Fn(&'a [u8]) -> Option<(T, &'a [u8])>) -> Result<Vec<T>> {
        // A number takes a digit and a space: a count that the line cannot hold is refused before its memory is asked for.
        if count > self.value.len() / 2 + 1 {
            return Err(self.wrong_count(count));
        }
        let mut numbers = limits::vec(self.key, count)?;
        let mut text = self.value.trim_ascii_start();
        while !text.is_empty() {
            if numbers.len() == count {
                return Err(self.wrong_count(count));
            }
            match read(text) {
                Some((number, rest)) if rest.first().is_none_or(u8::is_ascii_whitespace) => {
                    numbers.push(number);
                    text = rest.trim_ascii_start();
                }
                _ => {
                    let word = String::from_utf8_lossy(word(text).0);
                    return Err(self.malformed(format!("'{}' is not a number that fits here", shorten(&word))));
                }
            }
        }
        if numbers.len() == count { Ok(numbers) } else { Err(self.wrong_count(count)) }
    }

    fn wrong_count(&self, expected: usize) -> Error {
        let words = self.value.split(u8::is_ascii_whitespace);
        let found = words.filter(|word| !word.is_empty()).count();
        self.malformed(format!("{found} numbers, the size of the tree asks for {expected}"))
    }
}

/// The beginning of a word, for a message.
pub(super) fn shorten(word: &str) -> String {
    const SHOWN: usize = 40;
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &word[..end]),
        None => word.to_owned(),
    }
}

/// The text up to a space, and the rest from there on.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len()))
}

/// An integer of at most 18 digits, more than any field has room for, and what follows it.
fn integer(text: &[u8]) -> Option<(i64, &[u8])> {
    const DIGITS: usize = 18;
    let (negative, text) = signed(text);
    let (mut value, mut count) = (0, 0);
    while let Some(digit @ b'0'..=b'9') = text.get(count) {
        if count == DIGITS {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
        count += 1;
    }
    (count > 0).then(|| (if negative { -value } else { value }, &text[count..]))
}

/// A number by the library's own quick conversion, which rounds several times on the way and so misses the nearest double.
///
/// It decides the bits of gains and of `sigmoid:`. The whole part and the fraction are gathered as two doubles, the fraction is
/// divided by a power of ten, their sum is scaled by a power of ten of at most 308. `inf` is 1e308.
/// Source: `LightGBM` `utils/common.h`, `Atof`.
pub(super) fn rough_float(text: &str) -> Option<f64> {
    rough_prefix(text.as_bytes()).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// Such a number at the beginning of a text, and what follows it.
fn rough_prefix(text: &[u8]) -> Option<(f64, &[u8])> {
    let (negative, text) = signed(text);
    let sign = if negative { -1.0 } else { 1.0 };
    if !matches!(text.first(), Some(b'0'..=b'9' | b'.')) {
        let (word, rest) = word(text);
        let value = match word.to_ascii_lowercase().as_slice() {
            b"na" | b"nan" | b"null" => f64::NAN,
            b"inf" | b"infinity" => sign * 1e308,
            _ => return None,
        };
        return Some((value, rest));
    }
    let (whole, _, rest) = digits(text);
    let mut value = whole;
    let mut rest = rest;
    if let [b'.', fraction @ ..] = rest {
        let (fraction, count, after) = digits(fraction);
        value += fraction / ten(count);
        rest = after;
    }
    let [b'e' | b'E', exponent @ ..] = rest else { return Some((sign * value, rest)) };
    let (shrink, exponent) = signed(exponent);
    let (exponent, count, rest) = digits(exponent);
    if count == 0 {
        return None;
    }
    let scale = scale(exponent.min(308.0));
    Some((sign * if shrink { value / scale } else { value * scale }, rest))
}

/// Whether a minus leads the text, and what follows the sign.
fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

/// The digits at the beginning as a double, how many they were, and what follows.
#[allow(clippy::cast_precision_loss)] // so few digits are exact
fn digits(text: &[u8]) -> (f64, usize, &[u8]) {
    /// Digits of numbers all of which are doubles.
    const EXACT: usize = 15;
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = if count <= EXACT {
        text[..count].iter().fold(0, |value, &digit| value * 10 + u64::from(digit - b'0')) as f64
    } else {
        text[..count].iter().fold(0.0, |value, &digit| value * 10.0 + f64::from(digit - b'0'))
    };
    (value, count, &text[count..])
}

/// Ten to the `exponent`, as [`power`] gives it; where that is exact, from a table.
fn ten(exponent: usize) -> f64 {
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ];
    POWERS.get(exponent).copied().unwrap_or_else(|| power(10.0, exponent))
}

/// `base` to the `exponent`, by squares and cubes: past 10^22 the order of the products decides the last bits.
fn power(base: f64, exponent: usize) -> f64 {
    match exponent {
        0 => 1.0,
        even if even.is_multiple_of(2) => power(base * base, even / 2),
        third if third.is_multiple_of(3) => power(base * base * base, third / 3),
        odd => base * power(base, odd - 1),
    }
}

/// Ten to the `exponent` as a product of 1e50, 1e8 and 10, in this order.
fn scale(mut exponent: f64) -> f64 {
    let mut scale = 1.0;
    for (step, factor) in [(50.0, 1e50), (8.0, 1e8), (1.0, 10.0)] {
        while exponent >= step {
            scale *= factor;
            exponent -= step;
        }
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value: &str) -> Field<'_> {
        Field { key: "leaf_value", value: value.as_bytes(), line: 7 }
    }

    #[test]
    fn lines_end_in_lf_or_crlf() {
        let lines: Vec<_> = Lines::new(b"tree\r\n\na=1\r\n\r\nend").map(|line| (line.number, line.text)).collect();
        assert_eq!(lines, [(1, &b"tree"[..]), (2, b""), (3, b"a=1"), (4, b""), (5, b"end")]);
    }

    #[test]
    fn sections_keep_known_keys() {
        let mut section = Section::new(&["names", "flag"]);
        for line in Lines::new(b"names=a\nother=1\nflag\nnames=b=c d\n") {
            section.insert(line);
        }
        assert_eq!(section.need("names").unwrap().words(2).unwrap(), ["b=c", "d"]);
        assert!(section.need("names").unwrap().words(1).is_err());
        assert!(section.has("flag"));
    }

    #[test]
    fn numbers_are_counted_and_named() {
        assert_eq!(field("1 -2.5e-3  1e+308 inf").floats(4).unwrap(), [1.0, -2.5e-3, 1e308, f64::INFINITY]);
        assert!(field("nan").floats(1).unwrap()[0].is_nan());
        assert_eq!(field("").integers::<i32>(0).unwrap(), [0i32; 0]);
        for (value, count, words) in [
            ("1 2", 3, "2 numbers"),
            ("1 2 3", 2, "3 numbers"),
            ("1 two", 2, "'two'"),
            ("1", 1 << 40, "1 numbers"),
            ("", 1, "0 numbers"),
        ] {
            let message = field(value).floats(count).unwrap_err().message().to_owned();
            assert!(message.starts_with("line 7: leaf_value: ") && message.contains(words), "{message}");
        }
        assert!(field("2147483648").integers::<i32>(1).is_err());
        assert!(field("-1").integers::<u32>(1).is_err());
        assert_eq!(
            field("-7 +7 007\t999999999999999999").integers::<i64>(4).unwrap(),
            [-7, 7, 7, 999_999_999_999_999_999]
        );
        for wrong in ["1000000000000000000", "1x", "1.0", "-", "0x1", "\u{663}"] {
            assert!(field(wrong).integers::<i64>(1).is_err() && field(wrong).rows(1).is_none(), "{wrong}");
        }
        assert!(Field { value: b"1 \xff", ..field("") }.floats(2).is_err());
    }

    #[test]
    fn rough_floats_round_on_the_way() {
        for exact in ["0", "1", "-0.5", "1e3", "12.5", "1e-05"] {
            assert_eq!(rough_float(exact), exact.parse().ok(), "{exact}");
        }
        assert_eq!(rough_float("inf"), Some(1e308));
        assert_eq!(rough_float("-inf"), Some(-1e308));
        assert_eq!(rough_float("1e999"), rough_float("1e308"));
        assert!(rough_float("nan").is_some_and(f64::is_nan));
        for wrong in ["", "-", "abc", "1x", "1e", "1.5e+"] {
            assert_eq!(rough_float(wrong), None, "{wrong}");
        }
        // Gathered as a whole number only where that is exact; these differ from the nearest doubles, once each digit was rounded.
        for text in ["32163880356602015", "909491643421673319", "2759173948180742919", "7910330467355255935"] {
            let each = text.bytes().fold(0.0, |value, digit| value * 10.0 + f64::from(digit - b'0'));
            assert_eq!(rough_float(text), Some(each));
            assert_ne!(rough_float(text), text.parse().ok());
        }
        for exponent in 0..=30 {
            assert_eq!(ten(exponent).to_bits(), power(10.0, exponent).to_bits(), "{exponent}");
        }
        // 4.35 is 4 + 35/100, whose sum is rounded once more than the nearest double to 4.35.
        let inexact = (1..100_000).map(|n| format!("{}.{:03}", n / 1000, n % 1000));
        assert!(inexact.into_iter().any(|text| rough_float(&text) != text.parse().ok()));
    }
}
