//! Text of a batch of rows: checked, and made into the numbers that a model compares.

use super::derive::check_digits;
use super::{Number, Rows};
use crate::error::{Error, Result};
use crate::ir::TextColumns;
use crate::ir::text::{Numbers, TextColumn};

/// Text of a batch of rows.
pub trait Categories {
    /// How many texts a row has, in the order of the model's columns of text; `None`: there is no text at all.
    fn columns(&self) -> Option<usize>;

    /// The text of a row; `None`: it is missing.
    fn get(&self, row: usize, column: usize) -> Option<&[u8]>;
}

/// No text: all cells are numbers.
#[derive(Debug, Clone, Copy)]
pub struct NoText;

impl Categories for NoText {
    fn columns(&self) -> Option<usize> {
        None
    }

    fn get(&self, _row: usize, _column: usize) -> Option<&[u8]> {
        None
    }
}

/// Text of shape (rows, `columns`), row after row.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The texts; `None` is a missing one.
    pub texts: &'a [Option<&'a str>],
    /// Texts per row.
    pub columns: usize,
}

impl Categories for Text<'_> {
    fn columns(&self) -> Option<usize> {
        Some(self.columns)
    }

    fn get(&self, row: usize, column: usize) -> Option<&[u8]> {
        self.texts.get(row * self.columns + column).copied().flatten().map(str::as_bytes)
    }
}

/// Refuses text of a wrong shape, text that a column does not know, and numbers that stand for nothing.
///
/// # Errors
/// `MI_SHAPE_MISMATCH`; `MI_INVALID_ARGUMENT` naming row, column and text.
#[inline]
pub(super) fn check<T: Number>(stage: Option<&TextColumns>, rows: Rows<'_, T>, texts: &impl Categories) -> Result<()> {
    if stage.is_none() && texts.columns().is_none() { Ok(()) } else { check_all(stage, rows, texts) }
}

fn check_all<T: Number>(stage: Option<&TextColumns>, rows: Rows<'_, T>, texts: &impl Categories) -> Result<()> {
    let columns = stage.map_or(&[][..], TextColumns::columns);
    if let Some(given) = texts.columns().filter(|&given| given != columns.len()) {
        let remedy = if columns.is_empty() { "; call mi_model_predict_f64" } else { "" };
        return Err(Error::shape(format!(
            "{given} categories per row, this model has {} columns of categories{remedy}",
            columns.len()
        )));
    }
    if columns.is_empty() {
        return Ok(());
    }
    for (index, row) in rows.iter().enumerate() {
        for (place, column) in columns.iter().enumerate() {
            let number = row[column.column() as usize].widen();
            match texts.get(index, place) {
                Some(text) => known(index, column, text)?,
                None => bare(index, column, number, texts.columns().is_some())?,
            }
        }
    }
    Ok(())
}

fn known(row: usize, column: &TextColumn, text: &[u8]) -> Result<()> {
    if column.may_refuse() && column.number(text).is_none() {
        return Err(Error::invalid(format!(
            "row {row} has '{}' in column {}, a category that the model does not know",
            shown(text),
            column.column()
        )));
    }
    Ok(())
}

/// The beginning of a text, for an error of one line.
fn shown(text: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(text);
    let short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() { short + "..." } else { short }
}

/// A cell without text; `among` others that have some.
fn bare(row: usize, column: &TextColumn, number: f64, among: bool) -> Result<()> {
    let missing = match column.numbers() {
        Numbers::Unread => return Ok(()),
        Numbers::Digits => return check_digits(row, column.column(), number),
        Numbers::Codes => among || number.is_nan(),
        Numbers::Refused if among || number.is_nan() => true,
        Numbers::Refused => {
            return Err(Error::invalid(format!(
                "row {row} has {number} in column {}, which holds text; give the text through \
                 mi_model_predict_categorical_f64, or NaN where it is missing",
                column.column()
            )));
        }
    };
    if missing && !column.may_miss() {
        return Err(Error::invalid(format!(
            "row {row} has no text in column {}, and the model knows no missing ones there; fill it first",
            column.column()
        )));
    }
    Ok(())
}

/// Puts the numbers of the texts of a row, which [`check`] has passed, into the row.
#[inline]
pub(super) fn fill(stage: &TextColumns, texts: &impl Categories, row: usize, numbers: &mut [f64]) {
    for (place, column) in stage.columns().iter().enumerate() {
        let number = &mut numbers[column.column() as usize];
        match (texts.get(row, place), column.numbers()) {
            (Some(text), _) => *number = column.number(text).unwrap_or(f64::NAN),
            (None, Numbers::Digits | Numbers::Unread) => {}
            (None, Numbers::Codes | Numbers::Refused) => *number = f64::NAN,
        }
    }
}
