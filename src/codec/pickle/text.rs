//! Escapes and numbers of the text opcodes of protocols 0 and 1.

use crate::error::{Error, Result};

/// A little-endian two's complement number of at most 8 significant bytes.
pub(super) fn little_endian(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let fill = if negative { 0xff } else { 0 };
    let mut wide = [fill; 8];
    let (low, high) = bytes.split_at(bytes.len().min(8));
    wide[..low.len()].copy_from_slice(low);
    let number = i64::from_le_bytes(wide);
    (high.iter().all(|&byte| byte == fill) && (number < 0) == negative).then_some(number)
}

/// Whether it is an optional sign and then digits only.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text whose surrogates, which only Python writes, are replaced by U+FFFD; `None` when it is not UTF-8 even so.
pub(super) fn without_surrogates(bytes: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if let [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] = bytes[at..] {
            text.extend("\u{fffd}".as_bytes());
            at += 3;
        } else {
            text.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(text).ok()
}

/// `raw-unicode-escape`: bytes are Latin-1, `\uXXXX` and `\UXXXXXXXX` are code points.
pub(super) fn raw_unicode_escape(bytes: &[u8]) -> Result<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = match bytes[at..] {
            [b'\\', b'u', ..] => 4,
            [b'\\', b'U', ..] => 8,
            _ => {
                text.push(char::from(bytes[at]));
                at += 1;
                continue;
            }
        };
        let code = hex(bytes, at + 2, digits)?;
        at += 2 + digits;
        let mut scalar = char::from_u32(code);
        if (0xd800..0xdc00).contains(&code) && bytes[at..].starts_with(b"\\u") {
            // Python 2 wrote characters beyond U+FFFF as a pair.
            let low = hex(bytes, at + 2, 4)?;
            if (0xdc00..0xe000).contains(&low) {
                scalar = char::from_u32(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
                at += 6;
            }
        }
        text.push(scalar.unwrap_or('\u{fffd}'));
    }
    Ok(text)
}

/// The number of `digits` hexadecimal digits.
fn hex(bytes: &[u8], at: usize, digits: usize) -> Result<u32> {
    bytes
        .get(at..at + digits)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| Error::malformed("an escape in a string is cut short"))
}

/// What stands between the quotes of a Python string literal.
pub(super) fn quoted(line: &[u8]) -> Result<&[u8]> {
    let line = line.trim_ascii_end();
    match line {
        [open @ (b'\'' | b'"'), inner @ .., close] if open == close => Ok(inner),
        _ => Err(Error::malformed("a string without its quotes")),
    }
}

/// The escapes of a Python 2 string literal, taken out.
pub(super) fn string_escape(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let escape = *bytes.get(at).ok_or_else(|| Error::malformed("an escape in a string is cut short"))?;
        at += 1;
        match escape {
            b'n' => plain.push(b'\n'),
            b't' => plain.push(b'\t'),
            b'r' => plain.push(b'\r'),
            b'a' => plain.push(7),
            b'b' => plain.push(8),
            b'v' => plain.push(11),
            b'f' => plain.push(12),
            b'\\' | b'\'' | b'"' => plain.push(escape),
            b'\n' => {}
            b'x' => {
                plain.push(u8::try_from(hex(bytes, at, 2)?).unwrap_or_default());
                at += 2;
            }
            b'0'..=b'7' => {
                let mut code = u32::from(escape - b'0');
                for _ in 0..2 {
                    let Some(&digit @ b'0'..=b'7') = bytes.get(at) else { break };
                    code = code * 8 + u32::from(digit - b'0');
                    at += 1;
                }
                plain.push((code & 0xff) as u8);
            }
            _ => plain.extend([b'\\', escape]),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_length() {
        assert_eq!(little_endian(b""), Some(0));
        assert_eq!(little_endian(b"\xff\x00"), Some(255));
        assert_eq!(little_endian(b"\x00\x80"), Some(-32768));
        assert_eq!(little_endian(b"\x00\x00\x00\x00\x00\x00\x00\x80"), Some(i64::MIN));
        assert_eq!(little_endian(b"\x00\x00\x00\x00\x00\x00\x00\x80\x00"), None);
        assert_eq!(little_endian(b"\xff\xff\xff\xff\xff\xff\xff\xff\x00"), None);
        assert_eq!(little_endian(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
    }

    #[test]
    fn surrogates_are_replaced_and_other_damage_is_not() {
        assert_eq!(without_surrogates(b"a\xed\xb2\x80b").as_deref(), Some("a\u{fffd}b"));
        assert_eq!(without_surrogates(b"\xed\xa0\xbd\xed\xb8\x80").as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(without_surrogates(b"a\xff"), None);
        assert_eq!(without_surrogates(b"\xed\xa0"), None);
        assert_eq!(without_surrogates(b"\x80"), None);
    }

    #[test]
    fn escapes() {
        assert_eq!(raw_unicode_escape(b"\xe9\\u20ac\\U0001f600\\n").unwrap(), "é€😀\\n");
        assert_eq!(raw_unicode_escape(b"\\ud83d\\ude00").unwrap(), "😀");
        assert!(raw_unicode_escape(b"\\u20").is_err());
        assert!(raw_unicode_escape(b"\\u+123").is_err());
        assert_eq!(string_escape(b"a\\n\\x00\\'\\\\\\101\\q").unwrap(), b"a\n\0'\\A\\q");
        assert!(string_escape(b"\\x1").is_err());
        assert!(string_escape(b"\\").is_err());
        assert_eq!(quoted(b"'it'").unwrap(), b"it");
        assert!(quoted(b"'").is_err());
    }
}
