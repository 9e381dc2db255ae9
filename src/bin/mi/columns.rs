//! Which cell of a row feeds which column of the model, and which cells are copied to the output.

use crate::records::Records;
use mi::{Error, Model, Result};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

/// What the user asks to have copied in front of the predictions.
#[derive(Debug, Clone, Copy)]
pub struct Copied<'a> {
    /// Columns that are no features.
    pub ids: &'a [String],
    /// Columns that may be features as well.
    pub keep: &'a [String],
}

/// The way from the cells of a row to a row of the model.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Cells of every row.
    pub width: usize,
    /// For each column of the model its cell; `None`: there is none, and the model does not look at it.
    pub features: Vec<Option<usize>>,
    /// Cells that are copied to the output, in order.
    pub copied: Vec<usize>,
    /// The header, cell by cell; empty when the CSV has none.
    pub header: Vec<String>,
    /// What the user should know about the match.
    pub note: Option<String>,
}

impl Plan {
    /// Matches the header of a CSV with a model.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a copied column that does not exist, a name that stands twice, or a header of numbers;
    /// `MI_SHAPE_MISMATCH` for features that the header lacks and for a wrong width.
    pub fn by_header(record: &Records, model: &Model, copied: Copied<'_>) -> Result<Self> {
        let header = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        Self::with_names(header, model.feature_names(), model.unread_columns(), model.feature_count(), copied)
    }

    fn with_names(
        header: Vec<String>,
        names: Option<&[String]>,
        unread: &[u32],
        count: usize,
        copied: Copied<'_>,
    ) -> Result<Self> {
        let index = Index::new(&header);
        let find = |name: &String| {
            index.find(name)?.ok_or_else(|| Error::invalid(format!("the header has no column '{name}' to copy")))
        };
        let ids: Vec<usize> = copied.ids.iter().map(find).collect::<Result<_>>()?;
        let keep: Vec<usize> = copied.keep.iter().map(find).collect::<Result<_>>()?;
        let (features, note) = match by_name(&index, names.unwrap_or_default(), unread)? {
            Some(features) => (features, None),
            None => by_position(&header, names.unwrap_or_default(), count, &ids)?,
        };
        if let Some(id) = ids.iter().find(|id| features.contains(&Some(**id))) {
            return Err(Error::invalid(format!(
                "'{}' is a feature of the model; copy it with --keep instead of --id-column",
                header[*id]
            )));
        }
        Ok(Self { width: header.len(), features, copied: [ids, keep].concat(), note, header })
    }

    /// Without a header: all cells but the ids, in their order. Copied columns are named by their number, from 1.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a number that names no column, `MI_SHAPE_MISMATCH` for a wrong width.
    pub fn by_number(width: usize, count: usize, copied: Copied<'_>) -> Result<Self> {
        let find = |name: &String| match name.parse::<usize>() {
            Ok(number) if (1..=width).contains(&number) => Ok(number - 1),
            _ => Err(Error::invalid(format!(
                "'{name}' is no column; without a header columns are called by their number, 1 to {width}"
            ))),
        };
        let ids: Vec<usize> = copied.ids.iter().map(find).collect::<Result<_>>()?;
        let keep: Vec<usize> = copied.keep.iter().map(find).collect::<Result<_>>()?;
        let features: Vec<_> = (0..width).filter(|cell| !ids.contains(cell)).map(Some).collect();
        if features.len() != count {
            return Err(wrong_count(features.len(), count, &ids));
        }
        Ok(Self { width, features, copied: [ids, keep].concat(), header: Vec::new(), note: None })
    }

    /// How a cell is called in an error: `column 3 ('rsi_14')`.
    pub fn place(&self, cell: usize) -> String {
        match self.header.get(cell) {
            Some(name) => format!("column {} ('{name}')", cell + 1),
            None => format!("column {}", cell + 1),
        }
    }
}

/// The cells of the model's features by name; `None` when the header names none of them. Those in `unread` may be missing.
fn by_name(index: &Index<'_>, names: &[String], unread: &[u32]) -> Result<Option<Vec<Option<usize>>>> {
    let mut features = Vec::with_capacity(names.len());
    let mut missing = Vec::new();
    for (column, name) in (0u32..).zip(names) {
        let found = index.find(name)?;
        if found.is_none() && unread.binary_search(&column).is_err() {
            missing.push(name.as_str());
        }
        features.push(found);
    }
    if features.iter().all(Option::is_none) {
        return Ok(None);
    }
    if !missing.is_empty() {
        return Err(Error::shape(format!(
            "the header lacks {} of the model's {} features: {}",
            missing.len(),
            names.len(),
            list(&missing)
        )));
    }
    Ok(Some(features))
}

/// The cells in their order, where their number is that of the model's columns.
fn by_position(
    header: &[String],
    names: &[String],
    count: usize,
    ids: &[usize],
) -> Result<(Vec<Option<usize>>, Option<String>)> {
    let features: Vec<_> = (0..header.len()).filter(|cell| !ids.contains(cell)).map(Some).collect();
    let told: Vec<&str> = if made_up(names) { Vec::new() } else { names.iter().map(String::as_str).collect() };
    if features.len() != count {
        let error = wrong_count(features.len(), count, ids);
        if told.is_empty() {
            return Err(error);
        }
        return Err(Error::shape(format!(
            "the header names none of the model's features ({}), and {}",
            list(&told),
            error.message()
        )));
    }
    if !header.is_empty() && header.iter().all(|cell| cell.trim().parse::<f64>().is_ok()) && !counts_up(header) {
        return Err(Error::invalid("numbers stand where the header is expected; add --no-header if there is none"));
    }
    let note = (!told.is_empty()).then(|| {
        format!("the header names none of the model's features ({}); its columns are taken in their order", list(&told))
    });
    Ok((features, note))
}

fn wrong_count(found: usize, expected: usize, ids: &[usize]) -> Error {
    let beside = if ids.is_empty() { "" } else { " beside the id columns" };
    let remedy = if found > expected { "; name those that are no features with --id-column" } else { "" };
    Error::shape(format!("the CSV has {found} columns{beside}, the model takes {expected}{remedy}"))
}

/// Names that the training library made up for columns without names.
fn made_up(names: &[String]) -> bool {
    let numbered = |prefix: &str| {
        names.iter().enumerate().all(|(index, name)| name.strip_prefix(prefix) == Some(index.to_string().as_str()))
    };
    numbered("Column_") || numbered("f")
}

/// Column numbers as a header, which is what a table without names is given.
fn counts_up(header: &[String]) -> bool {
    [0, 1].into_iter().any(|first| header.iter().zip(first..).all(|(cell, number)| *cell == number.to_string()))
}

/// Names in quotes, the first of them when they are many.
fn list(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}

/// A header by name.
struct Index<'a> {
    header: &'a [String],
    exact: HashMap<&'a str, Found>,
    /// Without surrounding spaces, inner spaces as underscores: how `LightGBM` spells the names it is given.
    loose: HashMap<String, Found>,
}

#[derive(Clone, Copy)]
enum Found {
    Once(usize),
    Again(usize, usize),
}

impl<'a> Index<'a> {
    fn new(header: &'a [String]) -> Self {
        let mut index = Self { header, exact: HashMap::new(), loose: HashMap::new() };
        for (cell, name) in header.iter().enumerate() {
            note(index.exact.entry(name), cell);
            note(index.loose.entry(loosened(name)), cell);
        }
        index
    }

    fn find(&self, name: &str) -> Result<Option<usize>> {
        let found = self.exact.get(name).or_else(|| self.loose.get(&loosened(name)));
        match found {
            None => Ok(None),
            Some(Found::Once(cell)) => Ok(Some(*cell)),
            Some(Found::Again(first, second)) => Err(Error::invalid(format!(
                "the header names '{}' twice, in columns {} and {}",
                self.header[*first],
                first + 1,
                second + 1
            ))),
        }
    }
}

fn note<K>(entry: Entry<'_, K, Found>, cell: usize) {
    match entry {
        Entry::Vacant(vacant) => {
            vacant.insert(Found::Once(cell));
        }
        Entry::Occupied(mut occupied) => {
            if let Found::Once(first) = *occupied.get() {
                occupied.insert(Found::Again(first, cell));
            }
        }
    }
}

fn loosened(name: &str) -> String {
    name.trim().replace(' ', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(str::to_owned).collect()
    }

    fn plan(header: &str, names: &str, ids: &[String], keep: &[String]) -> Result<Plan> {
        let names = words(names);
        Plan::with_names(words(header), Some(&names), &[3], names.len(), Copied { ids, keep })
    }

    fn cells(plan: &Plan) -> Vec<usize> {
        plan.features.iter().map(|cell| cell.unwrap_or(99)).collect()
    }

    #[test]
    fn names_in_any_order() {
        let found = plan("z|b| a|id", "a|b", &words("id"), &words("z|b")).unwrap();
        assert_eq!((cells(&found), found.copied), (vec![2, 1], vec![3, 0, 1]));
        assert_eq!(cells(&plan("first name|b", "b|first_name", &[], &[]).unwrap()), [1, 0]);
        assert_eq!(cells(&plan("c|b|a", "a|b|c|d", &[], &[]).unwrap()), [2, 1, 0, 99], "'d' is not looked at");
    }

    #[test]
    fn a_partial_match_is_no_match() {
        for (header, names, sentence) in [
            ("a|b|x", "a|b|c", "lacks 1 of the model's 3 features: 'c'"),
            ("a|a|b", "a|b", "'a' twice, in columns 1 and 2"),
            ("x|y|z", "a|b", "3 columns, the model takes 2"),
            ("x", "a|b", "none of the model's features ('a', 'b'), and the CSV has 1 columns"),
            ("1.5|2", "a|b", "--no-header"),
        ] {
            let error = plan(header, names, &[], &[]).unwrap_err();
            assert!(error.message().contains(sentence), "{header}: {error}");
        }
        assert!(plan("a|b", "a|b", &words("a"), &[]).unwrap_err().message().contains("--keep"));
        assert!(plan("a|b", "a|b", &[], &words("c")).unwrap_err().message().contains("no column 'c'"));
    }

    #[test]
    fn positions_when_no_name_is_known() {
        assert!(plan("x|y", "a|b", &[], &[]).unwrap().note.is_some());
        for (header, names) in [("x|y", "Column_0|Column_1"), ("0|1", "f0|f1"), ("Column_0|y", "a|b")] {
            assert_eq!(cells(&plan(header, names, &[], &[]).unwrap()), [0, 1]);
        }
        assert_eq!(plan("x|y", "Column_0|Column_1", &[], &[]).unwrap().note, None);
        let found = Plan::by_number(3, 2, Copied { ids: &words("2"), keep: &words("1") }).unwrap();
        assert_eq!((cells(&found), found.copied), (vec![0, 2], vec![1, 0]));
        assert!(Plan::by_number(3, 2, Copied { ids: &[], keep: &[] }).is_err());
        assert!(Plan::by_number(3, 2, Copied { ids: &words("4"), keep: &[] }).is_err());
    }
}
