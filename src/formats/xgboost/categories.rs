//! The categories of the data frame that a model was trained on (3.1 and later): the code of a category is its place in its list.

use super::document::CategoryColumn;
use super::learner::Release;
use crate::error::Result;
use crate::ir::TextColumns;
use crate::ir::text::{Cut, Numbers, TextColumn, Unknown, spellings};
use crate::limits;
use serde_json::{Map, Value, json};

/// The columns as columns of text; `None` when there are none. What a list does not have is refused, as the library does.
///
/// # Errors
/// `MI_MALFORMED` for a column that is not there, `MI_LIMIT_EXCEEDED` for more categories than any model has.
pub(super) fn texts(columns: &[CategoryColumn], features: usize, release: Release) -> Result<Option<TextColumns>> {
    let mut read = Vec::new();
    for column in columns {
        let Some(names) = names(column, release) else { continue };
        let (mut known, mut cut) = (Vec::new(), None);
        for (code, name) in (0u32..).map(f64::from).zip(names) {
            match name {
                Name::Text(text) => known.push((text, code)),
                Name::Number(number) => known.extend(spellings(number).into_iter().map(|text| (text, code))),
                Name::Cut { start, length } => cut = Some(Cut { start, length, number: code }),
                Name::Lost => {}
            }
        }
        let column = u32::try_from(column.feature).unwrap_or(u32::MAX);
        read.push(TextColumn::new(column, known.into_iter(), Unknown::Refused, Numbers::Codes, true)?.with_cut(cut));
    }
    if read.is_empty() { Ok(None) } else { TextColumns::new(features, read, Vec::new()).map(Some) }
}

/// How a file names a category.
enum Name {
    Text(String),
    Number(f64),
    /// The beginning of a text of so many characters.
    Cut {
        start: String,
        length: usize,
    },
    /// The file does not hold it.
    Lost,
}

/// The lists for the model's JSON.
pub(super) fn details(
    columns: &[CategoryColumn],
    names_of_columns: &[String],
    release: Release,
    warnings: &mut Vec<String>,
) -> Map<String, Value> {
    let mut details = Map::new();
    let count: usize = columns.iter().map(|column| column.offsets.as_ref().map_or(column.values.len(), Vec::len)).sum();
    if count > limits::LISTED_CATEGORIES {
        warnings.push(format!("the file holds {count} categories, too many to list here"));
        return details;
    }
    let mut listed = Vec::new();
    for column in columns {
        let Some(names) = names(column, release) else {
            warnings.push(format!("the categories of column {} are damaged; they are dropped", column.feature));
            continue;
        };
        if names.iter().any(|name| matches!(name, Name::Cut { .. } | Name::Lost)) {
            warnings.push(format!(
                "XGBoost before 3.4 cut off the last categories of column {}, which are not ASCII; give their codes",
                column.feature
            ));
        }
        #[allow(clippy::cast_possible_truncation)] // whole numbers of 64 bits
        let values = names.into_iter().map(|name| match name {
            Name::Text(text) => json!(text),
            Name::Number(number) => json!(number as i64),
            Name::Cut { start, .. } => json!(start),
            Name::Lost => Value::Null,
        });
        listed.push(json!({
            "feature": column.feature,
            "name": names_of_columns.get(column.feature),
            "values": values.collect::<Vec<_>>(),
        }));
    }
    if !listed.is_empty() {
        details.insert("categories".to_owned(), Value::Array(listed));
    }
    details
}

/// The categories of a column; `None` when they are damaged.
#[allow(clippy::cast_precision_loss)] // categories are far below 2^52
fn names(column: &CategoryColumn, release: Release) -> Option<Vec<Name>> {
    match &column.offsets {
        Some(offsets) => strings(offsets, &column.values, release),
        None => Some(column.values.iter().map(|&value| Name::Number(value as f64)).collect()),
    }
}

/// Strings from their bytes, which the library stores as signed numbers, and the places where they begin.
///
/// Until 3.3 the Python package counted characters where it meant bytes, so that the places are those of the characters and the last
/// bytes are missing. Its own predictions compare what it cut in the same way.
fn strings(offsets: &[i32], bytes: &[i64], release: Release) -> Option<Vec<Name>> {
    let bytes: Vec<u8> = bytes
        .iter()
        .map(|&byte| u8::try_from(byte).or_else(|_| i8::try_from(byte).map(i8::cast_unsigned)).ok())
        .collect::<Option<_>>()?;
    let mut parts = Vec::new();
    for pair in offsets.windows(2) {
        let (begin, end) = (usize::try_from(pair[0]).ok()?, usize::try_from(pair[1]).ok()?);
        parts.push(bytes.get(begin..end)?);
    }
    let whole: Option<Vec<&str>> = parts.iter().map(|part| std::str::from_utf8(part).ok()).collect();
    let lengths = parts.iter().map(|part| part.len());
    match whole {
        _ if release >= Release(3, 4) => {
            Some(parts.iter().map(|part| Name::Text(String::from_utf8_lossy(part).into_owned())).collect())
        }
        // The last one may be whole, or the beginning of one with more bytes than characters.
        Some(whole) => {
            let last = whole.len().saturating_sub(1);
            let name = |(index, text): (usize, &str)| match text.is_ascii() || index < last {
                true => Name::Text(text.to_owned()),
                false => Name::Cut { start: text.to_owned(), length: text.len() },
            };
            Some(whole.into_iter().enumerate().map(name).collect())
        }
        None => Some(by_characters(&bytes, lengths)),
    }
}

/// Names of so many characters each, as far as the bytes go.
fn by_characters(bytes: &[u8], lengths: impl Iterator<Item = usize>) -> Vec<Name> {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut characters = valid.chars();
    let name = |length: usize| {
        let text: String = characters.by_ref().take(length).collect();
        match text.chars().count() {
            count if count == length => Name::Text(text),
            0 => Name::Lost,
            _ => Name::Cut { start: text, length },
        }
    };
    lengths.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(feature: usize, bytes: &[u8], offsets: Option<&[i32]>) -> CategoryColumn {
        let values = bytes.iter().map(|&byte| i64::from(byte.cast_signed())).collect();
        CategoryColumn { feature, values, offsets: offsets.map(<[i32]>::to_vec) }
    }

    #[test]
    fn categories_are_listed_by_column() {
        let columns = [
            column(1, "a\u{e4}b".as_bytes(), Some(&[0, 3, 4])),
            column(2, &[7, 9], None),
            column(3, b"a", Some(&[0, 5])),
        ];
        let mut warnings = Vec::new();
        let details = details(&columns, &[], Release(3, 4), &mut warnings);
        assert_eq!(
            details["categories"],
            json!([
                {"feature": 1, "name": null, "values": ["a\u{e4}", "b"]},
                {"feature": 2, "name": null, "values": [7, 9]},
            ])
        );
        assert_eq!(warnings.len(), 1);
        let texts = texts(&columns, 4, Release(3, 4)).unwrap().unwrap();
        let code = |place: usize, text: &str| texts.columns()[place].number(text.as_bytes());
        assert_eq!([code(0, "b"), code(1, "9"), code(1, "9.0"), code(0, "c")], [Some(1.0), Some(1.0), Some(1.0), None]);
        assert_eq!(texts.columns().len(), 2, "a damaged column is dropped");
    }

    /// `["ä", "bc", "öl", "de"]` as 3.2 stores it: seven of nine bytes, cut at characters.
    #[test]
    fn characters_that_were_taken_for_bytes() {
        let bytes = &"\u{e4}bc\u{f6}lde".as_bytes()[..7];
        let columns = [column(0, bytes, Some(&[0, 1, 3, 5, 7]))];
        let old = texts(&columns, 1, Release(3, 2)).unwrap().unwrap();
        let code = |text: &str| old.columns()[0].number(text.as_bytes());
        assert_eq!(["\u{e4}", "bc", "\u{f6}l"].map(code), [Some(0.0), Some(1.0), Some(2.0)]);
        assert_eq!(["de", "d", "x"].map(code), [None; 3], "its bytes are lost");
        let cut = [column(0, &"ab\u{fc}\u{df}".as_bytes()[..4], Some(&[0, 1, 4]))];
        let cut = texts(&cut, 1, Release(3, 2)).unwrap().unwrap();
        let code = |text: &str| cut.columns()[0].number(text.as_bytes());
        assert_eq!(
            ["a", "b\u{fc}\u{df}", "b\u{fc}", "b\u{fc}\u{df}x"].map(code),
            [Some(0.0), Some(1.0), Some(1.0), None]
        );
    }
}
