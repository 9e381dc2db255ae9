//! From the margins of a row to its answer: averages, links, shares, labels.

use super::{Number, Program, Rows, Runner, link, reference};
use crate::ir::{Decision, Output, Task};
use std::cell::RefCell;

thread_local! {
    /// Margins of one row, for answers that are narrower than they are. Grows once per thread.
    static MARGINS: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

impl Program {
    /// Margins of every row, `stride` numbers apart.
    pub(super) fn margins<T: Number>(&self, rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
        match &self.body {
            Runner::Forest(forest) => forest.margins(rows, out, stride),
            Runner::Linear(linear) => reference::linear(linear, rows, out, stride),
            Runner::Part(_) => unreachable!("an estimator has its own way to answer"),
        }
    }

    pub(super) fn apply_link(&self, margins: &mut [f64]) {
        if let Some(rounds) = self.average {
            for margin in &mut *margins {
                *margin = self.precision.round(*margin / rounds);
            }
        }
        link::apply(self.link, self.precision, margins);
    }

    /// The share of the second of two classes.
    pub(super) fn second_shares<T: Number>(&self, rows: Rows<'_, T>, out: &mut [f64]) {
        MARGINS.with_borrow_mut(|margins| {
            margins.resize(2, 0.0);
            for (row, answer) in rows.split().zip(out) {
                self.margins(row, margins, 2);
                self.apply_link(margins);
                *answer = margins[1];
            }
        });
    }

    pub(super) fn labels<T: Number>(&self, rows: Rows<'_, T>, out: &mut [f64], columns: usize) {
        MARGINS.with_borrow_mut(|margins| {
            let outputs = self.width.1;
            margins.resize(outputs, 0.0);
            for (row, answer) in rows.split().zip(out.chunks_exact_mut(columns)) {
                self.margins(row, margins, outputs);
                self.decide(margins, answer);
            }
        });
    }

    /// From the margins of a row to its labels.
    fn decide(&self, margins: &mut [f64], answer: &mut [f64]) {
        let threshold = match self.decision {
            Decision::Value => {
                self.apply_link(margins);
                0.5
            }
            Decision::Margin(threshold) => threshold,
        };
        match self.task {
            Task::Binary | Task::BinaryScore => {
                answer[0] = self.classes.number(usize::from(margins[0] > threshold));
            }
            Task::Multilabel => {
                for (label, score) in answer.iter_mut().zip(margins.iter()) {
                    *label = f64::from(u8::from(*score > threshold));
                }
            }
            _ => answer[0] = self.classes.number(first_largest(margins)),
        }
    }

    /// The answer for a row of which a part has computed the margins; `answer` has [`Program::columns`] places.
    pub(super) fn answer(&self, output: Output, margins: &mut [f64], answer: &mut [f64]) {
        match output {
            Output::Raw => answer.copy_from_slice(margins),
            Output::Label => self.decide(margins, answer),
            _ => {
                self.apply_link(margins);
                match (answer, &*margins) {
                    ([negative, positive], &[share]) => {
                        *negative = self.precision.round(1.0 - share);
                        *positive = share;
                    }
                    ([positive], &[_, share]) => *positive = share,
                    (answer, margins) => answer.copy_from_slice(margins),
                }
            }
        }
    }
}

/// The index of the first of the largest values, as numpy's `argmax` has it: a NaN counts as the largest.
pub(super) fn first_largest<T: Number + PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if value.is_missing() {
            return index;
        }
        if *value > values[best] {
            best = index;
        }
    }
    best
}
