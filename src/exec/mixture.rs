//! Mixtures of normal distributions, and classifiers that have one for each class.

use super::first_largest;
use super::part::{Part, Scratch, refuse_missing};
use crate::error::Result;
use crate::ir::Output;
use crate::ir::mixture::{Answer, Factor, Mixture, Order, Precisions};

/// A mixture ready to run.
#[derive(Debug)]
pub(super) struct MixturePart {
    mixture: Mixture,
    /// What is the same for every row, where the terms of a square are computed one by one: the mean by the factor, component after
    /// component, or the square of the mean.
    offsets: Vec<f64>,
}

impl MixturePart {
    pub(super) fn new(mixture: &Mixture) -> Self {
        let mut offsets = Vec::new();
        for component in 0..mixture.count() {
            let mean = mixture.mean(component);
            match (mixture.order(), mixture.precisions()) {
                (Order::Centred, _) => {}
                (_, Precisions::Full(factors)) => project(mean, &factors[component], &mut offsets),
                (_, Precisions::Tied(factor)) => project(mean, factor, &mut offsets),
                (_, Precisions::Diagonal(all)) => {
                    let own = &all[component * mean.len()..];
                    offsets.push(mean.iter().zip(own).map(|(m, p)| m * m * p).sum());
                }
                (_, Precisions::Spherical(all)) => {
                    offsets.push(mean.iter().map(|m| m * m).sum::<f64>() * all[component]);
                }
            }
        }
        Self { mixture: mixture.clone(), offsets }
    }

    /// The score of every component.
    fn scores(&self, row: &[f64], out: &mut [f64], scratch: &mut Scratch) {
        match self.mixture.precisions() {
            Precisions::Full(factors) => {
                let mut start = 0;
                for (component, (factor, out)) in factors.iter().zip(&mut *out).enumerate() {
                    *out = self.by_factor(row, component, factor, start, scratch);
                    start += factor.width;
                }
            }
            Precisions::Tied(factor) if self.mixture.order() == Order::Expanded => {
                scratch.lend(factor.width, |projected, _| {
                    multiply(row, factor, projected);
                    for (out, offsets) in out.iter_mut().zip(self.offsets.chunks_exact(factor.width.max(1))) {
                        *out = projected.iter().zip(offsets).map(|(y, offset)| (y - offset) * (y - offset)).sum();
                    }
                });
            }
            Precisions::Tied(factor) => {
                for (component, out) in out.iter_mut().enumerate() {
                    *out = self.by_factor(row, component, factor, 0, scratch);
                }
            }
            Precisions::Diagonal(all) => {
                let own = all.chunks_exact(row.len().max(1));
                for (component, (out, own)) in out.iter_mut().zip(own).enumerate() {
                    *out = self.by_columns(row, component, own.iter().copied());
                }
            }
            Precisions::Spherical(all) => {
                for (component, (out, own)) in out.iter_mut().zip(all).enumerate() {
                    *out = self.by_columns(row, component, std::iter::repeat(*own));
                }
            }
        }
        for (out, constant) in out.iter_mut().zip(self.mixture.constants()) {
            *out = constant - 0.5 * *out;
        }
    }

    fn by_factor(&self, row: &[f64], component: usize, factor: &Factor, start: usize, scratch: &mut Scratch) -> f64 {
        scratch.lend(factor.width, |projected, scratch| match self.mixture.order() {
            Order::Expanded => {
                multiply(row, factor, projected);
                let offsets = &self.offsets[start..];
                projected.iter().zip(offsets).map(|(y, offset)| (y - offset) * (y - offset)).sum()
            }
            Order::Centred => scratch.lend(row.len(), |centred, _| {
                for (out, (x, m)) in centred.iter_mut().zip(row.iter().zip(self.mixture.mean(component))) {
                    *out = x - m;
                }
                multiply(centred, factor, projected);
                projected.iter().map(|y| y * y).sum()
            }),
        })
    }

    fn by_columns(&self, row: &[f64], component: usize, precisions: impl Iterator<Item = f64>) -> f64 {
        let mean = self.mixture.mean(component);
        let terms = row.iter().zip(mean).zip(precisions);
        match self.mixture.order() {
            Order::Centred => terms.map(|((x, m), p)| (x - m) * (x - m) * p).sum(),
            Order::Expanded => {
                let (mut cross, mut squares) = (0.0, 0.0);
                for ((x, m), p) in terms {
                    cross += x * (m * p);
                    squares += x * x * p;
                }
                self.offsets[component] - 2.0 * cross + squares
            }
        }
    }
}

/// Appends a row by a factor.
fn project(row: &[f64], factor: &Factor, out: &mut Vec<f64>) {
    let start = out.len();
    out.resize(start + factor.width, 0.0);
    multiply(row, factor, &mut out[start..]);
}

/// A row by a factor, into zeros.
fn multiply(row: &[f64], factor: &Factor, out: &mut [f64]) {
    for (x, numbers) in row.iter().zip(factor.numbers.chunks_exact(factor.width.max(1))) {
        for (out, number) in out.iter_mut().zip(numbers) {
            *out += x * number;
        }
    }
}

/// `ln(sum(exp(x)))`.
pub(super) fn log_sum_exp(numbers: &[f64]) -> f64 {
    let largest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let largest = if largest.is_finite() { largest } else { 0.0 };
    numbers.iter().map(|x| (x - largest).exp()).sum::<f64>().ln() + largest
}

impl Part for MixturePart {
    fn columns(&self, output: Output) -> Option<usize> {
        let count = self.mixture.count();
        match (output, self.mixture.answer()) {
            (Output::Value, _) => Some(self.mixture.outputs()),
            (Output::Label, _) | (Output::Raw, Answer::Components) => Some(1),
            (Output::Raw, Answer::Classes { difference: true, .. }) if count == 2 => Some(1),
            (Output::Raw | Output::Probability, _) => Some(count),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        scratch.lend(self.mixture.count(), |scores, scratch| {
            self.scores(row, scores, scratch);
            match (output, self.mixture.answer(), &*scores) {
                #[allow(clippy::cast_precision_loss)] // components are far fewer than 2^53
                (Output::Value | Output::Label, Answer::Components, _) => out[0] = first_largest(scores) as f64,
                (Output::Label, Answer::Classes { classes, .. }, _) => out[0] = classes.number(first_largest(scores)),
                (Output::Raw, Answer::Components, _) => out[0] = log_sum_exp(scores),
                (Output::Raw, Answer::Classes { difference: true, .. }, [first, second]) => out[0] = second - first,
                (Output::Raw, ..) => out.copy_from_slice(scores),
                _ => {
                    let sum = log_sum_exp(scores);
                    // The probability of the second of two classes stands alone.
                    let skip = scores.len() - out.len();
                    for (out, score) in out.iter_mut().zip(&scores[skip..]) {
                        *out = (score - sum).exp();
                    }
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_exponentials_keep_their_range() {
        assert!((log_sum_exp(&[1000.0, 1000.0]) - (1000.0 + 2.0f64.ln())).abs() < 1e-12);
        assert!(log_sum_exp(&[f64::NEG_INFINITY; 2]) == f64::NEG_INFINITY);
        assert!(log_sum_exp(&[f64::INFINITY, 0.0]) == f64::INFINITY);
    }
}
