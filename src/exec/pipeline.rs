//! Steps that change a row, and the model behind them.

use super::Program;
use super::part::{Part, Scratch};
use super::reference;
use crate::error::Result;
use crate::ir::Output;
use crate::ir::pipeline::{Pipeline, Transform};

/// A pipeline ready to run.
#[derive(Debug)]
pub(super) struct PipelinePart {
    steps: Vec<Transform>,
    last: Option<Program>,
    outputs: usize,
}

impl PipelinePart {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        Self { steps: pipeline.steps().to_vec(), last: pipeline.last().map(Program::new), outputs: pipeline.outputs() }
    }

    /// Runs the steps from `at` on, then the model.
    fn run(&self, at: usize, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        match (self.steps.get(at), &self.last) {
            (Some(step), None) if at + 1 == self.steps.len() => transform(step, row, out),
            (Some(step), _) => scratch.lend(step.outputs(), |changed, scratch| {
                transform(step, row, changed)?;
                self.run(at + 1, output, changed, out, scratch)
            }),
            (None, Some(last)) => last.predict_row(output, row, out, scratch),
            (None, None) => Ok(()),
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
        self.run(0, output, row, out, scratch)
    }
}

/// Applies one step; `out` has the width that the step gives.
fn transform(step: &Transform, row: &[f64], out: &mut [f64]) -> Result<()> {
    match step {
        Transform::Select { columns, .. } => {
            for (out, &column) in out.iter_mut().zip(columns) {
                *out = row[column];
            }
        }
        Transform::Codes { columns, .. } => {
            out.copy_from_slice(row);
            for (column, list) in columns {
                let place = list.iter().position(|category| *category == row[*column]);
                #[allow(clippy::cast_precision_loss)] // lists are far shorter than 2^52
                let code = place.map_or(f64::NAN, |place| place as f64);
                out[*column] = code;
            }
        }
        Transform::Leaves { forest, .. } => {
            if !forest.layout().accepts_nan {
                super::refuse_nan(row, None)?;
            }
            out.fill(0.0);
            for column in reference::leaf_ids(forest, row) {
                if let Some(out) = out.get_mut(column as usize) {
                    *out = 1.0;
                }
            }
        }
    }
    Ok(())
}
