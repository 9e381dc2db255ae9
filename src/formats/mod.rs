//! Bytes to meaning: one file per format or library, all of them behind [`read`].

mod catboost;
pub mod detect;
mod keras;
mod lightgbm;
mod ngboost;
mod onnx;
mod sklearn;
mod torch;
mod wrappers;
mod xgboost;

pub use detect::Format;

use crate::codec::pickle::Ref;
use crate::error::{Error, Result};
use crate::ir::Model;
use crate::ir::pipeline::Transform;
use crate::ir::text::Vocabulary;
use std::cell::RefCell;
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
    /// The output of a network that is the value, by its name or its number; `None`: the model's own rule.
    pub output: Option<String>,
    /// Columns of a row, or of a step, where the file leaves that open; 0: not known.
    pub feature_count: usize,
    /// Steps of a sequence, where the file leaves that open; 0: not known.
    pub sequence_length: usize,
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
    match detect::detect(bytes)? {
        Format::CatboostBinary => catboost::read_binary(bytes, options),
        Format::CatboostJson => catboost::read_json(bytes, options),
        Format::LightgbmText => lightgbm::read(bytes, options),
        Format::XgboostJson => xgboost::read_json(bytes, options),
        Format::XgboostUbjson => xgboost::read_ubjson(bytes, options),
        Format::Pickle => wrappers::read(bytes, options),
        Format::XgboostBinary => xgboost::read_binary(bytes, options),
        Format::KerasArchive => keras::read_archive(bytes, options),
        Format::Hdf5 => keras::read_hdf5(bytes, options, files),
        Format::Onnx => onnx::read(bytes, options, files),
        Format::Torch => torch::read(bytes, options, files),
    }
}

/// The same model behind a step that lies in a file of its own: a pickled transformer, `scaler.joblib`. `None` in the file is no step.
///
/// # Errors
/// Those of [`read`]; `MI_MALFORMED` when the step does not give the rows that the model takes.
pub fn read_step(bytes: &[u8], model: Model) -> Result<Model> {
    match detect::detect(bytes)? {
        Format::Pickle => wrappers::read_step(bytes, model),
        _ => Err(Error::malformed("a pickled transformer is expected, this is a model of its own")),
    }
}

/// Operations of PyTorch by subject, and modules of `torch.nn`, as the documentation has them.
#[must_use]
pub fn torch_operations() -> (Vec<(&'static str, Vec<&'static str>)>, &'static [&'static str]) {
    torch::tables()
}

/// Every class of scikit-learn that is read: its name, the outputs it has, and what of it is refused; sorted by name.
#[must_use]
pub fn sklearn_classes() -> Vec<(&'static str, &'static str, &'static str)> {
    let entries = sklearn::TABLE.iter().flat_map(|entries| entries.iter());
    // Classes that only another one holds have a leading underscore.
    let public = entries.filter(|entry| !entry.class.starts_with('_'));
    let mut classes: Vec<_> = public.map(|entry| (entry.class, entry.outputs, entry.refused)).collect();
    classes.sort_unstable();
    classes
}

/// Every class of Keras' layers that is read: its name, what of it, and what of it is refused; sorted by name.
#[must_use]
pub fn keras_classes() -> Vec<(&'static str, &'static str, &'static str)> {
    keras::classes()
}

/// Operations on tensors outside of Keras' layers that are read.
#[must_use]
pub fn keras_operations() -> &'static [&'static str] {
    keras::operations()
}

/// What is read inside of pickles beside scikit-learn, for the documentation.
#[derive(Debug)]
pub struct Pickled {
    /// Boosters: classes, outputs, their own rules.
    pub boosters: Vec<[&'static str; 3]>,
    /// Distributions of `NGBoost`: class, value, names of the columns of the distribution.
    pub distributions: Vec<(&'static str, &'static str, Vec<String>)>,
    /// Parts of objects and dicts of any class, in the order in which they are applied: names, what they do.
    pub parts: Vec<(&'static [&'static str], &'static str)>,
    /// Libraries that are refused by name: why, and what to do.
    pub refused: Vec<(&'static str, &'static str, &'static str)>,
}

/// Everything that is read inside of pickles beside scikit-learn, from the readers' own tables.
#[must_use]
pub fn pickled() -> Pickled {
    let distribution = |entry: &ngboost::Entry| (entry.class, entry.value, entry.family.names());
    Pickled {
        boosters: wrappers::BOOSTERS.to_vec(),
        distributions: ngboost::TABLE.iter().map(distribution).collect(),
        parts: wrappers::PARTS.iter().map(|part| (part.names, part.what)).collect(),
        refused: wrappers::REFUSED.to_vec(),
    }
}

/// What a reader of pickled objects is given.
#[derive(Clone, Copy)]
struct Context<'a> {
    /// What the caller said about the file.
    options: &'a ReadOptions,
    /// The texts of the file.
    words: &'a RefCell<Vocabulary>,
    /// Reads an object inside of another one, of whatever class. A reader must not call another reader by itself.
    model: fn(Ref<'_>, &Context<'_>) -> Result<Model>,
    /// The same for a step before a model. Its number of columns is told where something else than the step knows it.
    step: fn(Ref<'_>, Option<usize>, &Context<'_>) -> Result<Transform>,
    /// Columns of the row that an object is asked about, where something around it knows them. Not all objects say them themselves.
    width: Option<usize>,
}

impl<'a> Context<'a> {
    /// For an object that takes rows of this width.
    fn of(&self, width: Option<usize>) -> Context<'a> {
        Context { width, ..*self }
    }
}
