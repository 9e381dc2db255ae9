//! Trees on top of another model's answer, and trees whose depth is the answer.

use super::forest::{Compiled, Setup};
use super::part::{Part, Scratch, refuse_missing};
use super::{Host, Program, Rows};
use crate::error::Result;
use crate::ir::Output;
use crate::ir::boosted::{Boosted, Isolation, Start};

/// A boosted forest with a first model, ready to run.
#[derive(Debug)]
pub(super) struct BoostedPart {
    first: Program,
    /// What the first model is asked for.
    asked: Output,
    start: Start,
    /// The forest, with the link, the decision and the classes of the whole.
    program: Program,
}

impl BoostedPart {
    pub(super) fn new(boosted: &Boosted, host: &dyn Host) -> Result<Self> {
        let first = Program::new(boosted.first(), host)?;
        let asked = match boosted.start() {
            Start::Value => Output::Value,
            _ => Output::Probability,
        };
        Ok(Self { first, asked, start: boosted.start(), program: Program::new(boosted.model(), host)? })
    }

    fn margins(&self, forest: &Compiled, row: &[f64], margins: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        scratch.lend(self.start.answers(margins.len()), |answer, scratch| {
            self.first.predict_row(self.asked, row, answer, scratch)?;
            self.start.margins(answer, margins);
            Ok::<(), crate::error::Error>(())
        })?;
        forest.add(Rows::new(row, 1, row.len())?, margins);
        Ok(())
    }
}

impl Part for BoostedPart {
    fn columns(&self, output: Output) -> Option<usize> {
        // A first model that cannot answer leaves nothing to add to.
        self.first.columns(self.asked).ok().and_then(|_| self.program.columns(output).ok())
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        let Some(forest) = self.program.forest() else { return Ok(()) };
        let layout = forest.layout();
        if !layout.accepts_nan {
            refuse_missing(row)?;
        }
        if output == Output::Leaf {
            return self.program.predict_row(output, row, out, scratch);
        }
        scratch.lend(row.len() + layout.base.len(), |numbers, scratch| {
            let (rounded, margins) = numbers.split_at_mut(row.len());
            for (rounded, value) in rounded.iter_mut().zip(row) {
                *rounded = layout.input.round(*value);
            }
            self.margins(forest, rounded, margins, scratch)?;
            self.program.answer(output, margins, out);
            Ok(())
        })
    }
}

/// An isolation forest, ready to run.
#[derive(Debug)]
pub(super) struct IsolationPart {
    forest: Compiled,
    unit: Option<f64>,
    offset: f64,
    threshold: f64,
    inclusive: bool,
}

impl IsolationPart {
    pub(super) fn new(isolation: &Isolation) -> Self {
        let Isolation { forest, unit, offset, threshold, inclusive } = isolation;
        Self {
            forest: Compiled::new(forest, Setup::default()),
            unit: *unit,
            offset: *offset,
            threshold: *threshold,
            inclusive: *inclusive,
        }
    }
}

impl Part for IsolationPart {
    fn columns(&self, output: Output) -> Option<usize> {
        matches!(output, Output::Value | Output::Raw | Output::Label).then_some(1)
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], _: &mut Scratch) -> Result<()> {
        let Self { forest, unit, offset, threshold, inclusive } = self;
        if !forest.layout().accepts_nan {
            refuse_missing(row)?;
        }
        let mut depth = [0.0];
        forest.add(Rows::new(row, 1, row.len())?, &mut depth);
        let relative = unit.map_or(1.0, |unit| depth[0] / unit);
        let margin = -2f64.powf(-relative) - offset;
        let outlier = margin < *threshold || *inclusive && margin == *threshold;
        out[0] = match output {
            Output::Raw => margin,
            _ if outlier => -1.0,
            _ => 1.0,
        };
        Ok(())
    }
}
