//! The categories of the pandas frame that a model was trained on, as columns of text.
//!
//! The file lists the categories of each categorical column of the frame, in the order of the columns, but not which columns these
//! are: that is said by the parameter `categorical_feature`, which the library sets to their indices. The code of a category is its
//! place in its list; what the list does not have is missing.
//!
//! Source: `_data_from_pandas` of `LightGBM`'s Python package.

use crate::error::Result;
use crate::ir::TextColumns;
use crate::ir::text::{Numbers, TextColumn, Unknown, spellings};
use serde_json::{Map, Value};

/// The columns of text; `None`, and a warning, where the lists cannot be matched with columns.
///
/// An ordered category has a list and is no `categorical_feature`. Where the two counts differ for that reason or another one, rows
/// hold codes, as in a file without lists.
pub(super) fn texts(
    lists: &Value,
    parameters: &Map<String, Value>,
    features: usize,
    warnings: &mut Vec<String>,
) -> Result<Option<TextColumns>> {
    let Value::Array(lists) = lists else { return Ok(None) };
    if lists.is_empty() {
        return Ok(None);
    }
    let indices = parameters.get("categorical_feature").and_then(Value::as_str).and_then(indices).unwrap_or_default();
    let fits = indices.last().is_some_and(|&last| (last as usize) < features);
    if !fits || indices.len() != lists.len() {
        warnings.push(format!(
            "the file lists the categories of {} columns and does not say which columns these are; give codes",
            lists.len()
        ));
        return Ok(None);
    }
    let mut columns = Vec::new();
    for (&column, list) in indices.iter().zip(lists) {
        let Value::Array(list) = list else { continue };
        let mut known = Vec::new();
        for (code, category) in (0u32..).zip(list) {
            let texts = match category {
                Value::String(text) => vec![text.clone()],
                Value::Number(number) => number.as_f64().map(spellings).unwrap_or_default(),
                Value::Bool(true) => vec!["True".to_owned()],
                Value::Bool(false) => vec!["False".to_owned()],
                _ => Vec::new(),
            };
            known.extend(texts.into_iter().map(|text| (text, f64::from(code))));
        }
        columns.push(TextColumn::new(column, known.into_iter(), Unknown::Missing, Numbers::Codes, true)?);
    }
    TextColumns::new(features, columns, Vec::new()).map(Some)
}

/// Indices in ascending order, each once.
fn indices(text: &str) -> Option<Vec<u32>> {
    let mut indices: Vec<u32> = text.split(',').map(|index| index.trim().parse().ok()).collect::<Option<_>>()?;
    indices.sort_unstable();
    indices.dedup();
    Some(indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(lists: &Value, indices: &str) -> (Option<TextColumns>, usize) {
        let parameters = json!({"categorical_feature": indices}).as_object().cloned().unwrap_or_default();
        let mut warnings = Vec::new();
        (texts(lists, &parameters, 4, &mut warnings).unwrap(), warnings.len())
    }

    #[test]
    fn lists_belong_to_columns_in_their_order() {
        let (found, warnings) = read(&json!([["a", "b"], [10, 20], [0.5, 1.0], [true]]), "3,1,0,2");
        let found = found.unwrap();
        let code = |place: usize, text: &str| found.columns()[place].number(text.as_bytes()).unwrap();
        assert_eq!(found.columns().iter().map(TextColumn::column).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(
            [code(0, "b"), code(1, "20"), code(1, "20.0"), code(2, "1"), code(3, "True")],
            [1.0, 1.0, 1.0, 1.0, 0.0]
        );
        assert!(code(0, "c").is_nan() && code(1, "1").is_nan());
        assert_eq!(warnings, 0);
    }

    #[test]
    fn lists_without_a_column_are_said_aloud() {
        for indices in ["", "0,1", "4", "x", "-1"] {
            let (found, warnings) = read(&json!([["a"]]), indices);
            assert!(found.is_none() && warnings == 1, "{indices}");
        }
        assert!(matches!(read(&json!([]), ""), (None, 0)));
    }
}
