//! The names of a model's columns: whose are believed, and a row by name.

use crate::error::{Error, Result};
use std::collections::HashMap;

/// Names that an error message lists before it says how many more there are.
const LISTED: usize = 5;

/// The names of the columns of a model, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    columns: Vec<String>,
    index: HashMap<String, usize>,
}

/// Buffers of a row that is put together by name; reused, so that a warm call allocates nothing.
#[derive(Debug, Default)]
pub struct NamedRow {
    values: Vec<f64>,
    given: Vec<bool>,
}

/// Whose names a model goes by, after the file and the metadata were compared.
#[derive(Debug)]
pub struct Settled {
    /// The names, or why a row cannot be given by name.
    pub names: Result<Names>,
    /// Names that are only shown.
    pub shown: Option<Vec<String>>,
    /// Where they come from.
    pub source: Option<&'static str>,
    /// Disagreements.
    pub warnings: Vec<String>,
}

impl Names {
    /// Names of `width` columns.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` for another number of names, `MI_INVALID_ARGUMENT` for a name given twice.
    pub fn new(columns: Vec<String>, width: usize) -> Result<Self> {
        if columns.len() != width {
            return Err(Error::shape(format!("{} names for a model of {width} columns", columns.len())));
        }
        let mut index = HashMap::with_capacity(width);
        for (column, name) in columns.iter().enumerate() {
            if let Some(first) = index.insert(name.clone(), column) {
                return Err(Error::invalid(format!("the name '{name}' is that of columns {first} and {column}")));
            }
        }
        Ok(Self { columns, index })
    }

    /// The names in the order of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Puts a row together from values by name, in any order; names that are no columns are passed over.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a column without a value or with two.
    pub fn row<'a>(&self, features: &[(&str, f64)], row: &'a mut NamedRow) -> Result<&'a [f64]> {
        let width = self.columns.len();
        row.values.clear();
        row.values.resize(width, 0.0);
        row.given.clear();
        row.given.resize(width, false);
        let mut filled = 0;
        for (name, value) in features {
            let Some(&column) = self.index.get(*name) else { continue };
            if row.given[column] {
                return Err(Error::invalid(format!("the feature '{name}' is given twice")));
            }
            row.given[column] = true;
            row.values[column] = *value;
            filled += 1;
        }
        if filled < width {
            let missing =
                self.columns.iter().zip(&row.given).filter(|(_, given)| !**given).map(|(name, _)| name.as_str());
            return Err(Error::invalid(format!(
                "{} of the model's {width} features have no value: {}; give NaN for one that is unknown",
                width - filled,
                quoted(missing)
            )));
        }
        Ok(&row.values)
    }
}

/// The first names, and how many more there are.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let text = names.iter().take(LISTED).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(LISTED) {
        None | Some(0) => text,
        Some(more) => format!("{text} and {more} more"),
    }
}

/// Whether every name is only the number of its column: what `LightGBM` (`Column_3`) and `XGBoost` (`f3`) write when the training
/// side named nothing.
fn only_numbers(names: &[String]) -> bool {
    let numbered = |prefix: &str| {
        names
            .iter()
            .enumerate()
            .all(|(column, name)| name.strip_prefix(prefix).is_some_and(|rest| rest == column.to_string()))
    };
    numbered("Column_") || numbered("f")
}

/// A name as `LightGBM` writes it to its file.
fn written(name: &str) -> String {
    name.replace(' ', "_")
}

/// The names that are in one list only, for a sentence; `None` when both hold the same.
fn difference(file: &[String], list: &[String]) -> Option<String> {
    let sorted = |names: &[String]| {
        let mut names: Vec<String> = names.iter().map(|name| written(name)).collect();
        names.sort();
        names
    };
    let (file, list) = (sorted(file), sorted(list));
    if file == list {
        return None;
    }
    let without = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|name| b.binary_search(name).is_err()).cloned().collect()
    };
    let (only_file, only_list) = (without(&file, &list), without(&list, &file));
    if only_file.is_empty() && only_list.is_empty() {
        return Some("it holds names twice".to_owned());
    }
    let mut parts = Vec::new();
    if !only_file.is_empty() {
        parts.push(format!("it lacks {}", quoted(only_file.iter().map(String::as_str))));
    }
    if !only_list.is_empty() {
        parts.push(format!("the model has no {}", quoted(only_list.iter().map(String::as_str))));
    }
    Some(parts.join("; "))
}

/// Decides whose names a model of `width` columns goes by: those of its file when it has any, else the first of the metadata's
/// lists. Any disagreement is a warning, and one that leaves in doubt what a column is called refuses rows by name.
#[must_use]
pub fn settle(file: Option<&[String]>, lists: &[(&'static str, Vec<String>)], width: usize) -> Settled {
    let mut warnings = Vec::new();
    let named = file.filter(|names| lists.is_empty() || !only_numbers(names));
    let mut doubt: Option<String> = None;
    for (position, (key, list)) in lists.iter().enumerate() {
        let reference = named.or((position > 0).then(|| lists[0].1.as_slice()));
        let against = if named.is_some() { "the model file" } else { lists[0].0 };
        let wrong = if list.len() == width {
            reference
                .and_then(|reference| difference(reference, list))
                .map(|how| format!("metadata: `{key}` and {against} name different columns: {how}"))
        } else {
            Some(format!(
                "metadata: `{key}` has {} names, the model has {width} columns; the model's own width holds",
                list.len()
            ))
        };
        if let Some(wrong) = wrong {
            // Without names in the file only the first list is believed, so only its faults are in doubt.
            if named.is_some() || position == 0 {
                doubt.get_or_insert_with(|| wrong.clone());
            }
            warnings.push(wrong);
        }
    }
    let (source, chosen) = match (named, lists.first()) {
        (Some(names), _) => (Some("model"), Some(names)),
        (None, Some((key, list))) => (Some(*key), Some(list.as_slice())),
        (None, None) => (None, None),
    };
    let names = match (doubt, chosen) {
        (Some(doubt), _) => Err(Error::shape(format!(
            "{doubt}; a row by name is refused until the right names are supplied (mi_engine_set_feature_names)"
        ))),
        (None, Some(names)) => Names::new(names.to_vec(), width),
        (None, None) => Err(Error::invalid(
            "the model has no names for its columns; give the row by position, or supply them (mi_engine_set_feature_names)",
        )),
    };
    let shown = match (&names, file) {
        (Ok(names), _) => Some(names.columns.clone()),
        (Err(_), file) => file.map(<[String]>::to_vec),
    };
    let source = source.filter(|_| names.is_ok());
    Settled { names, shown, source, warnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_file_goes_before_the_metadata() {
        let settled = settle(Some(&names("b a")), &[("features", names("a b"))], 2);
        assert_eq!(settled.names.unwrap().columns(), names("b a"));
        assert_eq!(settled.source, Some("model"));
        assert!(settled.warnings.is_empty());
    }

    #[test]
    fn the_unsorted_list_goes_before_the_sorted_one() {
        for file in [None, Some(names("Column_0 Column_1")), Some(names("f0 f1"))] {
            let settled = settle(file.as_deref(), &[("features", names("b a")), ("feature_list", names("a b"))], 2);
            assert_eq!(settled.names.unwrap().columns(), names("b a"));
            assert_eq!(settled.shown, Some(names("b a")));
            assert!(settled.warnings.is_empty());
        }
    }

    #[test]
    fn numbered_names_serve_where_nothing_else_is_said() {
        let settled = settle(Some(&names("Column_0 Column_1")), &[], 2);
        assert_eq!(settled.names.unwrap().columns(), names("Column_0 Column_1"));
    }

    #[test]
    fn other_sets_and_widths_are_refused_by_name() {
        for (file, list) in [
            (Some(names("a b")), names("a b c")),
            (Some(names("a b")), names("a c")),
            (Some(names("a b")), names("a a")),
            (Some(names("Column_0 Column_1")), names("a b c")),
            (None, names("a")),
        ] {
            let settled = settle(file.as_deref(), &[("features", list)], 2);
            assert_eq!(settled.names.unwrap_err().status(), crate::Status::ShapeMismatch);
            assert_eq!(settled.warnings.len(), 1, "{:?}", settled.warnings);
            assert_eq!(settled.shown, file);
        }
        let settled = settle(Some(&names("a b")), &[("features", names("a c"))], 2);
        assert!(settled.warnings[0].contains("lacks 'b'; the model has no 'c'"), "{}", settled.warnings[0]);
    }

    #[test]
    fn a_second_list_that_disagrees_is_only_a_warning() {
        let settled = settle(None, &[("features", names("b a")), ("feature_list", names("a b c"))], 2);
        assert_eq!(settled.names.unwrap().columns(), names("b a"));
        assert_eq!(settled.warnings.len(), 1);
    }

    #[test]
    fn spaces_are_underscores_in_a_lightgbm_file() {
        let file = names("close_ma volume");
        let list = vec!["volume".to_owned(), "close ma".to_owned()];
        assert!(settle(Some(&file), &[("features", list)], 2).warnings.is_empty());
    }

    #[test]
    fn rows_come_in_any_order_and_whole() {
        let three = Names::new(names("a b c"), 3).unwrap();
        let mut row = NamedRow::default();
        let given = [("c", 3.0), ("x", 9.0), ("a", 1.0), ("b", f64::NAN)];
        let values = three.row(&given, &mut row).unwrap();
        assert!(values[0] == 1.0 && values[1].is_nan() && values[2] == 3.0);
        let error = three.row(&[("b", 0.0)], &mut row).unwrap_err();
        assert!(error.message().contains("2 of the model's 3 features have no value: 'a', 'c'"), "{error}");
        assert!(three.row(&[("a", 1.0), ("a", 1.0), ("b", 1.0), ("c", 1.0)], &mut row).is_err());
        assert!(Names::new(names("a a"), 2).is_err());
        assert!(Names::new(names("a b"), 3).is_err());
    }
}
