//! From `ir` to numbers: exactly those of the library that trained the model.
//!
//! [`Program`] is a model ready to run. `forest` holds the fast kernels, `reference` the slow, obvious oracle that they equal; `link` holds
//! the functions behind the margins.

mod answer;
mod beside;
mod blend;
mod boosted;
mod classifier;
mod derive;
mod distribution;
mod donors;
mod ensemble;
mod forest;
mod host;
mod kernel;
mod link;
mod metric;
mod mixture;
mod nearest;
mod neighbors;
mod network;
mod normal;
mod part;
mod pipeline;
mod pool;
mod predict;
mod process;
mod reference;
mod rows;
mod similarity;
mod splines;
mod table_exp;
mod texts;
mod transform;

pub use forest::Processor;
pub use host::{Alone, Foreign, Host};
pub use rows::{Number, Rows};
pub use texts::{Categories, NoText, Text};

use crate::error::{Error, Result};
use crate::ir::text::TextColumn;
use crate::ir::{Body, Classes, Decision, Derived, Linear, Link, Model, Output, Precision, Takes, Task, TextColumns};
use answer::first_largest;
use forest::{Compiled, Setup};
use part::Part;
use pool::Pool;
use std::sync::Arc;

/// What runs the body of a model.
#[derive(Debug)]
enum Runner {
    Forest(Box<Compiled>),
    Linear(Linear),
    /// An estimator.
    Part(Box<dyn Part>),
}

/// A model ready to run; immutable, so any number of threads may share it.
#[derive(Debug)]
pub struct Program {
    /// Who else runs all of it: asked without a detour. Only for a model without text.
    foreign: Option<Arc<dyn Foreign>>,
    texts: Option<Arc<TextColumns>>,
    stage: Option<Arc<Derived>>,
    body: Runner,
    /// Columns of a row, and margins of the body.
    width: (usize, usize),
    /// What a row is.
    takes: Takes,
    average: Option<f64>,
    link: Link,
    precision: Precision,
    task: Task,
    classes: Classes,
    decision: Decision,
    /// Threads that help with many rows.
    pool: Option<Pool>,
    /// Whether all rows that are wide enough may go to the forest as they are, and its margins are what the model answers, but for the link.
    direct: bool,
}

impl Program {
    /// Prepares a model for the best processor that this machine is; `host` opens the graphs inside of it.
    ///
    /// # Errors
    /// Those of [`Host::open`]; a model without graphs is always ready.
    pub fn new(model: &Model, host: &dyn Host) -> Result<Self> {
        Self::on(model, Processor::here(), host)
    }

    /// Prepares a model for a processor that this machine is.
    ///
    /// # Errors
    /// Those of [`Program::new`].
    pub fn on(model: &Model, processor: Processor, host: &dyn Host) -> Result<Self> {
        if matches!(model.link, Link::TableExp | Link::TableSoftmax | Link::MeanVariance) {
            table_exp::prepare();
        }
        let setup = Setup { processor, ..Setup::default() };
        let body = match &model.body {
            Body::Forest(forest) | Body::Derived { forest, .. } => {
                Runner::Forest(Box::new(Compiled::new(forest, setup)))
            }
            Body::Linear(linear) => Runner::Linear(linear.clone()),
            Body::Estimator(estimator) => Runner::Part(part::part(estimator, host)?),
        };
        Ok(Self {
            foreign: match &body {
                Runner::Part(part) if model.texts.is_none() => part.foreign(),
                _ => None,
            },
            stage: match &model.body {
                Body::Derived { stage, .. } => Some(Arc::clone(stage)),
                _ => None,
            },
            texts: model.texts.clone(),
            body,
            width: (model.body.features(), model.body.outputs()),
            takes: model.body.takes(),
            average: model.average,
            link: model.link,
            precision: model.precision,
            task: model.task,
            classes: model.classes.clone(),
            decision: model.decision,
            pool: None,
            direct: false,
        }
        .directed())
    }

    /// The same program, which knows whether it is direct.
    fn directed(self) -> Self {
        let direct = matches!(&self.body, Runner::Forest(forest) if forest.layout().accepts_nan)
            && matches!((&self.foreign, &self.texts, &self.stage, &self.pool), (None, None, None, None))
            && self.sequence_length() <= 1
            && !matches!(self.task, Task::ClassProbabilities(_));
        Self { direct, ..self }
    }

    /// The same program, with so many threads for the rows of one call, the caller's included: those of a forest. They sleep between
    /// calls and end with the program. A call that is too small to gain, or that comes while they help another, stays on its own thread.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` for too many, also when the system gives no more.
    pub fn with_threads(self, threads: usize) -> Result<Self> {
        let pool = if self.forest().is_some() { Pool::new(threads)? } else { None };
        Ok(Self { pool, ..self }.directed())
    }

    /// Columns of a row, or of one step of a sequence.
    #[must_use]
    pub fn features(&self) -> usize {
        self.width.0
    }

    /// Steps of a sequence; 0: it takes rows.
    #[must_use]
    pub fn sequence_length(&self) -> usize {
        self.takes.sequence_length()
    }

    /// Columns of a row that hold text, in ascending order.
    pub fn categorical_columns(&self) -> impl ExactSizeIterator<Item = u32> {
        self.text_columns().iter().map(TextColumn::column)
    }

    /// What is known of the columns that hold text, in ascending order.
    #[must_use]
    pub fn text_columns(&self) -> &[TextColumn] {
        self.texts.as_ref().map_or(&[], |texts| texts.columns())
    }

    /// Columns of a row that no part of the model looks at, as far as that is known, in ascending order.
    #[must_use]
    pub fn unread_columns(&self) -> &[u32] {
        self.texts.as_ref().map_or(&[], |texts| texts.unread())
    }

    /// Columns of an answer.
    ///
    /// # Errors
    /// `MI_UNSUPPORTED` when this model has no such output, with what to ask for instead.
    pub fn columns(&self, output: Output) -> Result<usize> {
        if let Runner::Part(part) = &self.body {
            return part.columns(output).ok_or_else(|| {
                self.lacks(&format!("output '{}'", output.name()), "ask for one of `outputs` in its JSON")
            });
        }
        let outputs = self.width.1;
        match output {
            Output::Value if self.task == Task::ClassProbabilities(2) => Ok(1),
            Output::Raw if matches!(self.task, Task::ClassProbabilities(_)) => {
                Err(self.lacks("margins", "ask for MI_PROBABILITY"))
            }
            Output::Value | Output::Raw => Ok(outputs),
            Output::Probability => match self.task {
                Task::Binary => Ok(2),
                Task::Multiclass(_) | Task::ClassProbabilities(_) | Task::Multilabel => Ok(outputs),
                _ => Err(self.lacks("probabilities", "ask for MI_VALUE or MI_RAW")),
            },
            Output::Label => match self.task {
                Task::Binary | Task::BinaryScore | Task::Multiclass(_) | Task::ClassProbabilities(_) => Ok(1),
                Task::Multilabel => Ok(outputs),
                _ => Err(self.lacks("class labels", "ask for MI_VALUE")),
            },
            Output::Leaf => match &self.body {
                Runner::Forest(forest) => Ok(forest.trees()),
                _ => Err(self.lacks("leaves", "ask for MI_VALUE")),
            },
            Output::Contribution => Err(Error::unsupported(
                "SHAP contributions are not built yet; compute them with the library that trained the model",
            )),
            Output::Distribution if self.task == Task::Distribution => Ok(outputs),
            Output::Distribution => Err(self.lacks("distribution parameters", "ask for MI_VALUE")),
        }
    }

    fn lacks(&self, what: &str, remedy: &str) -> Error {
        Error::unsupported(format!("a {} model has no {what}; {remedy}", self.task.name()))
    }

    fn accepts_nan(&self) -> bool {
        match &self.body {
            Runner::Forest(forest) => forest.layout().accepts_nan,
            Runner::Linear(linear) => linear.skips_missing(),
            Runner::Part(_) => true,
        }
    }

    fn check_missing<T: Number>(&self, rows: Rows<'_, T>) -> Result<()> {
        if self.accepts_nan() {
            return Ok(());
        }
        for (index, row) in rows.iter().enumerate() {
            if let Some(column) = row.iter().position(|value| value.widen().is_nan()) {
                return Err(Error::invalid(format!(
                    "row {index} is NaN in column {column}, and this model was trained without missing values; fill it first"
                )));
            }
        }
        Ok(())
    }

    /// The forest inside, if it is one.
    #[inline]
    fn forest(&self) -> Option<&Compiled> {
        match &self.body {
            Runner::Forest(forest) => Some(forest),
            _ => None,
        }
    }

    /// Reads what a call reads, and makes the working memory of this thread.
    pub fn prefetch(&self) {
        if let Some(forest) = self.forest() {
            forest.prefetch();
        }
        let mut row = vec![0.0; self.features()];
        for column in self.categorical_columns() {
            row[column as usize] = f64::NAN;
        }
        let mut out = vec![0.0; self.columns(Output::Value).unwrap_or(0)];
        let steps = self.sequence_length();
        // Whether this model takes zeros does not matter: what it looked at is warm.
        if steps > 0 {
            let sequence = vec![0.0; steps * row.len()];
            let rows = Rows::new(&sequence, 1, sequence.len());
            let _ = rows.and_then(|rows| self.predict_sequence(Output::Value, rows, steps, &mut out));
        } else {
            let rows = Rows::new(&row, 1, row.len());
            let _ = rows.and_then(|rows| self.predict(Output::Value, rows, &mut out));
        }
    }

    /// How the forest inside is compiled, and why; null without one.
    #[must_use]
    pub fn compiled(&self) -> serde_json::Value {
        let mut facts = self.forest().map_or(serde_json::Value::Null, Compiled::describe);
        if let Some(pool) = &self.pool {
            facts["threads"] = pool.threads().into();
        }
        facts
    }

    /// The linear model inside, if it is one.
    #[must_use]
    pub fn linear(&self) -> Option<&Linear> {
        match &self.body {
            Runner::Linear(linear) => Some(linear),
            _ => None,
        }
    }
}
