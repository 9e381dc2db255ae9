//! SHA-256 of the very bytes that are parsed.

use crate::error::{Error, Result, Status};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What is done about checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Hash and compare at all.
    pub verify: bool,
    /// A mismatch is a failure; false: a warning.
    pub strict: bool,
    /// No checksum to compare with is accepted.
    pub allow_unsigned: bool,
}

/// A checksum as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// What the metadata says.
    pub expected: Option<String>,
    /// What the bytes have; `None` when nothing was hashed.
    pub found: Option<String>,
    /// The two are equal.
    pub verified: bool,
}

impl Checksum {
    /// For the model's JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "algorithm": "sha256",
            "expected": self.expected,
            "found": self.found,
            "verified": self.verified,
        })
    }
}

/// The SHA-256 of these bytes, in lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Compares the bytes with what the metadata expects; a warning comes with what was accepted although it is not right.
///
/// `source` says where the checksum stands, for example ``"`model_checksum` in /run/.../model_meta.json"``.
///
/// # Errors
/// `MI_CHECKSUM_MISMATCH` with both sums, `MI_UNSIGNED` when there is none to compare with.
pub fn verify(
    bytes: &[u8],
    expected: Option<&str>,
    source: &str,
    policy: Policy,
) -> Result<(Checksum, Option<String>)> {
    let expected = expected.map(str::trim).filter(|expected| !expected.is_empty());
    let mut checksum = Checksum { expected: expected.map(str::to_owned), found: None, verified: false };
    if !policy.verify {
        return Ok((checksum, None));
    }
    if expected.is_none() && !policy.allow_unsigned {
        return Err(Error::new(
            Status::Unsigned,
            format!(
                "there is no {source}, so nothing says that this is the right file; add its SHA-256, or set allow_unsigned"
            ),
        ));
    }
    let found = sha256(bytes);
    let Some(expected) = expected else {
        checksum.found = Some(found);
        return Ok((checksum, None));
    };
    let digits = expected.strip_prefix("sha256:").unwrap_or(expected);
    checksum.verified = digits.eq_ignore_ascii_case(&found);
    checksum.found = Some(found);
    if checksum.verified {
        return Ok((checksum, None));
    }
    let shape = if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        ""
    } else {
        " (which is not a SHA-256: that has 64 hexadecimal digits)"
    };
    let sentence = format!(
        "its SHA-256 is {}, {source} says {}{shape}",
        checksum.found.as_deref().unwrap_or_default(),
        expected.escape_default()
    );
    if policy.strict {
        return Err(Error::new(
            Status::ChecksumMismatch,
            format!(
                "{sentence}; the file is not the one that was trained: restore it, or correct the checksum if you trust the file"
            ),
        ));
    }
    Ok((checksum, Some(format!("checksum mismatch accepted: {sentence}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Policy = Policy { verify: true, strict: true, allow_unsigned: false };
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, appendix B.1

    #[test]
    fn the_standard_vector_holds() {
        assert_eq!(sha256(b"abc"), ABC);
    }

    #[test]
    fn spelling_does_not_matter() {
        for expected in [ABC.to_owned(), ABC.to_uppercase(), format!(" sha256:{ABC}\n")] {
            assert!(verify(b"abc", Some(&expected), "x", STRICT).unwrap().0.verified);
        }
    }

    #[test]
    fn each_policy_has_its_answer() {
        let wrong = Some("00");
        assert_eq!(verify(b"abc", wrong, "x", STRICT).unwrap_err().status(), Status::ChecksumMismatch);
        let (sum, warning) = verify(b"abc", wrong, "x", Policy { strict: false, ..STRICT }).unwrap();
        assert!(!sum.verified && warning.unwrap().contains(ABC));
        for none in [None, Some(""), Some("  ")] {
            assert_eq!(verify(b"abc", none, "x", STRICT).unwrap_err().status(), Status::Unsigned);
            let (sum, warning) = verify(b"abc", none, "x", Policy { allow_unsigned: true, ..STRICT }).unwrap();
            assert_eq!((sum.verified, sum.found.as_deref(), warning), (false, Some(ABC), None));
        }
        let off = Policy { verify: false, ..STRICT };
        assert_eq!(verify(b"abc", wrong, "x", off).unwrap().0.found, None);
    }
}
