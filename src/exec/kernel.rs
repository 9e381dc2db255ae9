//! Support vector machines as libsvm computes them.
//!
//! Classes are decided by the votes of all pairs. Probabilities: a sigmoid for each pair (Platt 1999), coupled by the second method
//! of Wu, Lin and Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling", JMLR 5 (2004), with the
//! stopping rule of libsvm.

use super::first_largest;
use super::part::{Part, Scratch, refuse_missing};
use crate::error::Result;
use crate::ir::kernel::{Kernel, KernelMachine, Machine, Shape};
use crate::ir::{Classes, Output};

/// A support vector machine ready to run.
#[derive(Debug)]
pub(super) struct KernelPart(KernelMachine);

/// The parts of [`Machine::Classes`].
#[derive(Clone, Copy)]
struct Vote<'a> {
    classes: &'a Classes,
    support: &'a [usize],
    shape: Shape,
    break_ties: bool,
    sigmoids: &'a [(f64, f64)],
}

impl KernelPart {
    pub(super) fn new(machine: &KernelMachine) -> Self {
        Self(machine.clone())
    }

    fn vote(&self) -> Option<Vote<'_>> {
        match self.0.machine() {
            Machine::Classes { classes, support, shape, break_ties, sigmoids } => {
                Some(Vote { classes, support, shape: *shape, break_ties: *break_ties, sigmoids })
            }
            Machine::Regression | Machine::OneClass => None,
        }
    }

    /// The kernel of a row with every support vector.
    fn similarities(&self, row: &[f64], out: &mut [f64]) {
        for (index, out) in out.iter_mut().enumerate() {
            *out = likeness(self.0.kernel(), row, self.0.vector(index));
        }
    }

    /// The decision of each pair of classes: positive for the first of the two.
    fn pairs(&self, vote: Vote<'_>, similarities: &[f64], out: &mut [f64]) {
        let mut first_start = 0;
        let mut out = out.iter_mut().zip(self.0.intercepts());
        for (first, &first_count) in vote.support.iter().enumerate() {
            let mut second_start = first_start + first_count;
            for (second, &second_count) in vote.support.iter().enumerate().skip(first + 1) {
                let part = |row: usize, start: usize, count: usize| {
                    dot(&self.0.coefficients(row)[start..][..count], &similarities[start..][..count])
                };
                if let Some((out, intercept)) = out.next() {
                    let sum = part(second - 1, first_start, first_count) + part(first, second_start, second_count);
                    *out = sum + intercept;
                }
                second_start += second_count;
            }
            first_start += first_count;
        }
    }
}

/// Answers a classifier from the decisions of its pairs.
fn classify(vote: Vote<'_>, output: Output, pairs: &[f64], out: &mut [f64], scratch: &mut Scratch) {
    let count = vote.support.len();
    match output {
        Output::Raw => match (vote.shape, pairs) {
            // Two classes: positive for the second.
            (_, [only]) => out[0] = -only,
            (Shape::Pairs, _) => out.copy_from_slice(pairs),
            (shape, _) => scratch.lend(count, |confidences, _| against_rest(shape, pairs, confidences, out)),
        },
        Output::Probability => coupled(pairs, vote.sigmoids, out, scratch),
        Output::Value if !vote.sigmoids.is_empty() => scratch.lend(count, |all, scratch| {
            coupled(pairs, vote.sigmoids, all, scratch);
            match all {
                [_, second] => out[0] = *second,
                _ => out.copy_from_slice(all),
            }
        }),
        _ => scratch.lend(count, |votes, scratch| {
            if vote.break_ties && count > 2 && vote.shape != Shape::Pairs {
                scratch.lend(count, |confidences, _| against_rest(vote.shape, pairs, confidences, votes));
            } else {
                for_pairs(pairs, count, |first, second, decision| {
                    votes[if decision > 0.0 { first } else { second }] += 1.0;
                });
            }
            out[0] = vote.classes.number(first_largest(votes));
        }),
    }
}

impl Part for KernelPart {
    fn columns(&self, output: Output) -> Option<usize> {
        let Some(vote) = self.vote() else {
            let label = matches!(self.0.machine(), Machine::OneClass);
            return match output {
                Output::Value | Output::Raw => Some(1),
                Output::Label if label => Some(1),
                _ => None,
            };
        };
        let count = vote.support.len();
        match output {
            Output::Value => Some(self.0.outputs()),
            Output::Raw if count == 2 => Some(1),
            Output::Raw if vote.shape == Shape::Pairs => Some(count * (count - 1) / 2),
            Output::Raw => Some(count),
            Output::Probability if !vote.sigmoids.is_empty() => Some(count),
            Output::Label => Some(1),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        scratch.lend(self.0.count(), |similarities, scratch| {
            self.similarities(row, similarities);
            if let Some(vote) = self.vote() {
                return scratch.lend(self.0.intercepts().len(), |pairs, scratch| {
                    self.pairs(vote, similarities, pairs);
                    classify(vote, output, pairs, out, scratch);
                    Ok(())
                });
            }
            let sum = dot(self.0.coefficients(0), similarities) + self.0.intercepts()[0];
            out[0] = match self.0.machine() {
                Machine::OneClass if output != Output::Raw => {
                    if sum > 0.0 {
                        1.0
                    } else {
                        -1.0
                    }
                }
                _ => sum,
            };
            Ok(())
        })
    }
}

/// The kernel of two rows.
pub(super) fn likeness(kernel: Kernel, x: &[f64], y: &[f64]) -> f64 {
    match kernel {
        Kernel::Linear => dot(x, y),
        Kernel::Polynomial { gamma, constant, degree } => power(gamma * dot(x, y) + constant, degree),
        Kernel::Rbf { gamma } => (-gamma * x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>()).exp(),
        Kernel::Sigmoid { gamma, constant } => (gamma * dot(x, y) + constant).tanh(),
    }
}

/// By repeated squaring where the degree is a whole number, as libsvm does it.
fn power(base: f64, degree: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation)] // whole and small
    if degree.fract() == 0.0 && degree <= f64::from(i32::MAX) { base.powi(degree as i32) } else { base.powf(degree) }
}

pub(super) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Every pair of classes with its decision.
fn for_pairs(pairs: &[f64], classes: usize, mut body: impl FnMut(usize, usize, f64)) {
    let order = (0..classes).flat_map(|first| (first + 1..classes).map(move |second| (first, second)));
    for ((first, second), decision) in order.zip(pairs) {
        body(first, second, *decision);
    }
}

/// Votes of each class, and what its confidence adds.
fn against_rest(shape: Shape, pairs: &[f64], confidences: &mut [f64], out: &mut [f64]) {
    out.fill(0.0);
    for_pairs(pairs, confidences.len(), |first, second, decision| {
        confidences[first] += decision;
        confidences[second] -= decision;
        out[if decision < 0.0 { second } else { first }] += 1.0;
    });
    let largest = confidences.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (out, confidence) in out.iter_mut().zip(confidences) {
        *out += match shape {
            Shape::ClassesScaled if largest == 0.0 => 0.0,
            Shape::ClassesScaled => *confidence * ((0.5 - f64::EPSILON) / largest),
            _ => *confidence / (3.0 * (confidence.abs() + 1.0)),
        };
    }
}

/// Probabilities of all classes from the decisions of their pairs.
fn coupled(pairs: &[f64], sigmoids: &[(f64, f64)], out: &mut [f64], scratch: &mut Scratch) {
    let count = out.len();
    scratch.lend(count * count, |wins, scratch| {
        let mut sigmoids = sigmoids.iter();
        for_pairs(pairs, count, |first, second, decision| {
            if let Some((slope, offset)) = sigmoids.next() {
                let first_wins = sigmoid(decision * slope + offset).clamp(1e-7, 1.0 - 1e-7);
                wins[first * count + second] = first_wins;
                wins[second * count + first] = 1.0 - first_wins;
            }
        });
        scratch.lend(count * count, |matrix, scratch| {
            scratch.lend(count, |products, _| couple(wins, matrix, products, out));
        });
    });
}

/// `1 / (1 + exp(x))`, without the exponential of a large number.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { (-x).exp() / (1.0 + (-x).exp()) } else { 1.0 / (1.0 + x.exp()) }
}

/// Minimises `p' Q p` over probabilities: `Q[t][t]` is the sum of the squares of the others' wins over `t`, `Q[t][j]` is minus the
/// product of the wins of both. Iterates until no component of `Q p` is further than `0.005 / k` from `p' Q p`, at most 100 times
/// (or k, when that is more), so the answer depends on every step.
#[allow(clippy::cast_precision_loss)]
fn couple(wins: &[f64], matrix: &mut [f64], products: &mut [f64], out: &mut [f64]) {
    let count = out.len();
    let at = |row: usize, column: usize| row * count + column;
    for row in 0..count {
        for column in 0..count {
            if row == column {
                let others = (0..count).filter(|&other| other != row);
                matrix[at(row, row)] = others.map(|other| wins[at(other, row)] * wins[at(other, row)]).sum();
            } else {
                matrix[at(row, column)] = -wins[at(column, row)] * wins[at(row, column)];
            }
        }
    }
    let precision = 0.005 / count as f64;
    out.fill(1.0 / count as f64);
    for _ in 0..count.max(100) {
        let mut whole = 0.0;
        for row in 0..count {
            products[row] = dot(&matrix[at(row, 0)..][..count], out);
            whole += out[row] * products[row];
        }
        let error = products.iter().fold(0.0f64, |error, product| error.max((product - whole).abs()));
        if error < precision {
            break;
        }
        for row in 0..count {
            let diagonal = matrix[at(row, row)];
            let step = (whole - products[row]) / diagonal;
            out[row] += step;
            let scale = 1.0 + step;
            whole = (whole + step * (step * diagonal + 2.0 * products[row])) / scale / scale;
            for column in 0..count {
                products[column] = (products[column] + step * matrix[at(row, column)]) / scale;
                out[column] /= scale;
            }
        }
    }
}
