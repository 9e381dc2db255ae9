//! Rows through a program: checks, blocks, threads, and what turns margins into answers.

use super::part::{Part, Scratch};
use super::{Categories, NoText, Number, Program, Rows, Runner, derive, texts};
use crate::error::{Error, Result, Status, Within};
use crate::ir::{Link, Output, Takes, Task, TextColumns};
use crate::limits;
use parking_lot::Mutex;
use std::cell::RefCell;

thread_local! {
    /// Derived rows. Grows once per thread.
    static DERIVED: RefCell<derive::Scratch> = const { RefCell::new(derive::Scratch::new()) };
    /// Rows whose texts became numbers. Grows once per thread.
    static WORDED: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
    /// Working memory of estimators.
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
}

impl Program {
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
        let (width, outputs) = self.width;
        if self.direct
            && matches!(output, Output::Value | Output::Raw)
            && rows.columns() == width
            && rows.count().checked_mul(outputs) == Some(out.len())
            && let Some(forest) = self.forest()
        {
            forest.margins(rows, out, outputs);
            if output == Output::Value && (!matches!(self.link, Link::Identity) || self.average.is_some()) {
                out.chunks_exact_mut(outputs.max(1)).for_each(|margins| self.apply_link(margins));
            }
            return Ok(());
        }
        self.predict_checked(output, rows, out)
    }

    /// [`Program::predict`] for programs and rows of all kinds.
    fn predict_checked<T: Number>(&self, output: Output, rows: Rows<'_, T>, out: &mut [f64]) -> Result<()> {
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
    pub(super) fn predict_row(
        &self,
        output: Output,
        row: &[f64],
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
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
    pub(super) fn takes_blocks(&self) -> bool {
        matches!(&self.body, Runner::Part(part) if part.takes_blocks())
    }

    /// Predicts rows, or sequences laid out as rows, for a part that has this program inside of it.
    pub(super) fn predict_block(
        &self,
        output: Output,
        rows: Rows<'_, f64>,
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
        match &self.body {
            Runner::Part(part) => estimate(part.as_ref(), output, rows, out, scratch),
            _ => self.predict(output, rows, out),
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
