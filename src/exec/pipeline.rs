//! Steps that change a row, and the model behind them.

use super::forest::{Compiled, Setup};
use super::part::{Part, Scratch, refuse_missing};
use super::{Program, Rows, reference, transform};
use crate::error::{Error, Result};
use crate::ir::pipeline::{Pipeline, Transform};
use crate::ir::refine::Refine;
use crate::ir::{Model, Output, Precision};
use std::sync::Arc;

/// Programs of models that steps share, each made once.
#[derive(Debug, Default)]
pub(super) struct Shared(Vec<(Arc<Model>, Arc<Program>)>);

impl Shared {
    fn program(&mut self, model: &Arc<Model>) -> Arc<Program> {
        if let Some((_, program)) = self.0.iter().find(|(other, _)| Arc::ptr_eq(other, model)) {
            return Arc::clone(program);
        }
        let program = Arc::new(Program::new(model));
        self.0.push((Arc::clone(model), Arc::clone(&program)));
        program
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
    pub(super) fn new(transform: &Transform, shared: &mut Shared) -> Self {
        match transform {
            Transform::Chain(_, steps) => Step::Chain(steps.iter().map(|step| Step::new(step, shared)).collect()),
            Transform::Union { parts, .. } => {
                let part = |part: &crate::ir::pipeline::UnionPart, shared: &mut Shared| {
                    let step = Step::new(&part.step, shared);
                    Side { columns: part.columns.clone(), step, outputs: part.step.outputs(), weight: part.weight }
                };
                Step::Union(parts.iter().map(|each| part(each, shared)).collect())
            }
            Transform::Refine(refine) => {
                let programs = refine.questions().iter().map(|question| Program::new(&question.model)).collect();
                Step::Refine(Box::new(Step::new(refine.first(), shared)), Arc::clone(refine), programs)
            }
            Transform::Answer { model, output, skip, width } => {
                Step::Answer(shared.program(model), *output, *skip, *width)
            }
            Transform::Leaves { forest, columns } => {
                Step::Leaves(Box::new(Compiled::new(forest, Setup::default())), *columns)
            }
            plain => Step::Plain(plain.clone()),
        }
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
            Step::Chain(steps) => chain(steps, row, scratch, &mut |row, _| {
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
                let columns = program.columns(*output)?;
                if columns != skip + width {
                    return Err(Error::malformed(format!(
                        "a member answers {columns} columns of {}, {} are expected",
                        output.name(),
                        skip + width
                    )));
                }
                if *skip == 0 {
                    return program.predict_row(*output, row, out, scratch);
                }
                scratch.lend(columns, |answer, scratch| {
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
    last: &mut dyn FnMut(&[f64], &mut Scratch) -> Result<()>,
) -> Result<()> {
    match steps.split_first() {
        None => last(row, scratch),
        Some((step, rest)) => scratch.lend(step.outputs(row.len()), |changed, scratch| {
            step.run(row, changed, scratch)?;
            chain(rest, changed, scratch, last)
        }),
    }
}

/// A pipeline ready to run.
#[derive(Debug)]
pub(super) struct PipelinePart {
    steps: Vec<Step>,
    last: Option<Program>,
    outputs: usize,
}

impl PipelinePart {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let mut shared = Shared::default();
        Self {
            steps: pipeline.steps().iter().map(|step| Step::new(step, &mut shared)).collect(),
            last: pipeline.last().map(Program::new),
            outputs: pipeline.outputs(),
        }
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
        chain(&self.steps, row, scratch, &mut |row, scratch| {
            if let Some(last) = &self.last {
                return last.predict_row(output, row, out, scratch);
            }
            out.copy_from_slice(row);
            Ok(())
        })
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
