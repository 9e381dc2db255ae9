//! JSON as Python writes it: with bare `NaN`, `Infinity` and `-Infinity`.

use crate::error::{Error, Result};
use serde_json::Value;
use std::borrow::Cow;

/// Parses JSON; the bare words `NaN`, `Infinity` and `-Infinity` become strings of the same spelling.
///
/// # Errors
/// `MI_MALFORMED` with line and column.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(&quote_bare_words(bytes)).map_err(|cause| Error::malformed(format!("not JSON: {cause}")))
}

/// The text with quotes around `NaN`, `Infinity` and `-Infinity` wherever they stand outside of a string.
#[must_use]
pub fn quote_bare_words(bytes: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let mut quoted = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'N' | b'I' | b'-' if !in_string => {
                if let Some(word) = WORDS.iter().find(|word| bytes[at..].starts_with(word)) {
                    quoted.extend_from_slice(&bytes[copied..at]);
                    quoted.push(b'"');
                    quoted.extend_from_slice(word);
                    quoted.push(b'"');
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    quoted.extend_from_slice(&bytes[copied..]);
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bare_words_are_kept_as_strings() {
        let value = parse(br#"{"a": NaN, "b": [-Infinity, Infinity, -1.5], "NaN": "Infinity \" NaN"}"#).unwrap();
        assert_eq!(value, json!({"a": "NaN", "b": ["-Infinity", "Infinity", -1.5], "NaN": "Infinity \" NaN"}));
    }

    #[test]
    fn broken_text_is_placed() {
        let error = parse(b"{\"a\": 1,\n \"b\": }").unwrap_err();
        assert!(error.message().contains("line 2"), "{error}");
        assert!(parse(&b"[".repeat(100_000)).is_err());
    }
}
