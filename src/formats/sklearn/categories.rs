//! Categories: numbers, text, and what stands for a missing value.

use super::Context;
use crate::codec::ndarray::Kind;
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::limits;

/// One category, or a value that fills a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Category {
    /// A number, or a word that stands for text.
    Value(f64),
    /// NaN.
    Nan,
    /// `None`, or pandas' `NA`.
    None,
}

impl Category {
    /// The number of a row that is this category: NaN for a missing one.
    pub(super) fn number(self) -> f64 {
        match self {
            Category::Value(value) => value,
            Category::Nan | Category::None => f64::NAN,
        }
    }
}

fn of_number(number: f64) -> Category {
    if number.is_nan() { Category::Nan } else { Category::Value(number) }
}

fn of_text(list: Ref<'_>, text: &str, context: &Context<'_>) -> Result<Category> {
    list.charge(text.len().saturating_mul(2).saturating_add(limits::CATEGORY_BYTES))?;
    Ok(Category::Value(context.words.borrow_mut().word(text)?))
}

/// A list of categories: an array of numbers, of strings, or of objects.
///
/// # Errors
/// `MI_UNSUPPORTED` for categories that are neither numbers nor text.
pub(super) fn categories(list: Ref<'_>, context: &Context<'_>) -> Result<Vec<Category>> {
    if let Some(array) = list.raw_array()? {
        if !matches!(array.dtype().kind, Kind::Bytes | Kind::Text) {
            let numbers = list.array_f64().map_err(|_| unknown(list))?;
            return Ok(numbers.data.into_iter().map(of_number).collect());
        }
        return list.array_strings()?.data.iter().map(|text| of_text(list, text, context)).collect();
    }
    if let Ok(numbers) = list.array_f64() {
        return Ok(numbers.data.into_iter().map(of_number).collect());
    }
    list.object_array()?.data.into_iter().map(|item| category(item, context)).collect()
}

/// One category.
///
/// # Errors
/// `MI_UNSUPPORTED` for what is neither a number nor text nor missing.
pub(super) fn category(item: Ref<'_>, context: &Context<'_>) -> Result<Category> {
    if item.is_none()
        || item.global().is_some_and(|(module, name)| module.starts_with("pandas.") && name.ends_with("NA"))
    {
        return Ok(Category::None);
    }
    if let Ok(text) = item.as_str() {
        return of_text(item, &text, context);
    }
    if let Ok(bytes) = item.bytes() {
        let text = std::str::from_utf8(&bytes).map_err(|_| unknown(item))?;
        return of_text(item, text, context);
    }
    item.as_f64().map(of_number).map_err(|_| unknown(item))
}

fn unknown(item: Ref<'_>) -> crate::error::Error {
    item.unsupported(format!("{} is no category that is read; numbers and text are", item.describe()))
}
