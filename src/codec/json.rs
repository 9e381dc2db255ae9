//! JSON as Python writes it: with bare `NaN`, `Infinity` and `-Infinity`.

use crate::error::{Error, Result};
use serde_json::Value;
use std::borrow::Cow;

/// Parses JSON; the bare words `NaN`, `Infinity` and `-Infinity` become strings of the same spelling.
///
/// # Errors
/// `MI_MALFORMED` with line and column.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(&clean(bytes)).map_err(|cause| Error::malformed(format!("not JSON: {cause}")))
}

/// Parses JSON into a type of its own, without a tree of values in between. Text that may hold bare words goes through [`clean`] first.
///
/// # Errors
/// `MI_MALFORMED` with line and column, or with what the type refuses.
pub fn typed<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|cause| Error::malformed(format!("not such JSON: {cause}")))
}

/// What stands for numbers that JSON has no word for.
const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Whether a text is the beginning of JSON and nothing else is wrong with it. Looks at all of it: for texts that were refused. Whole bare
/// words have become strings before, as [`clean`] does.
#[must_use]
pub fn is_cut_off(text: &[u8]) -> bool {
    let ends = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err_and(|cause| cause.is_eof());
    // A number that is not complete is refused as such, not for its end; a digit completes any.
    let number = matches!(text, [.., b'-' | b'+' | b'.' | b'e' | b'E']);
    // The beginning of a bare word would have become a string.
    let part = |word: &[u8]| (1..word.len()).rev().find(|&length| text.ends_with(&word[..length]));
    let word = WORDS.into_iter().filter_map(part).max();
    ends(text)
        || number && ends(&[text, b"0"].concat())
        || word.is_some_and(|length| ends(&[&text[..text.len() - length], b"\"\""].concat()))
}

/// The text without a byte order mark and with bare words as strings, as [`parse`] takes it.
#[must_use]
pub fn clean(bytes: &[u8]) -> Cow<'_, [u8]> {
    quote_bare_words(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Which of `keys` stands first at the top level of a JSON object. Looks at no more of the text than it must, and checks none of it.
#[must_use]
pub fn first_key(bytes: &[u8], keys: &[&str]) -> Option<usize> {
    let mut depth = 0usize;
    let mut start = None;
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if let Some(begin) = start {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    start = None;
                    // A value at the top level may be the same string, but it is never followed by a colon.
                    let is_key = || bytes[at + 1..].trim_ascii_start().starts_with(b":");
                    let found = keys.iter().position(|key| depth == 1 && key.as_bytes() == &bytes[begin..at]);
                    if found.is_some() && is_key() {
                        return found;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => start = Some(at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The text with quotes around `NaN`, `Infinity` and `-Infinity` wherever they stand outside of a string.
#[must_use]
pub fn quote_bare_words(bytes: &[u8]) -> Cow<'_, [u8]> {
    if WORDS.iter().all(|word| memchr::memmem::find(bytes, word).is_none()) {
        return Cow::Borrowed(bytes);
    }
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
    fn keys_of_the_top_level_are_found() {
        let text = br#"{"a": {"learner": 1}, "b": "learner", "c\"": [{"learner": 2}], "learner" : 3, "trees": 4}"#;
        assert_eq!(first_key(text, &["trees", "learner"]), Some(1));
        assert_eq!(first_key(text, &["x", "c"]), None);
        assert_eq!(first_key(b"{\"learner", &["learner"]), None);
    }

    #[test]
    fn a_beginning_is_told_from_what_is_broken() {
        let text = br#"{"a": [-1.5E-7, {"b": "c"}, true, NaN, [Infinity, -Infinity]]}"#;
        assert!(!is_cut_off(&clean(text)));
        assert!((0..text.len()).all(|end| is_cut_off(&clean(&text[..end]))));
        for broken in ["{\"a\": ]", "{\"a\": 1-", "[1N", "[2-Inf", "[Nan", "[1]N"] {
            assert!(!is_cut_off(&clean(broken.as_bytes())), "{broken}");
        }
    }

    #[test]
    fn broken_text_is_placed() {
        let error = parse(b"{\"a\": 1,\n \"b\": }").unwrap_err();
        assert!(error.message().contains("line 2"), "{error}");
        assert!(parse(&b"[".repeat(100_000)).is_err());
    }
}
