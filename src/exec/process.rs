//! Gaussian processes.

use super::kernel::dot;
use super::part::{Part, Scratch, refuse_missing};
use super::similarity::{similarities, variance};
use crate::error::Result;
use crate::ir::Output;
use crate::ir::process::{Answer, Process};
use std::f64::consts::PI;

/// A sigmoid as a sum of error functions: `sum(c / 2 * (erf(l * x) + 1))`.
///
/// Williams and Barber, Bayesian Classification with Gaussian Processes, appendix A.
const SIGMOID: [(f64, f64); 5] = [
    (0.41, -1_854.821_415_1),
    (0.4, 3_516.898_936_46),
    (0.37, 221.293_467_12),
    (0.44, 128.123_238_05),
    (0.39, -2_010.494_226_54),
];

/// A process ready to run.
#[derive(Debug)]
pub(super) struct ProcessPart(Process);

impl ProcessPart {
    pub(super) fn new(process: &Process) -> Self {
        Self(process.clone())
    }

    /// What is left of the variance of a row, from its covariances with the training rows, which are used up.
    fn variance(&self, row: &[f64], covariances: &mut [f64]) -> f64 {
        for (covariance, scale) in covariances.iter_mut().zip(self.0.scale()) {
            *covariance *= scale;
        }
        let mut known = 0.0;
        for index in 0..covariances.len() {
            let (solved, rest) = covariances.split_at_mut(index);
            if let ([before @ .., diagonal], [covariance, ..]) = (self.0.triangle(index), rest) {
                *covariance = (*covariance - dot(before, solved)) / diagonal;
                known += *covariance * *covariance;
            }
        }
        variance(self.0.covariance(), row) - known
    }

    /// The probability of the second class: the mean of a sigmoid over a normal distribution.
    fn probability(mean: f64, variance: f64) -> f64 {
        let alpha = 1.0 / (2.0 * variance);
        let integral = |lambda: f64| {
            (PI / alpha).sqrt() * libm::erf(lambda * mean * (alpha / (alpha + lambda * lambda)).sqrt())
                / (2.0 * (variance * 2.0 * PI).sqrt())
        };
        let sum: f64 = SIGMOID.iter().map(|(lambda, coefficient)| coefficient * integral(*lambda)).sum();
        sum + 0.5 * SIGMOID.iter().map(|(_, coefficient)| coefficient).sum::<f64>()
    }
}

impl Part for ProcessPart {
    fn columns(&self, output: Output) -> Option<usize> {
        match (output, self.0.answer()) {
            (Output::Value | Output::Raw, _) => Some(self.0.outputs()),
            (Output::Distribution, Answer::Numbers { .. }) => Some(2 * self.0.outputs()),
            (Output::Probability, Answer::Classes(_)) => Some(2),
            (Output::Label, Answer::Classes(_)) => Some(1),
            _ => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        refuse_missing(row)?;
        scratch.lend(self.0.kept().count(), |covariances, _| {
            similarities(self.0.kept(), row, covariances);
            match self.0.answer() {
                Answer::Numbers { scale, shift } => {
                    for (index, (scale, shift)) in scale.iter().zip(shift).enumerate() {
                        out[index] = scale * dot(covariances, self.0.weights(index)) + shift;
                    }
                    if output == Output::Distribution {
                        let variance = self.variance(row, covariances).max(0.0);
                        for (out, scale) in out[scale.len()..].iter_mut().zip(scale) {
                            *out = (variance * (scale * scale)).sqrt();
                        }
                    }
                }
                Answer::Classes(classes) => {
                    let mean = dot(covariances, self.0.weights(0));
                    match output {
                        Output::Raw => out[0] = mean,
                        Output::Label => out[0] = classes.number(usize::from(mean > 0.0)),
                        _ => {
                            let second = Self::probability(mean, self.variance(row, covariances));
                            if let [first, other] = out {
                                (*first, *other) = (1.0 - second, second);
                            } else {
                                out[0] = second;
                            }
                        }
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
    fn the_sum_of_error_functions_is_a_sigmoid() {
        for x in [-3.0, -0.5, 0.0, 1.0, 4.0] {
            let sigmoid = 1.0 / (1.0 + f64::exp(-x));
            assert!((ProcessPart::probability(x, 1e-9) - sigmoid).abs() < 1e-3, "{x}");
        }
    }
}
