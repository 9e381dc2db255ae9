//! One cell of a CSV: from text to number and back.

use std::fmt::Write as _;

/// Words that mean a missing value, beside the empty cell.
const MISSING: [&[u8]; 4] = [b"nan", b"NaN", b"NA", b"null"];

/// Whether a cell means a missing value.
pub fn is_missing(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.is_empty() || MISSING.contains(&cell)
}

/// The number in a cell; a missing one is NaN. What is no number comes back as a sentence.
pub fn parse(cell: &[u8]) -> Result<f64, String> {
    if is_missing(cell) {
        return Ok(f64::NAN);
    }
    let cell = cell.trim_ascii();
    let text = std::str::from_utf8(cell).ok();
    match text.and_then(|text| text.parse::<f64>().ok()) {
        Some(value) if value.is_nan() => Ok(f64::NAN),
        Some(value) if value.is_infinite() && cell.iter().any(u8::is_ascii_digit) => {
            Err(format!("{} is beyond the range of float64; write inf or -inf if infinity is meant", quoted(cell)))
        }
        Some(value) => Ok(value),
        None => {
            Err(format!("{} is not a number; a missing value is an empty cell, nan, NaN, NA or null", quoted(cell)))
        }
    }
}

/// The beginning of a cell in quotes, for an error.
pub fn quoted(cell: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(cell);
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("'{shown}...'") } else { format!("'{shown}'") }
}

/// Writes the fewest digits that parse back to the same bits. `whole` drops the `.0` of whole numbers.
pub fn format(text: &mut String, value: f64, whole: bool) {
    text.clear();
    // A String accepts every write.
    let _ = if whole { write!(text, "{value}") } else { write!(text, "{value:?}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_missing_values() {
        for (cell, value) in [("1.5", 1.5), (" -2e-3 ", -0.002), ("+4", 4.0), (".5", 0.5), ("inf", f64::INFINITY)] {
            assert_eq!(parse(cell.as_bytes()), Ok(value), "{cell}");
        }
        for cell in ["", " ", "nan", "NaN", "NA", "null", "-nan"] {
            assert!(parse(cell.as_bytes()).is_ok_and(f64::is_nan), "{cell}");
        }
        for (cell, word) in [("1,5", "not a number"), ("abc", "'abc'"), ("0x10", "not a number"), ("1e400", "range")] {
            assert!(parse(cell.as_bytes()).unwrap_err().contains(word), "{cell}");
        }
        assert!(parse(b"\xff\xfe").is_err());
    }

    #[test]
    fn printed_numbers_parse_back_to_the_same_bits() {
        let mut text = String::new();
        let odd =
            [0.0, -0.0, 0.1, 1e300, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1.0 / 3.0, 123_456_789.0, 1e16, f64::INFINITY];
        for value in odd.into_iter().flat_map(|value| [value, -value]) {
            for whole in [false, true] {
                format(&mut text, value, whole);
                assert_eq!(parse(text.as_bytes()).map(f64::to_bits), Ok(value.to_bits()), "{text}");
            }
        }
        format(&mut text, 3.0, true);
        assert_eq!(text, "3");
        format(&mut text, 1e300, false);
        assert_eq!(text, "1e300");
    }
}
