//! What may lie around a model in the binary format.
//!
//! Sources: `XGBoost` 0.4 `src/learner/learner-inl.hpp` (`binf`, `bs64`), 1.0 `src/learner.cc` (`CONFIG-offset:`), 0.72
//! `jvm-packages/xgboost4j-spark` `XGBoostModel.saveModelAsHadoopFile`, 0.82 `XGBoostClassifier`.

use crate::limits;
use std::borrow::Cow;

/// The model inside, or the bytes as they are.
pub(super) fn open(bytes: &[u8]) -> Cow<'_, [u8]> {
    if let Some(rest) = bytes.strip_prefix(b"bs64\t") {
        return base64(rest).map_or(Cow::Borrowed(bytes), Cow::Owned);
    }
    let inner = booster_memory(bytes).or_else(|| spark(bytes)).unwrap_or(bytes);
    Cow::Borrowed(inner.strip_prefix(b"binf").unwrap_or(inner))
}

/// What follows the number of classes that `XGBoost4J-Spark` 0.80 and later write before a classifier. Nothing tells it from a
/// model's own first bytes: whether a model follows must decide.
pub(super) fn after_class_count(bytes: &[u8]) -> Option<&[u8]> {
    let (classes, rest) = bytes.split_first_chunk::<4>()?;
    (2..=limits::OUTPUTS).contains(&(u32::from_be_bytes(*classes) as usize)).then_some(rest)
}

/// A booster's memory (1.0 to 1.5): the length of the model, the model, and its configuration as JSON.
fn booster_memory(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.strip_prefix(b"CONFIG-offset:")?.split_first_chunk::<8>()?;
    rest.get(..usize::try_from(i64::from_le_bytes(*length)).ok()?)
}

/// What `XGBoost4J-Spark` wrote before the model until 0.72, as `java.io.DataOutputStream` does: names of columns, and for
/// classifiers the number of classes and the thresholds.
fn spark(bytes: &[u8]) -> Option<&[u8]> {
    fn name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
    }
    let (kind, mut rest) = name(bytes)?;
    let classifier = match kind {
        b"_cls_" => true,
        b"_reg_" => false,
        _ => return None,
    };
    let names = if classifier { 4 } else { 3 };
    for _ in 0..names {
        rest = name(rest)?.1;
    }
    if classifier {
        let (_classes, after) = rest.split_first_chunk::<4>()?;
        let (thresholds, after) = after.split_first_chunk::<4>()?;
        // -1 stands for none.
        let thresholds = usize::try_from(i32::from_be_bytes(*thresholds)).unwrap_or(0);
        rest = after.get(thresholds.checked_mul(8)?..)?;
    }
    Some(rest)
}

/// Bytes from base64, white space ignored; nothing when another character is met.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(text.len() / 4 * 3 + 3).ok()?;
    let (mut bits, mut held) = (0_u32, 0);
    for &character in text {
        let digit = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ if character.is_ascii_whitespace() => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_opened() {
        assert_eq!(&*open(b"model"), b"model");
        assert_eq!(&*open(b"binfmodel"), b"model");
        assert_eq!(&*open(b"bs64\tbW9k\nZWw=\n"), b"model");
        assert_eq!(&*open(b"CONFIG-offset:\x09\0\0\0\0\0\0\0binfmodel{}"), b"model");
        assert_eq!(&*open(b"\0\x05_reg_\0\x01f\0\0\0\x01pmodel"), b"model");
        let classifier = b"\0\x05_cls_\0\x01f\0\0\0\x01p\0\x01r\0\0\0\x02\0\0\0\x02aaaaaaaabbbbbbbbmodel";
        assert_eq!(&*open(classifier), b"model");
        assert_eq!(&*open(b"\0\x05_cls_\0\x01f\0\0\0\x01p\0\x01r\0\0\0\x02\xff\xff\xff\xffmodel"), b"model");
    }

    #[test]
    fn class_counts_are_possible_ones() {
        assert_eq!(after_class_count(b"\0\0\0\x02model"), Some(&b"model"[..]));
        assert_eq!(after_class_count(b"\0\0\0\x01model"), None);
        assert_eq!(after_class_count(b"binfmodel"), None);
    }

    #[test]
    fn broken_envelopes_stay_closed() {
        for bytes in [
            &b"bs64\t!"[..],
            b"CONFIG-offset:\xff\xff\xff\xff\xff\xff\xff\xffmodel",
            b"CONFIG-offset:\x09\0\0",
            b"\0\x05_reg_\xff\xff",
            b"\0\x05_cls_\0\0\0\0\0\0\0\0\0\0\0\x02\x7f\xff\xff\xffmodel",
        ] {
            assert_eq!(&*open(bytes), bytes);
        }
    }
}
