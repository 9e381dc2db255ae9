//! The thing a caller holds: immutable, shareable, ready to predict.

mod files;
mod host;
mod names;

pub use files::{in_directory, inside};
pub use names::{NamedRow, Names};

use crate::error::{Error, Result, Within};
use crate::exec::{Categories, Number, Processor, Program, Rows};
use crate::formats::{self, Files, NoFiles, ReadOptions};
use crate::ir::text::TextColumn;
use crate::ir::{self, Importance, Output};
use crate::session::Settings;
use serde_json::{Map, Value, json};
use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::OnceLock;

/// A model, ready to predict from any number of threads.
#[derive(Debug)]
pub struct Model {
    program: Program,
    feature_names: Option<Vec<String>>,
    importance: Importance,
    facts: Map<String, Value>,
    texts: OnceLock<Texts>,
    /// Names that a row may be given by, or why it may not.
    names: Result<Names>,
}

/// What a training run says about a model.
#[derive(Debug, Default)]
pub struct Described {
    /// What goes into the model's facts.
    pub facts: Map<String, Value>,
    /// What goes into the `warnings` of its facts.
    pub warnings: Vec<String>,
    /// Lists of the columns by their keys in the metadata, the one that is believed first in front.
    pub lists: Vec<(&'static str, Vec<String>)>,
    /// Number of columns by the metadata.
    pub count: Option<u64>,
    /// Steps of a sequence by the metadata.
    pub steps: Option<u64>,
}

/// What a C caller borrows.
#[derive(Debug)]
struct Texts {
    json: CString,
    feature_names: Vec<CString>,
}

impl Model {
    /// Reads a model from a file.
    ///
    /// # Errors
    /// `MI_NOT_FOUND`, `MI_IO`, or those of [`Model::from_bytes`], naming the path.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        Self::open_with(path, options, &Settings::default())
    }

    /// [`Model::open`] with wishes for the runtime of networks.
    ///
    /// # Errors
    /// The same, and those of [`Model::read`].
    pub fn open_with(path: &Path, options: &ReadOptions, settings: &Settings) -> Result<Self> {
        let inside = if path.is_dir() { Some(in_directory(path).within(|| path.display())?) } else { None };
        let path = inside.as_deref().unwrap_or(path);
        let bytes = crate::codec::file::read(path, crate::limits::FILE_BYTES)?;
        Self::read(&bytes, &[], options, settings, &files::Folder::of(path)).within(|| path.display())
    }

    /// Reads a model from memory.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED`, `MI_MALFORMED` or `MI_LIMIT_EXCEEDED`, as [`formats::read`] says.
    pub fn from_bytes(bytes: &[u8], options: &ReadOptions) -> Result<Self> {
        Self::with_steps(bytes, &[], options)
    }

    /// Reads a model from memory, with steps that lie in files of their own in front of it.
    ///
    /// # Errors
    /// Those of [`Model::read`].
    pub fn with_steps(bytes: &[u8], steps: &[(String, Vec<u8>)], options: &ReadOptions) -> Result<Self> {
        Self::read(bytes, steps, options, &Settings::default(), &NoFiles)
    }

    /// Reads a model from its bytes and the files beside it, with steps that lie in files of their own in front of it: names for messages
    /// and bytes, in the order in which they are applied. `settings` are wishes for the runtime of networks.
    ///
    /// # Errors
    /// Those of [`formats::read_beside`], and of [`formats::read_step`], the latter led by the name of the step; `MI_BACKEND_MISSING` and
    /// `MI_BACKEND` for a network that needs a runtime.
    pub fn read(
        bytes: &[u8],
        steps: &[(String, Vec<u8>)],
        options: &ReadOptions,
        settings: &Settings,
        files: &dyn Files,
    ) -> Result<Self> {
        let processor = Processor::named(options.processor.as_deref().unwrap_or_default())?;
        let mut model = formats::read_beside(bytes, options, files)?;
        for (name, bytes) in steps.iter().rev() {
            model = formats::read_step(bytes, model).within(|| name)?;
        }
        Self::new(model, processor, settings)
    }

    /// A model that was read, made ready.
    ///
    /// # Errors
    /// `MI_BACKEND_MISSING` and `MI_BACKEND` for a network that needs a runtime; those of [`Program::with_threads`].
    pub fn new(model: ir::Model, processor: Processor, settings: &Settings) -> Result<Self> {
        let sessions = host::Sessions::new(settings);
        let threads = usize::try_from(settings.threads).unwrap_or(usize::MAX);
        let program = Program::on(&model, processor, &sessions)?.with_threads(threads)?;
        let mut facts = facts(&model, &program);
        facts.extend(sessions.facts());
        let names = names::settle(model.feature_names.as_deref(), &[], program.features()).names;
        Ok(Self {
            names,
            program,
            feature_names: model.feature_names,
            importance: model.importance,
            facts,
            texts: OnceLock::new(),
        })
    }

    /// The same model, with what a run says about it: facts, warnings, and the names of its columns where the file has none.
    #[must_use]
    pub fn described(mut self, run: Described) -> Self {
        let width = self.feature_count();
        let mut settled = names::settle(self.feature_names.as_deref(), &run.lists, width);
        if let Some(count) = run.count
            && usize::try_from(count) != Ok(width)
        {
            settled.warnings.push(format!("metadata: `n_features` is {count}, the model has {width} columns"));
        }
        let steps = self.sequence_length();
        if let Some(said) = run.steps
            && steps > 0
            && usize::try_from(said) != Ok(steps)
        {
            settled.warnings.push(format!("metadata: `sequence_length` is {said}, the model takes {steps} steps"));
        }
        self.facts.extend(run.facts);
        let mut warnings = match self.facts.remove("warnings") {
            Some(Value::Array(warnings)) => warnings,
            _ => Vec::new(),
        };
        warnings.extend(run.warnings.into_iter().chain(settled.warnings).map(Value::String));
        self.facts.insert("warnings".to_owned(), Value::Array(warnings));
        if let Some(names) = &settled.shown {
            self.facts.insert("feature_names".to_owned(), json!(names));
        }
        self.facts.insert("feature_names_from".to_owned(), json!(settled.source));
        self.feature_names = settled.shown;
        self.names = settled.names;
        self.texts = OnceLock::new();
        self
    }

    /// The names that a row may be given by.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` when file and metadata disagree about them, `MI_INVALID_ARGUMENT` when there are none or one is there twice.
    pub fn names(&self) -> Result<&Names> {
        self.names.as_ref().map_err(Clone::clone)
    }

    /// Everything known about the model.
    #[must_use]
    pub fn facts(&self) -> &Map<String, Value> {
        &self.facts
    }

    /// The facts as the text of one JSON object.
    #[must_use]
    pub fn json_text(&self) -> &CStr {
        &self.texts().json
    }

    /// The name of a column as C text; a NUL inside of it cuts it.
    #[must_use]
    pub fn feature_name_text(&self, index: usize) -> Option<&CStr> {
        self.texts().feature_names.get(index).map(CString::as_c_str)
    }

    fn texts(&self) -> &Texts {
        let text = |text: &str| CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default();
        self.texts.get_or_init(|| Texts {
            json: text(&Value::Object(self.facts.clone()).to_string()),
            feature_names: self.feature_names().unwrap_or_default().iter().map(|name| text(name)).collect(),
        })
    }

    /// Columns of a row.
    #[must_use]
    pub fn feature_count(&self) -> usize {
        self.program.features()
    }

    /// Names of the columns, when the file has them.
    #[must_use]
    pub fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    /// Importance of the columns, as far as the file tells.
    #[must_use]
    pub fn importance(&self) -> &Importance {
        &self.importance
    }

    /// Importance by its number in the C API: 0 splits, 1 gain, 2 coefficients.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for another number, `MI_UNSUPPORTED` when the file does not hold it.
    pub fn importance_of(&self, kind: i32) -> Result<&[f64]> {
        let values = match kind {
            0 => &self.importance.split,
            1 => &self.importance.gain,
            2 => &self.importance.coefficient,
            _ => {
                return Err(Error::invalid(format!(
                    "importance {kind} does not exist; use MI_SPLIT (0), MI_GAIN (1) or MI_COEFFICIENT (2)"
                )));
            }
        };
        values.as_deref().ok_or_else(|| {
            Error::unsupported(
                "the model file holds no importance of this kind; compute it with the library that trained it",
            )
        })
    }

    /// Steps of a sequence; 0: takes rows.
    #[must_use]
    pub fn sequence_length(&self) -> usize {
        self.program.sequence_length()
    }

    /// Columns of an answer.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` when the model has no such output.
    pub fn columns(&self, output: Output) -> Result<usize> {
        self.program.columns(output)
    }

    /// Predicts every row into `out`, of shape (rows, [`Model::columns`]).
    ///
    /// # Errors
    /// Those of [`Program::predict`].
    #[inline]
    pub fn predict<T: Number>(&self, output: Output, rows: Rows<'_, T>, out: &mut [f64]) -> Result<()> {
        self.program.predict(output, rows, out)
    }

    /// Predicts sequences of `steps` steps, each laid out as a row, into `out`, of shape (rows, [`Model::columns`]).
    ///
    /// # Errors
    /// Those of [`Program::predict_sequence`].
    pub fn predict_sequence(&self, output: Output, rows: Rows<'_, f32>, steps: usize, out: &mut [f64]) -> Result<()> {
        self.program.predict_sequence(output, rows, steps, out)
    }

    /// Reads what a call reads, so that the next one finds it in the caches, and makes the working memory of this thread.
    pub fn prefetch(&self) {
        self.program.prefetch();
    }

    /// Columns of a row that hold text, in ascending order.
    pub fn categorical_columns(&self) -> impl ExactSizeIterator<Item = u32> {
        self.program.categorical_columns()
    }

    /// What is known of the columns that hold text, in ascending order.
    #[must_use]
    pub fn text_columns(&self) -> &[TextColumn] {
        self.program.text_columns()
    }

    /// Columns of a row that no part of the model looks at, as far as that is known, in ascending order.
    #[must_use]
    pub fn unread_columns(&self) -> &[u32] {
        self.program.unread_columns()
    }

    /// Predicts rows whose categories are given as text, of shape (rows, [`Model::categorical_columns`]).
    ///
    /// # Errors
    /// Those of [`Program::predict_categorical`].
    pub fn predict_categorical<T: Number>(
        &self,
        output: Output,
        rows: Rows<'_, T>,
        texts: &impl Categories,
        out: &mut [f64],
    ) -> Result<()> {
        self.program.predict_categorical(output, rows, texts, out)
    }
}

/// How large a model is: that of the forest or the linear map inside of it.
fn sizes(body: &ir::Body, put: &mut impl FnMut(&str, Value)) {
    match body {
        ir::Body::Forest(forest) | ir::Body::Derived { forest, .. } => {
            let nodes: usize = forest.trees().iter().map(|tree| tree.nodes.len()).sum();
            let leaves: usize = forest.trees().iter().map(ir::forest::Tree::leaves).sum();
            put("trees", json!(forest.trees().len()));
            put("rounds", json!(forest.rounds()));
            put("nodes", json!(nodes));
            put("leaves", json!(leaves));
        }
        ir::Body::Linear(linear) => put("coefficients", json!(linear.outputs() * linear.features())),
        ir::Body::Estimator(estimator) => match &**estimator {
            ir::Estimator::Pipeline(pipeline) => {
                if let Some(last) = pipeline.last() {
                    sizes(&last.body, put);
                }
            }
            ir::Estimator::Distribution(distribution) => sizes(&distribution.model().body, put),
            _ => {}
        },
    }
}

fn facts(model: &ir::Model, program: &Program) -> Map<String, Value> {
    let source = &model.source;
    let mut facts = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            facts.insert(key.to_owned(), value);
        }
    };
    put("library", json!(source.library));
    put("library_version", json!(source.version));
    put("format", json!(source.format));
    put("objective", json!(source.objective));
    put("task", json!(model.task.name()));
    put("link", json!(model.link.name()));
    put("feature_count", json!(program.features()));
    put("feature_names", json!(model.feature_names));
    if program.categorical_columns().len() > 0 {
        put("categorical_columns", program.categorical_columns().collect());
    }
    // A file of a few bytes may say that it has a million of them.
    if (1..=crate::limits::LISTED_COLUMNS).contains(&program.unread_columns().len()) {
        put("unread_columns", json!(program.unread_columns()));
    }
    put("sequence_length", json!(program.sequence_length()));
    put(
        "classes",
        match &model.classes {
            ir::Classes::Index => Value::Null,
            ir::Classes::Numbers(labels) => json!(labels),
            ir::Classes::Strings(labels) => json!(labels),
        },
    );
    let outputs: Map<String, Value> = Output::ALL
        .into_iter()
        .filter_map(|output| Some((output.name().to_owned(), json!(program.columns(output).ok()?))))
        .collect();
    put("outputs", Value::Object(outputs));
    sizes(&model.body, &mut put);
    put("compiled", program.compiled());
    put("warnings", json!(source.warnings));
    for (key, value) in &source.details {
        put(key, value.clone());
    }
    facts
}
