//! The thing a caller holds: immutable, shareable, ready to predict.

use crate::error::{Result, Within};
use crate::exec::{Number, Program, Rows};
use crate::formats::{self, ReadOptions};
use crate::ir::{self, Importance, Output};
use serde_json::{Map, Value, json};
use std::path::Path;

/// A model, ready to predict from any number of threads.
#[derive(Debug)]
pub struct Model {
    program: Program,
    feature_names: Option<Vec<String>>,
    importance: Importance,
    facts: Map<String, Value>,
}

impl Model {
    /// Reads a model from a file.
    ///
    /// # Errors
    /// `MI_NOT_FOUND`, `MI_IO`, or those of [`Model::from_bytes`], naming the path.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let bytes = crate::codec::file::read(path, crate::limits::FILE_BYTES)?;
        Self::from_bytes(&bytes, options).within(|| path.display())
    }

    /// Reads a model from memory.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED`, `MI_MALFORMED` or `MI_LIMIT_EXCEEDED`, as [`formats::read`] says.
    pub fn from_bytes(bytes: &[u8], options: &ReadOptions) -> Result<Self> {
        Ok(Self::new(formats::read(bytes, options)?))
    }

    fn new(model: ir::Model) -> Self {
        let program = Program::new(&model);
        let facts = facts(&model, &program);
        Self { program, feature_names: model.feature_names, importance: model.importance, facts }
    }

    /// Everything known about the model.
    #[must_use]
    pub fn facts(&self) -> &Map<String, Value> {
        &self.facts
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

    /// Steps of a sequence; 0: takes rows.
    #[must_use]
    pub fn sequence_length(&self) -> usize {
        0
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
    pub fn predict<T: Number>(&self, output: Output, rows: Rows<'_, T>, out: &mut [f64]) -> Result<()> {
        self.program.predict(output, rows, out)
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
    put("sequence_length", json!(0));
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
    match &model.body {
        ir::Body::Forest(forest) => {
            let nodes: usize = forest.trees().iter().map(|tree| tree.nodes.len()).sum();
            let leaves: usize = forest.trees().iter().map(ir::forest::Tree::leaves).sum();
            put("trees", json!(forest.trees().len()));
            put("rounds", json!(forest.rounds()));
            put("nodes", json!(nodes));
            put("leaves", json!(leaves));
        }
        ir::Body::Linear(linear) => put("coefficients", json!(linear.outputs() * linear.features())),
    }
    put("warnings", json!(source.warnings));
    for (key, value) in &source.details {
        put(key, value.clone());
    }
    facts
}
