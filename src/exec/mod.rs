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

use crate::error::{Error, Result, Status, Within};
use crate::ir::text::TextColumn;
use crate::ir::{Body, Classes, Decision, Derived, Linear, Link, Model, Output, Precision, Takes, Task, TextColumns};
use crate::limits;
use answer::first_largest;
use forest::{Compiled, Setup};
use parking_lot::Mutex;
use part::{Part, Scratch};
use pool::Pool;
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// Derived rows. Grows once per thread.
    static DERIVED: RefCell<derive::Scratch> = const { RefCell::new(derive::Scratch::new()) };
    /// Rows whose texts became numbers. Grows once per thread.
    static WORDED: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
    /// Working memory of estimators.
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
}

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
        })
    }

    /// The same program, with so many threads for the rows of one call, the caller's included: those of a forest. They sleep between
    /// calls and end with the program. A call that is too small to gain, or that comes while they help another, stays on its own thread.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` for too many, also when the system gives no more.
    pub fn with_threads(self, threads: usize) -> Result<Self> {
        let pool = if self.forest().is_some() { Pool::new(threads)? } else { None };
        Ok(Self { pool, ..self })
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

    /// Predicts every row into `out`, of shape (rows, [`Program::columns`]).
    ///
    /// A number in a column of text stands for what [`crate::ir::text::Numbers`] says. Allocates nothing after the first call of
    /// a thread, locks nothing, makes no system call.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` for a wrong width or buffer, `MI_INVALID_ARGUMENT` for a NaN that the family has no rule for or a number
    /// that is no category, `MI_UNSUPPORTED` for an output that the model does not have. `out` is then untouched.
    #[inline]
    pub fn predict<T: Number>(&self, output: Output, rows: Rows<'_, T>, out: &mut [f64]) -> Result<()> {
        if let Some(foreign) = &self.foreign
            && rows.columns() == self.width.0
            && self.sequence_length() <= 1
        {
            match (T::as_f32(rows.data()), T::as_f64(rows.data())) {
                (Some(data), _) => return foreign.predict_single(output, rows.of(data), out),
                (_, Some(data)) => return foreign.predict_double(output, rows.of(data), out),
                _ => {}
            }
        }
        self.predict_categorical(output, rows, &NoText, out)
    }

    /// [`Program::predict`] with text: `texts` has the shape (rows, [`Program::categorical_columns`]). What the rows hold in those
    /// columns is not looked at.
    ///
    /// # Errors
    /// Those of [`Program::predict`]; `MI_SHAPE_MISMATCH` for another number of texts per row, `MI_INVALID_ARGUMENT` for a text that
    /// the model does not know and has no rule for.
    pub fn predict_categorical<T: Number>(
        &self,
        output: Output,
        rows: Rows<'_, T>,
        texts: &impl Categories,
        out: &mut [f64],
    ) -> Result<()> {
        let columns = self.columns(output)?;
        if self.sequence_length() > 1 {
            return Err(Error::new(
                Status::SequenceRequired,
                format!(
                    "this model takes sequences of {} steps of {} columns, not rows; call mi_model_predict_sequence_f32",
                    self.sequence_length(),
                    self.features()
                ),
            ));
        }
        if rows.columns() != self.features() {
            return Err(Error::shape(format!(
                "rows have {} columns, the model takes {}",
                rows.columns(),
                self.features()
            )));
        }
        Self::check_room(rows.count(), columns, out)?;
        texts::check(self.texts.as_deref(), rows, texts)?;
        match (&self.texts, texts.columns()) {
            (Some(stage), Some(_)) => self.predict_worded(stage, output, rows, texts, out, columns),
            _ => self.predict_numbers(output, rows, out, columns),
        }
    }

    /// Predicts rows whose texts have passed every check.
    fn predict_worded<T: Number>(
        &self,
        stage: &TextColumns,
        output: Output,
        rows: Rows<'_, T>,
        texts: &impl Categories,
        out: &mut [f64],
        columns: usize,
    ) -> Result<()> {
        if let Runner::Part(part) = &self.body {
            return SCRATCH.with_borrow_mut(|scratch| {
                one_by_one(part.as_ref(), output, rows, out, scratch, |row, wide| texts::fill(stage, texts, row, wide))
            });
        }
        WORDED.with_borrow_mut(|wide| {
            let width = rows.columns();
            let block = (2048 / width.max(1)).clamp(1, 64);
            for (index, rows) in rows.blocks(block).enumerate() {
                wide.clear();
                wide.resize(rows.count() * width, 0.0);
                for (at, (row, wide)) in rows.iter().zip(wide.chunks_exact_mut(width.max(1))).enumerate() {
                    for (wide, value) in wide.iter_mut().zip(row) {
                        *wide = value.widen();
                    }
                    texts::fill(stage, texts, index * block + at, wide);
                }
                let out = &mut out[index * block * columns..][..rows.count() * columns];
                self.predict_numbers(output, Rows::new(wide, rows.count(), width)?, out, columns)?;
            }
            Ok(())
        })
    }

    /// Predicts rows without text.
    fn predict_numbers<T: Number>(
        &self,
        output: Output,
        rows: Rows<'_, T>,
        out: &mut [f64],
        columns: usize,
    ) -> Result<()> {
        if let Runner::Part(part) = &self.body {
            return SCRATCH.with_borrow_mut(|scratch| estimate(part.as_ref(), output, rows, out, scratch));
        }
        let Some(stage) = &self.stage else {
            self.check_missing(rows)?;
            self.share(output, rows, out, columns);
            return Ok(());
        };
        derive::check(stage, rows)?;
        DERIVED.with_borrow_mut(|scratch| {
            let block = derive::block(stage);
            for (index, rows) in rows.blocks(block).enumerate() {
                let out = &mut out[index * block * columns..][..rows.count() * columns];
                self.run(output, derive::derive(stage, rows, scratch)?, out, columns);
            }
            Ok(())
        })
    }

    /// Predicts sequences, of shape (rows, steps, [`Program::features`]), each laid out as a row. A model that takes rows sees a sequence of one
    /// step as one; a network that wants its columns as a sequence takes that too.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` for another number of steps or columns or a wrong buffer; `MI_UNSUPPORTED` for a model that takes rows; those of
    /// [`Program::predict`]. `out` is then untouched.
    pub fn predict_sequence(&self, output: Output, rows: Rows<'_, f32>, steps: usize, out: &mut [f64]) -> Result<()> {
        let features = self.features();
        let width = rows.columns();
        let columns = width.checked_div(steps).unwrap_or(0);
        match self.takes {
            Takes::Rows if steps == 1 => return self.predict(output, rows, out),
            Takes::Columns if (steps, columns) == (features, 1) || steps == 1 => {
                return self.predict(output, rows, out);
            }
            Takes::Rows | Takes::Columns => {
                return Err(Error::unsupported(format!(
                    "this model takes rows of {features} columns, not sequences; call mi_model_predict_f32"
                )));
            }
            Takes::Steps(wanted) if wanted != steps || columns != features => {
                return Err(Error::shape(format!(
                    "sequences have {steps} steps of {columns} columns, the model takes {wanted} steps of {features}"
                )));
            }
            Takes::AnySteps(_) if steps == 0 || columns != features => {
                return Err(Error::shape(format!(
                    "sequences have {steps} steps of {columns} columns, the model takes steps of {features} columns"
                )));
            }
            Takes::Steps(_) | Takes::AnySteps(_) => {}
        }
        limits::check("numbers in a sequence", width, limits::ROW_NUMBERS)?;
        if let Some(foreign) = &self.foreign {
            return foreign.predict_single(output, rows, out);
        }
        Self::check_room(rows.count(), self.columns(output)?, out)?;
        let Runner::Part(part) = &self.body else {
            return Err(Error::internal("a model of sequences that is no estimator"));
        };
        SCRATCH
            .with_borrow_mut(|scratch| part.predict_single(output, rows, out, scratch))
            .unwrap_or_else(|| Err(Error::internal("a model of sequences that takes no blocks")))
    }

    fn check_room(rows: usize, columns: usize, out: &[f64]) -> Result<()> {
        if rows.checked_mul(columns) != Some(out.len()) {
            return Err(Error::shape(format!(
                "out has room for {} numbers, {rows} rows of {columns} columns are {}",
                out.len(),
                rows.saturating_mul(columns)
            )));
        }
        Ok(())
    }

    /// Predicts rows of the body, which have passed every check, with the help of other threads where that pays.
    fn share<T: Number>(&self, output: Output, rows: Rows<'_, T>, out: &mut [f64], columns: usize) {
        let helped = self.pool.as_ref().zip(self.forest()).filter(|_| columns > 0);
        let Some((pool, size)) =
            helped.and_then(|(pool, forest)| Some((pool, forest.part(rows.count(), pool.threads())?)))
        else {
            return self.run(output, rows, out, columns);
        };
        let parts = Mutex::new(rows.blocks(size).zip(out.chunks_mut(size * columns)));
        let next = || parts.lock().next();
        pool.run(&|| {
            while let Some((rows, out)) = next() {
                self.run(output, rows, out, columns);
            }
        });
    }

    /// Predicts rows of the body, which have passed every check.
    fn run<T: Number>(&self, output: Output, rows: Rows<'_, T>, out: &mut [f64], columns: usize) {
        match output {
            Output::Leaf => {
                if let Some(forest) = self.forest() {
                    forest.leaves(rows, |row, tree, leaf| out[row * columns + tree] = f64::from(leaf));
                }
            }
            Output::Label => self.labels(rows, out, columns),
            Output::Value if self.task == Task::ClassProbabilities(2) => self.second_shares(rows, out),
            Output::Raw => self.margins(rows, out, columns),
            _ => {
                self.margins(rows, out, columns);
                let outputs = self.width.1;
                for answer in out.chunks_exact_mut(columns.max(1)) {
                    self.apply_link(&mut answer[..outputs]);
                    if output == Output::Probability && columns == 2 && outputs == 1 {
                        let positive = answer[0];
                        answer[0] = self.precision.round(1.0 - positive);
                        answer[1] = positive;
                    }
                }
            }
        }
    }

    /// Predicts one row of doubles, for a part that has this program inside of it.
    fn predict_row(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        // What a part expects of a member is only known to fit its body, not each of its outputs.
        let columns = self.columns(output)?;
        if columns != out.len() {
            let (output, expected) = (output.name(), out.len());
            return Err(Error::malformed(format!(
                "a member answers {columns} columns of {output}, {expected} are expected"
            )));
        }
        match &self.body {
            Runner::Part(part) => part.predict(output, row, out, scratch),
            _ => self.predict(output, Rows::new(row, 1, row.len())?, out),
        }
    }

    /// Whether it is better asked about many rows at once, or takes sequences.
    fn takes_blocks(&self) -> bool {
        matches!(&self.body, Runner::Part(part) if part.takes_blocks())
    }

    /// Predicts rows, or sequences laid out as rows, for a part that has this program inside of it.
    fn predict_block(&self, output: Output, rows: Rows<'_, f64>, out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        match &self.body {
            Runner::Part(part) => estimate(part.as_ref(), output, rows, out, scratch),
            _ => self.predict(output, rows, out),
        }
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

/// Runs an estimator over every row; `out` is written when all of them went well.
fn estimate<T: Number>(
    part: &dyn Part,
    output: Output,
    rows: Rows<'_, T>,
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<()> {
    let at_once = match (T::as_f32(rows.data()), T::as_f64(rows.data())) {
        (Some(data), _) => part.predict_single(output, rows.of(data), out, scratch),
        (_, Some(data)) => part.predict_double(output, rows.of(data), out, scratch),
        _ => None,
    };
    at_once.unwrap_or_else(|| one_by_one(part, output, rows, out, scratch, |_, _| {}))
}

/// Runs an estimator over row after row, in which `fill` may put numbers; `out` is written when all of them went well.
fn one_by_one<T: Number>(
    part: &dyn Part,
    output: Output,
    rows: Rows<'_, T>,
    out: &mut [f64],
    scratch: &mut Scratch,
    fill: impl Fn(usize, &mut [f64]),
) -> Result<()> {
    let columns = out.len() / rows.count().max(1);
    scratch.lend(out.len(), |answers, scratch| {
        scratch.lend(rows.columns(), |wide, scratch| {
            for (index, row) in rows.iter().enumerate() {
                for (wide, value) in wide.iter_mut().zip(row) {
                    *wide = value.widen();
                }
                fill(index, wide);
                let answer = &mut answers[index * columns..][..columns];
                part.predict(output, wide, answer, scratch).within(|| format!("row {index}"))?;
            }
            Ok(())
        })?;
        out.copy_from_slice(answers);
        Ok(())
    })
}
