//! Bytes to meaning: one file per format or library, all of them behind [`read`].

mod catboost;
pub mod detect;
mod lightgbm;
mod sklearn;
mod wrappers;
mod xgboost;

pub use detect::Format;

use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::Model;
use crate::ir::text::Vocabulary;
use std::cell::RefCell;

/// What a caller may say about the file that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The family, when the caller knows it; content decides otherwise.
    pub family: Option<String>,
    /// First boosting round to use.
    pub iteration_begin: u32,
    /// One past the last boosting round to use; with `iteration_begin` both 0: the model's own rule.
    pub iteration_end: u32,
}

/// Reads a model of any known format.
///
/// # Errors
/// `MI_UNSUPPORTED` for a format that is not read, `MI_MALFORMED` and `MI_LIMIT_EXCEEDED` for a broken file.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    match detect::detect(bytes)? {
        Format::CatboostBinary => catboost::read_binary(bytes, options),
        Format::CatboostJson => catboost::read_json(bytes, options),
        Format::LightgbmText => lightgbm::read(bytes, options),
        Format::XgboostJson => xgboost::read_json(bytes, options),
        Format::XgboostUbjson => xgboost::read_ubjson(bytes, options),
        Format::Pickle => wrappers::read(bytes, options),
        Format::XgboostBinary => xgboost::read_binary(bytes, options),
    }
}

/// Every class of scikit-learn that is read: its name, the outputs it has, and what of it is refused; sorted by name.
#[must_use]
pub fn sklearn_classes() -> Vec<(&'static str, &'static str, &'static str)> {
    let entries = sklearn::TABLE.iter().flat_map(|entries| entries.iter());
    let mut classes: Vec<_> = entries.map(|entry| (entry.class, entry.outputs, entry.refused)).collect();
    classes.sort_unstable();
    classes
}

/// What a reader of pickled objects is given.
struct Context<'a> {
    /// What the caller said about the file.
    options: &'a ReadOptions,
    /// The texts of the file.
    words: &'a RefCell<Vocabulary>,
    /// Reads an object inside of another one, of whatever class. A reader must not call another reader by itself.
    model: fn(Ref<'_>, &Context<'_>) -> Result<Model>,
}
