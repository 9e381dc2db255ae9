//! Bytes to meaning: one file per format or library, all of them behind [`read`].

mod catboost;
pub mod detect;
mod lightgbm;
mod sklearn;
mod wrappers;
mod xgboost;

pub use detect::Format;

use crate::codec::pickle::Ref;
use crate::error::{Error, Result};
use crate::ir::Model;
use std::sync::Arc;

/// What a caller may say about the file that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The family, when the caller knows it; content decides otherwise.
    pub family: Option<String>,
    /// First boosting round to use.
    pub iteration_begin: u32,
    /// One past the last boosting round to use; with `iteration_begin` both 0: the model's own rule.
    pub iteration_end: u32,
    /// The instructions that forests may use, by a name of `exec::Processor`; `None`: the best that the machine has.
    pub processor: Option<String>,
}

/// Files that lie beside a model and belong to it.
pub trait Files {
    /// The bytes of the file that the model calls so.
    ///
    /// # Errors
    /// `MI_NOT_FOUND` and others naming the file; `MI_MALFORMED` for a name that leads out of the model's folder.
    fn read(&self, name: &str) -> Result<Arc<[u8]>>;
}

/// No files: for a model that comes from memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, name: &str) -> Result<Arc<[u8]>> {
        Err(Error::unsupported(format!(
            "a part of this model is in the file '{}' beside it, which memory does not have; open the model by its path",
            name.escape_default()
        )))
    }
}

/// Reads a model of any known format that is complete in these bytes.
///
/// # Errors
/// Those of [`read_beside`].
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Model> {
    read_beside(bytes, options, &NoFiles)
}

/// Reads a model of any known format; what belongs to it and lies beside it comes from `files`.
///
/// # Errors
/// `MI_UNSUPPORTED` for a format that is not read, `MI_MALFORMED` and `MI_LIMIT_EXCEEDED` for a broken file; those of `files`.
pub fn read_beside(bytes: &[u8], options: &ReadOptions, files: &dyn Files) -> Result<Model> {
    let _ = files; // no format that is read has files beside it
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
    /// Reads an object inside of another one, of whatever class. A reader must not call another reader by itself.
    model: fn(Ref<'_>, &Context<'_>) -> Result<Model>,
}
