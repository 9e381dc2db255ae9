//! What a model means, as plain validated data, whatever file it came from.
//!
//! Constructors validate; everything behind them may trust what it is given. Nothing here evaluates and nothing here parses.

pub mod beside;
pub mod blend;
pub mod boosted;
pub mod centroids;
mod city;
pub mod classifier;
pub mod derived;
pub mod distribution;
pub mod donors;
pub mod ensemble;
pub mod estimator;
pub mod flow;
pub mod forest;
pub mod graph;
pub mod kernel;
pub mod linear;
pub mod link;
pub mod mixture;
pub mod neighbors;
pub mod network;
pub mod output;
pub mod pipeline;
pub mod process;
pub mod refine;
pub mod similarity;
pub mod splines;
pub mod text;
pub mod transform;

pub use centroids::Centroids;
pub use classifier::LinearClassifier;
pub use derived::Derived;
pub use distribution::Distribution;
pub use estimator::Estimator;
pub use forest::Forest;
pub use graph::{Graph, Takes};
pub use kernel::KernelMachine;
pub use linear::Linear;
pub use link::Link;
pub use mixture::Mixture;
pub use neighbors::Neighbors;
pub use output::{Classes, Decision, Output, Task};
pub use text::TextColumns;

use crate::error::{Error, Result};
use crate::limits;
use std::sync::Arc;

/// The arithmetic a library uses: its type for features, sums and links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// IEEE 754 binary32, values held widened in `f64`.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl Precision {
    /// The value as this type holds it.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn round(self, value: f64) -> f64 {
        match self {
            Precision::F32 => f64::from(value as f32),
            Precision::F64 => value,
        }
    }
}

/// The computation of a model, from a row to its margins.
#[derive(Debug, Clone)]
pub enum Body {
    /// An ensemble of trees.
    Forest(Forest),
    /// An ensemble of trees over derived columns.
    Derived {
        /// From a caller's row to the row that the trees split on.
        stage: Arc<Derived>,
        /// The trees.
        forest: Forest,
    },
    /// A matrix and an intercept.
    Linear(Linear),
    /// A model with outputs of its own; the link of the [`Model`] is then the identity.
    Estimator(Arc<Estimator>),
}

impl Body {
    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Body::Forest(forest) => forest.features(),
            Body::Derived { stage, .. } => stage.columns(),
            Body::Linear(linear) => linear.features(),
            Body::Estimator(estimator) => estimator.features(),
        }
    }

    /// What a row is.
    #[must_use]
    pub fn takes(&self) -> Takes {
        match self {
            Body::Estimator(estimator) => estimator.takes(),
            _ => Takes::Rows,
        }
    }

    /// Margins per row; 0 where only a run of a foreign graph can tell.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Body::Forest(forest) | Body::Derived { forest, .. } => forest.outputs(),
            Body::Linear(linear) => linear.outputs(),
            Body::Estimator(estimator) => estimator.outputs(),
        }
    }
}

/// Importance of each feature, in the order of the columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Importance {
    /// How many splits use the feature.
    pub split: Option<Vec<f64>>,
    /// Total gain of the splits that use the feature; of a linear model the absolute coefficients of all outputs, added up.
    pub gain: Option<Vec<f64>>,
    /// The coefficient, of a linear model of one output.
    pub coefficient: Option<Vec<f64>>,
}

/// Where a model came from: facts for the model's JSON that do not change a prediction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    /// The library that wrote the file: `lightgbm`, `xgboost`, ...
    pub library: &'static str,
    /// Its version, as far as the file tells.
    pub version: Option<String>,
    /// How the file is written: `lightgbm text`, `xgboost json`, `xgboost ubjson`, ...
    pub format: &'static str,
    /// The objective as the file spells it.
    pub objective: Option<String>,
    /// What a careful reader should know.
    pub warnings: Vec<String>,
    /// Everything else worth keeping, under the file's own names (`attributes`, `pandas_categorical`, ...).
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// A model: what it computes and what its numbers mean.
#[derive(Debug, Clone)]
pub struct Model {
    /// From a row to margins.
    pub body: Body,
    /// Rounds by which margins are divided before the link (`LightGBM`'s random forest, whose raw score is the plain sum).
    pub average: Option<f64>,
    /// From margins to values.
    pub link: Link,
    /// Arithmetic of the link.
    pub precision: Precision,
    /// What was learnt; decides which outputs exist.
    pub task: Task,
    /// Class labels of a classifier.
    pub classes: Classes,
    /// How one of them is chosen.
    pub decision: Decision,
    /// Names of the columns, in their order.
    pub feature_names: Option<Vec<String>>,
    /// Columns that hold text; `None`: rows are numbers. A model inside of another one has none: the words are in its rows.
    pub texts: Option<Arc<TextColumns>>,
    /// Importance of the columns.
    pub importance: Importance,
    /// Where it came from.
    pub source: Source,
}

impl Model {
    /// A body in float64 and what it learnt; no names, classes, importance or facts.
    #[must_use]
    pub fn plain(body: Body, task: Task) -> Self {
        Self {
            body,
            average: None,
            link: Link::Identity,
            precision: Precision::F64,
            task,
            classes: Classes::Index,
            decision: Decision::default(),
            feature_names: None,
            texts: None,
            importance: Importance::default(),
            source: Source::default(),
        }
    }

    /// The same model behind steps that change its rows. Names and importance of its columns go back to the columns that the steps
    /// take, as far as each column is made of one.
    ///
    /// # Errors
    /// `MI_MALFORMED` when neighbours disagree about the width of a row.
    pub fn behind(mut self, steps: Vec<pipeline::Transform>) -> Result<Self> {
        if steps.is_empty() {
            return Ok(self);
        }
        let (task, classes, source) = (self.task, self.classes.clone(), self.source.clone());
        let (names, precision, texts) = (self.feature_names.clone(), self.precision, self.texts.take());
        let pipeline = pipeline::Pipeline::new(steps, Some(Box::new(self)))?;
        let importance = pipeline.importance();
        let keeps = pipeline.keeps_columns();
        let (feature_names, texts) = (names.filter(|_| keeps), texts.filter(|_| keeps));
        let body = Body::Estimator(Arc::new(Estimator::Pipeline(pipeline)));
        Self { precision, classes, feature_names, texts, importance, source, ..Self::plain(body, task) }.validated()
    }

    /// Checks that the parts fit each other. Every reader calls it last.
    ///
    /// # Errors
    /// `MI_MALFORMED` when names, importance, classes or link disagree with the body.
    pub fn validated(self) -> Result<Self> {
        let features = self.body.features();
        let outputs = self.body.outputs();
        if let Body::Derived { stage, forest } = &self.body
            && stage.width() != forest.features()
        {
            return Err(Error::malformed(format!(
                "the trees split on {} columns, {} are derived",
                forest.features(),
                stage.width()
            )));
        }
        limits::check("features", features, limits::FEATURES)?;
        limits::check("outputs", outputs, limits::OUTPUTS)?;
        if let Some(names) = &self.feature_names
            && names.len() != features
        {
            return Err(Error::malformed(format!("{} feature names for {features} features", names.len())));
        }
        if let Some(texts) = &self.texts
            && texts.features() != features
        {
            return Err(Error::malformed(format!(
                "columns of text of {} columns, there are {features}",
                texts.features()
            )));
        }
        let Importance { split, gain, coefficient } = &self.importance;
        for (kind, values) in [("split", split), ("gain", gain), ("coefficient", coefficient)] {
            if let Some(values) = values
                && values.len() != features
            {
                return Err(Error::malformed(format!(
                    "{} values of {kind} importance for {features} features",
                    values.len()
                )));
            }
        }
        let expected = match self.task {
            Task::Binary => Some(1),
            Task::Multiclass(classes) | Task::ClassProbabilities(classes) => Some(classes),
            _ => None,
        };
        let expected = expected.filter(|_| !matches!(self.body, Body::Estimator(_)));
        if let Some(expected) = expected
            && expected != outputs
        {
            return Err(Error::malformed(format!(
                "{expected} margins are expected for {:?}, the trees give {outputs}",
                self.task
            )));
        }
        if self.link == Link::MeanVariance && outputs != 2 {
            return Err(Error::malformed(format!("a mean and a variance need 2 margins, the trees give {outputs}")));
        }
        if let (Some(count), Some(classes)) = (self.classes.count(), self.task.classes())
            && count != classes
        {
            return Err(Error::malformed(format!("{count} class labels for {classes} classes")));
        }
        Ok(self)
    }
}
