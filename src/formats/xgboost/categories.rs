//! The categories of the data frame that a model was trained on (3.1 and later): the code of a category is its place in its list.

use super::document::CategoryColumn;
use super::learner::Release;
use crate::error::Result;
use crate::ir::TextColumns;
use crate::ir::text::{Cut, Numbers, TextColumn, Unknown, spellings};
use crate::limits;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The columns as columns of text; `None` when there are none. What a list does not have is refused, as the library does.
///
/// # Errors
/// `MI_MALFORMED` for a column that is not there, `MI_LIMIT_EXCEEDED` for more categories than any model has.
pub(super) fn texts(columns: &[CategoryColumn], features: usize, release: Release) -> Result<Option<TextColumns>> {
    let mut read = Vec::new();
    for column in columns {
        let Some(readings) = readings(column, release) else { continue };
        let (mut known, mut cut) = (BTreeMap::new(), None);
        for names in readings {
            for (code, name) in (0u32..).zip(names) {
                match name {
                    Name::Text(text) => know(&mut known, text, code),
                    Name::Number(number) => {
                        spellings(number).into_iter().for_each(|text| know(&mut known, text, code));
                    }
                    Name::Cut { start, length } => cut = Some(Cut { start, length, number: f64::from(code) }),
                    Name::Lost => {}
                }
            }
        }
        known.retain(|_, code| code.is_some());
        let known = known.into_iter().map(|(text, code)| (text, code.map_or(f64::NAN, f64::from)));
        let column = u32::try_from(column.feature).unwrap_or(u32::MAX);
        read.push(TextColumn::new(column, known, Unknown::Refused, Numbers::Codes, true)?.with_cut(cut));
    }
    if read.is_empty() { Ok(None) } else { TextColumns::new(features, read, Vec::new()).map(Some) }
}

/// Notes the code of a text; `None` for one that two readings give different codes, which is nobody's.
fn know(known: &mut BTreeMap<String, Option<u32>>, text: String, code: u32) {
    known.entry(text).and_modify(|known| *known = known.filter(|&known| known == code)).or_insert(Some(code));
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
        let Some(names) = readings(column, release).and_then(|readings| readings.into_iter().next()) else {
            warnings.push(format!("the categories of column {} are damaged; they are dropped", column.feature));
            continue;
        };
        if names.iter().any(|name| matches!(name, Name::Cut { .. } | Name::Lost)) {
            warnings.push(format!(
                "XGBoost before 3.4 cuts off the last categories of a column when not all are ASCII, as those of column {}; give their codes",
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

/// The categories of a column, in every way in which the file can be read, the likeliest first; `None` when they are damaged.
///
/// The library stores the bytes of strings, as signed numbers, and the places where they begin. Until 3.3 the Python package counted
/// characters where it meant bytes, unless the frame was one of Arrow: so that the places are those of the characters and the last
/// bytes are missing. Its own predictions compare what it cut in the same way.
#[allow(clippy::cast_precision_loss)] // categories are far below 2^52
fn readings(column: &CategoryColumn, release: Release) -> Option<Vec<Vec<Name>>> {
    let Some(offsets) = &column.offsets else {
        return Some(vec![column.values.iter().map(|&value| Name::Number(value as f64)).collect()]);
    };
    let bytes: Vec<u8> = column
        .values
        .iter()
        .map(|&byte| u8::try_from(byte).or_else(|_| i8::try_from(byte).map(i8::cast_unsigned)).ok())
        .collect::<Option<_>>()?;
    let mut parts = Vec::new();
    for pair in offsets.windows(2) {
        let (begin, end) = (usize::try_from(pair[0]).ok()?, usize::try_from(pair[1]).ok()?);
        parts.push(bytes.get(begin..end)?);
    }
    if release >= Release(3, 4) || bytes.is_ascii() {
        return Some(vec![parts.iter().map(|part| Name::Text(String::from_utf8_lossy(part).into_owned())).collect()]);
    }
    let mut readings = vec![by_characters(&bytes, parts.iter().map(|part| part.len()))];
    let whole = parts.iter().map(|part| std::str::from_utf8(part).ok());
    readings.extend(whole.map(|text| text.map(|text| Name::Text(text.to_owned()))).collect::<Option<Vec<_>>>());
    Some(readings)
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
