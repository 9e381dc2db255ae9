//! Models side by side.

use super::part::{Part, Scratch};
use super::{Host, Program};
use crate::error::Result;
use crate::ir::Output;
use crate::ir::beside::Beside;

/// Models side by side, ready to run.
#[derive(Debug)]
pub(super) struct BesidePart {
    programs: Vec<Program>,
    shared_leaves: bool,
}

impl BesidePart {
    pub(super) fn new(beside: &Beside, host: &dyn Host) -> Result<Self> {
        let programs = beside.models().iter().map(|model| Program::new(model, host)).collect::<Result<_>>()?;
        Ok(Self { programs, shared_leaves: beside.shared_leaves() })
    }

    /// The models that answer.
    fn answering(&self, output: Output) -> &[Program] {
        match output {
            Output::Leaf if self.shared_leaves => &self.programs[..1],
            _ => &self.programs,
        }
    }
}

impl Part for BesidePart {
    fn columns(&self, output: Output) -> Option<usize> {
        self.answering(output).iter().map(|program| program.columns(output).ok()).sum()
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        let mut rest = out;
        for program in self.answering(output) {
            let (own, others) = rest.split_at_mut(program.columns(output)?);
            program.predict_row(output, row, own, scratch)?;
            rest = others;
        }
        Ok(())
    }
}
