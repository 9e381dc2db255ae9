//! Networks, run here: without a foreign runtime, without an allocation once a thread is warm.
//!
//! [`plan`] lays the graph out as steps, [`step`] runs one of them over a block of rows, and the kernels beneath do the arithmetic:
//! [`matrix`] is where nearly all of the time goes. Kernels are safe Rust that [`level`] compiles for the processor's vectors.
#![allow(clippy::inline_always)] // what is not inlined into a kernel is not compiled for its level

mod cell;
mod dense;
mod level;
mod map;
mod matrix;
mod memory;
mod moves;
mod plan;
mod real;
mod recurrent;
mod simd;
mod step;
mod sum;
#[cfg(test)]
mod tests;
mod window;

use super::first_largest;
use super::part::{Part, Scratch};
use super::rows::{Number, Rows};
use crate::error::{Error, Result, Within};
use crate::ir::network::{Answer, Predictor};
use crate::ir::{Output, Precision};
use level::Level;
use memory::{Memory, View};
use plan::Plan;
use real::Real;
use std::cell::RefCell;

thread_local! {
    static SINGLE: RefCell<Memory<f32>> = const { RefCell::new(Memory::new()) };
    static DOUBLE: RefCell<Memory<f64>> = const { RefCell::new(Memory::new()) };
}

/// A network ready to run.
#[derive(Debug)]
pub(super) struct NetworkPart {
    plan: Plans,
    answer: Answer,
    outputs: usize,
}

#[derive(Debug)]
enum Plans {
    Single(Plan<f32>),
    Double(Plan<f64>),
}

impl NetworkPart {
    pub(super) fn new(model: &Predictor) -> Self {
        let network = model.network();
        let (value, level) = (network.outputs()[model.value()].node, Level::detect());
        Self {
            plan: match network.precision() {
                Precision::F32 => Plans::Single(Plan::new(network, value, level)),
                Precision::F64 => Plans::Double(Plan::new(network, value, level)),
            },
            answer: model.answer().clone(),
            outputs: model.outputs(),
        }
    }

    /// Runs over rows of any type.
    fn run<N: Number>(&self, output: Output, rows: Rows<'_, N>, out: &mut [f64]) -> Result<()> {
        for (index, row) in rows.iter().enumerate() {
            // Without a branch inside, so that it costs nothing.
            if row.iter().fold(false, |missing, value| missing | value.is_missing()) {
                let column = row.iter().position(|value| value.is_missing()).unwrap_or(0);
                return Err(Error::invalid(format!(
                    "row {index}: column {column} is NaN, and this model has no rule for missing values; fill it first"
                )));
            }
        }
        match &self.plan {
            Plans::Single(plan) => SINGLE.with_borrow_mut(|memory| self.blocks(plan, output, rows, out, memory)),
            Plans::Double(plan) => DOUBLE.with_borrow_mut(|memory| self.blocks(plan, output, rows, out, memory)),
        }
    }

    fn blocks<N: Number, T: Real>(
        &self,
        plan: &Plan<T>,
        output: Output,
        rows: Rows<'_, N>,
        out: &mut [f64],
        memory: &mut Memory<T>,
    ) -> Result<()> {
        // Nothing may be written before the last row has not been refused.
        let passes = if plan.refuses() && rows.count() > plan.block() { 2 } else { 1 };
        let columns = out.len() / rows.count().max(1);
        for pass in 1..=passes {
            let mut first = 0;
            for block in rows.blocks(plan.block()) {
                let count = block.count();
                let out = &mut out[first * columns..][..count * columns];
                first += count;
                let take = |value: View<'_, T>| {
                    if pass == passes {
                        for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                            self.answer(output, value.row(row), out);
                        }
                    }
                };
                let place = || format!("rows {} to {}", first - count, first - 1);
                if let Some(numbers) = T::same(block.data()) {
                    plan.run(View::new(numbers, rows.columns(), 0), count, memory, take).within(place)?;
                } else {
                    let mut numbers = std::mem::take(&mut memory.rows);
                    numbers.clear();
                    numbers.extend(block.data().iter().map(|value| T::of(value.widen())));
                    let done = plan.run(View::new(&numbers, rows.columns(), 0), count, memory, take);
                    memory.rows = numbers;
                    done.within(place)?;
                }
            }
        }
        Ok(())
    }

    /// The answer for a row of which the network has given `value`.
    fn answer<T: Real>(&self, output: Output, value: &[T], out: &mut [f64]) {
        match (output, &self.answer, value) {
            (Output::Label, Answer::Classes(classes), [second]) => {
                out[0] = classes.number(usize::from(second.widen() > 0.5));
            }
            (Output::Label, Answer::Classes(classes), _) => out[0] = classes.number(first_largest(value)),
            (Output::Label, Answer::Each, _) => {
                for (out, probability) in out.iter_mut().zip(value) {
                    *out = f64::from(u8::from(probability.widen() > 0.5));
                }
            }
            (Output::Probability, Answer::Classes(_), [second]) => {
                out.copy_from_slice(&[(T::ONE - *second).widen(), second.widen()]);
            }
            _ => out.iter_mut().zip(value).for_each(|(out, value)| *out = value.widen()),
        }
    }
}

impl Part for NetworkPart {
    fn columns(&self, output: Output) -> Option<usize> {
        match (output, &self.answer) {
            (Output::Value, _)
            | (Output::Raw, Answer::Values)
            | (Output::Probability | Output::Label, Answer::Each) => Some(self.outputs),
            (Output::Probability, Answer::Classes(_)) => Some(self.outputs.max(2)),
            (Output::Label, Answer::Classes(_)) => Some(1),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], _: &mut Scratch) -> Result<()> {
        self.run(output, Rows::new(row, 1, row.len())?, out)
    }

    fn takes_blocks(&self) -> bool {
        true
    }

    fn predict_single(
        &self,
        output: Output,
        rows: Rows<'_, f32>,
        out: &mut [f64],
        _: &mut Scratch,
    ) -> Option<Result<()>> {
        Some(self.run(output, rows, out))
    }

    fn predict_double(
        &self,
        output: Output,
        rows: Rows<'_, f64>,
        out: &mut [f64],
        _: &mut Scratch,
    ) -> Option<Result<()>> {
        Some(self.run(output, rows, out))
    }
}
