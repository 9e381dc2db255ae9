//! Steps that change a row, and the model behind them.

use super::forest::{Compiled, Setup};
use super::part::{Part, Scratch, refuse_missing};
use super::{Host, Number, Program, Rows, reference, transform};
use crate::error::{Error, Result, Within};
use crate::ir::pipeline::{Pipeline, Transform, UnionPart};
use crate::ir::refine::Refine;
use crate::ir::{Model, Output, Precision};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Programs of models that steps share, each made once.
pub(super) struct Shared<'a> {
    host: &'a dyn Host,
    made: HashMap<*const Model, Arc<Program>>,
}

impl<'a> Shared<'a> {
    /// None yet.
    pub(super) fn new(host: &'a dyn Host) -> Self {
        Self { host, made: HashMap::new() }
    }

    fn program(&mut self, model: &Arc<Model>) -> Result<Arc<Program>> {
        match self.made.entry(Arc::as_ptr(model)) {
            Entry::Occupied(made) => Ok(Arc::clone(made.get())),
            Entry::Vacant(place) => Ok(Arc::clone(place.insert(Arc::new(Program::new(model, self.host)?)))),
        }
    }
}

/// One part of a union, ready to run.
#[derive(Debug)]
pub(super) struct Side {
    columns: Option<Vec<usize>>,
    step: Step,
    outputs: usize,
    weight: Option<f64>,
}

/// A step ready to run.
#[derive(Debug)]
pub(super) enum Step {
    /// One that needs nothing made for it.
    Plain(Transform),
    /// Steps behind each other.
    Chain(Vec<Step>),
    /// Steps side by side.
    Union(Vec<Side>),
    /// A first filling, and questions that refine it.
    Refine(Box<Step>, Arc<Refine>, Vec<Program>),
    /// One column per leaf of a forest, 1 where the row arrives: the forest, and how many columns.
    Leaves(Box<Compiled>, usize),
    /// What a model answers: which output, columns left out, columns that remain.
    Answer(Arc<Program>, Output, usize, usize),
}

impl Step {
    pub(super) fn new(transform: &Transform, shared: &mut Shared<'_>) -> Result<Self> {
        Ok(match transform {
            Transform::Chain(_, steps) => {
                Step::Chain(steps.iter().map(|step| Step::new(step, shared)).collect::<Result<_>>()?)
            }
            Transform::Union { parts, .. } => {
                let part = |part: &UnionPart, shared: &mut Shared<'_>| {
                    let step = Step::new(&part.step, shared)?;
                    Ok(Side { columns: part.columns.clone(), step, outputs: part.step.outputs(), weight: part.weight })
                };
                Step::Union(parts.iter().map(|each| part(each, shared)).collect::<Result<_>>()?)
            }
            Transform::Refine(refine) => {
                let ask = |question: &crate::ir::refine::Question| Program::new(&question.model, shared.host);
                let programs = refine.questions().iter().map(ask).collect::<Result<_>>()?;
                Step::Refine(Box::new(Step::new(refine.first(), shared)?), Arc::clone(refine), programs)
            }
            Transform::Answer { model, output, skip, width } => {
                Step::Answer(shared.program(model)?, *output, *skip, *width)
            }
            Transform::Leaves { forest, columns } => {
                Step::Leaves(Box::new(Compiled::new(forest, Setup::default())), *columns)
            }
            plain => Step::Plain(plain.clone()),
        })
    }

    fn outputs(&self, width: usize) -> usize {
        match self {
            Step::Plain(transform) => transform.outputs(),
            Step::Chain(steps) => steps.iter().fold(width, |width, step| step.outputs(width)),
            Step::Union(parts) => parts.iter().map(|part| part.outputs).sum(),
            Step::Refine(_, refine, _) => refine.columns().len(),
            Step::Leaves(_, columns) => *columns,
            Step::Answer(_, _, _, width) => *width,
        }
    }

    /// Runs the step; `out` has the width that it gives.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a value that it has no rule for, naming its column.
    pub(super) fn run(&self, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        match self {
            Step::Plain(transform) => plain(transform, row, out, scratch),
            Step::Chain(steps) => chain(steps, row, scratch, |row, _| {
                out.copy_from_slice(row);
                Ok(())
            }),
            Step::Union(parts) => {
                let mut rest = out;
                for Side { columns, step, outputs, weight } in parts {
                    let (own, others) = rest.split_at_mut(*outputs);
                    match columns {
                        None => step.run(row, own, scratch)?,
                        Some(columns) => scratch.lend(columns.len(), |taken, scratch| {
                            for (taken, &column) in taken.iter_mut().zip(columns) {
                                *taken = row[column];
                            }
                            step.run(taken, own, scratch)
                        })?,
                    }
                    if let Some(weight) = weight {
                        for x in own {
                            *x *= weight;
                        }
                    }
                    rest = others;
                }
                Ok(())
            }
            Step::Refine(first, refine, programs) => {
                first.run(row, out, scratch)?;
                refined(refine, programs, row, out, scratch)
            }
            Step::Leaves(forest, _) => {
                // The embedding checks its rows even where its trees would know what to do with a NaN.
                refuse_missing(row)?;
                out.fill(0.0);
                forest.leaves(Rows::new(row, 1, row.len())?, |_, _, column| {
                    if let Some(out) = out.get_mut(column as usize) {
                        *out = 1.0;
                    }
                });
                Ok(())
            }
            Step::Answer(program, output, skip, width) => {
                if *skip == 0 {
                    return program.predict_row(*output, row, out, scratch);
                }
                scratch.lend(skip + width, |answer, scratch| {
                    program.predict_row(*output, row, answer, scratch)?;
                    out.copy_from_slice(&answer[*skip..]);
                    Ok(())
                })
            }
        }
    }
}

/// Asks about the columns that are missing, in the order of the questions. A row that has nothing at all stays as it was filled first.
fn refined(refine: &Refine, programs: &[Program], row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    let missing = |column: usize| transform::same(row[refine.columns()[column]], refine.missing());
    if (0..out.len()).all(missing) {
        return Ok(());
    }
    for (question, program) in refine.questions().iter().zip(programs) {
        if !missing(question.column) {
            continue;
        }
        let answer = scratch.lend(question.neighbours.len(), |given, scratch| {
            for (given, &neighbour) in given.iter_mut().zip(&question.neighbours) {
                *given = out[neighbour];
            }
            let mut answer = [0.0];
            program.predict_row(Output::Value, given, &mut answer, scratch)?;
            Ok(answer[0])
        })?;
        out[question.column] = answer.clamp(question.bounds.0, question.bounds.1);
    }
    Ok(())
}

/// Runs steps one behind the other and hands the last row on.
fn chain(
    steps: &[Step],
    row: &[f64],
    scratch: &mut Scratch,
    last: impl FnOnce(&[f64], &mut Scratch) -> Result<()>,
) -> Result<()> {
    if steps.is_empty() {
        return last(row, scratch);
    }
    // Two rows in turns, however many steps there are; the references change places, so that each vector keeps its room.
    let (mut one, mut other) = (scratch.take(0), scratch.take(0));
    let (mut now, mut next) = (&mut one, &mut other);
    let ran = steps.iter().enumerate().try_for_each(|(index, step)| {
        let before = if index == 0 { row } else { now.as_slice() };
        next.clear();
        next.resize(step.outputs(before.len()), 0.0);
        step.run(before, next, scratch)?;
        std::mem::swap(&mut now, &mut next);
        Ok(())
    });
    let result = ran.and_then(|()| last(now, scratch));
    scratch.give(other);
    scratch.give(one);
    result
}

/// A pipeline ready to run.
#[derive(Debug)]
pub(super) struct PipelinePart {
    steps: Vec<Step>,
    last: Option<Program>,
    features: usize,
    outputs: usize,
}

/// Rows that go through the steps together, before the model behind them sees them at once.
const BLOCK: usize = 256;

impl PipelinePart {
    pub(super) fn new(pipeline: &Pipeline, host: &dyn Host) -> Result<Self> {
        let mut shared = Shared::new(host);
        let steps = pipeline.steps().iter().map(|step| Step::new(step, &mut shared)).collect::<Result<_>>()?;
        Ok(Self {
            steps,
            last: pipeline.last().map(|model| Program::new(model, host)).transpose()?,
            features: pipeline.features(),
            outputs: pipeline.outputs(),
        })
    }

    /// Rows through the steps, each step of a sequence by itself, then all of them at once to the model behind.
    fn at_once<T: Number>(
        &self,
        last: &Program,
        output: Output,
        rows: Rows<'_, T>,
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (width, groups) = (last.features(), rows.columns() / self.features);
        let columns = out.len() / rows.count().max(1);
        let mut answers = scratch.take(out.len());
        let mut done = Ok(());
        for (index, block) in rows.blocks(BLOCK).enumerate() {
            let first = index * BLOCK;
            let mut changed = scratch.take(block.count() * groups * width);
            done = self.steps_over(block, first, &mut changed, scratch).and_then(|()| {
                let out = &mut answers[first * columns..][..block.count() * columns];
                last.predict_block(output, Rows::new(&changed, block.count(), groups * width)?, out, scratch)
            });
            scratch.give(changed);
            if done.is_err() {
                break;
            }
        }
        if done.is_ok() {
            out.copy_from_slice(&answers);
        }
        scratch.give(answers);
        done
    }

    /// Applies the steps to every `features` numbers of a block, the first row of which has this index.
    fn steps_over<T: Number>(
        &self,
        block: Rows<'_, T>,
        first: usize,
        changed: &mut [f64],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let groups = block.columns() / self.features;
        let width = changed.len() / (block.count() * groups).max(1);
        scratch.lend(self.features, |wide, scratch| {
            for (index, row) in block.iter().enumerate() {
                for (group, part) in row.chunks_exact(self.features).enumerate() {
                    for (wide, value) in wide.iter_mut().zip(part) {
                        *wide = value.widen();
                    }
                    let out = &mut changed[(index * groups + group) * width..][..width];
                    chain(&self.steps, wide, scratch, |row, _| {
                        out.copy_from_slice(row);
                        Ok(())
                    })
                    .within(|| match groups {
                        1 => format!("row {}", first + index),
                        _ => format!("row {}, step {group}", first + index),
                    })?;
                }
            }
            Ok(())
        })
    }
}

impl Part for PipelinePart {
    fn columns(&self, output: Output) -> Option<usize> {
        match &self.last {
            Some(last) => last.columns(output).ok(),
            None => (output == Output::Value).then_some(self.outputs),
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        chain(&self.steps, row, scratch, |row, scratch| {
            if let Some(last) = &self.last {
                return last.predict_row(output, row, out, scratch);
            }
            out.copy_from_slice(row);
            Ok(())
        })
    }

    fn predict_single(
        &self,
        output: Output,
        rows: Rows<'_, f32>,
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Option<Result<()>> {
        let last = self.last.as_ref().filter(|last| last.takes_blocks())?;
        Some(self.at_once(last, output, rows, out, scratch))
    }

    fn predict_double(
        &self,
        output: Output,
        rows: Rows<'_, f64>,
        out: &mut [f64],
        scratch: &mut Scratch,
    ) -> Option<Result<()>> {
        let last = self.last.as_ref().filter(|last| last.takes_blocks())?;
        Some(self.at_once(last, output, rows, out, scratch))
    }

    fn takes_blocks(&self) -> bool {
        self.last.as_ref().is_some_and(Program::takes_blocks)
    }
}

/// Applies a step that needs nothing made for it; `out` has the width that the step gives.
fn plain(step: &Transform, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    match step {
        Transform::Select { columns, .. } => {
            for (out, &column) in out.iter_mut().zip(columns) {
                *out = row[column];
            }
        }
        Transform::Codes { columns, .. } => {
            out.copy_from_slice(row);
            for (column, codes) in columns {
                out[*column] = transform::code(codes, *column, row[*column])?;
            }
        }
        Transform::Missing { number, .. } => {
            let number = Precision::F32.round(*number);
            for (out, value) in out.iter_mut().zip(row) {
                *out = if Precision::F32.round(*value) == number { f64::NAN } else { *value };
            }
        }
        Transform::Each(_, things) => {
            out.copy_from_slice(row);
            for thing in things {
                transform::each(thing, out)?;
            }
        }
        Transform::Whole { whole, .. } => transform::whole(whole, row, out, scratch)?,
        Transform::Linear(linear) => {
            refuse_missing(row)?;
            reference::linear(linear, Rows::new(row, 1, row.len())?, out, linear.outputs());
        }
        Transform::Chain(..)
        | Transform::Union { .. }
        | Transform::Answer { .. }
        | Transform::Leaves { .. }
        | Transform::Refine(_) => {
            return Err(Error::internal("a step that is made of others was not prepared"));
        }
    }
    Ok(())
}
