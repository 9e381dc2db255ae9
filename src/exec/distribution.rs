//! Distributions behind a model of their inner parameters.
//!
//! Sources: `NGBoost` `ngboost/distns/*.py`; means are those of `scipy.stats`: `mean * scale + loc`, NaN for a scale or a shape
//! that is not positive.

use super::part::{Part, Scratch};
use super::{Host, Program, first_largest, link};
use crate::error::Result;
use crate::ir::distribution::{Distribution, Family};
use crate::ir::{Link, Output, Precision};
use std::f64::consts::FRAC_2_PI;

/// A distribution ready to run.
#[derive(Debug)]
pub(super) struct DistributionPart {
    family: Family,
    program: Program,
}

impl DistributionPart {
    pub(super) fn new(distribution: &Distribution, host: &dyn Host) -> Result<Self> {
        Ok(Self { family: distribution.family(), program: Program::new(distribution.model(), host)? })
    }
}

impl Part for DistributionPart {
    fn columns(&self, output: Output) -> Option<usize> {
        let classes = self.family.classes();
        match output {
            Output::Value => Some(self.family.outputs()),
            Output::Raw => Some(self.family.inner()),
            Output::Distribution => Some(self.family.columns()),
            Output::Probability => classes,
            Output::Label => classes.map(|_| 1),
            Output::Leaf => self.program.columns(Output::Leaf).ok(),
            Output::Contribution => None,
        }
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
        if matches!(output, Output::Raw | Output::Leaf) {
            return self.program.predict_row(output, row, out, scratch);
        }
        scratch.lend(self.family.inner(), |inner, scratch| {
            self.program.predict_row(Output::Raw, row, inner, scratch)?;
            match (output, self.family) {
                (Output::Value, Family::Categorical(2)) => {
                    let mut shares = [0.0; 2];
                    parameters(self.family, inner, &mut shares, scratch);
                    out[0] = shares[1];
                }
                (Output::Label, Family::Categorical(classes)) => scratch.lend(classes, |shares, scratch| {
                    parameters(self.family, inner, shares, scratch);
                    #[allow(clippy::cast_precision_loss)] // a number of classes
                    let class = first_largest(shares) as f64;
                    out[0] = class;
                }),
                (Output::Value, Family::MultivariateNormal(size)) => out.copy_from_slice(&inner[..size]),
                (Output::Value, family) if family.classes().is_none() => out[0] = mean(family, inner),
                _ => parameters(self.family, inner, out, scratch),
            }
            Ok(())
        })
    }
}

/// The parameters that the library lists.
fn parameters(family: Family, inner: &[f64], out: &mut [f64], scratch: &mut Scratch) {
    match family {
        Family::Normal | Family::Laplace | Family::StudentT | Family::StudentTFixed(_) => {
            out.copy_from_slice(&[inner[0], inner[1].exp()]);
        }
        Family::NormalFixedVariance | Family::StudentTFixedScale(_) => out.copy_from_slice(&[inner[0], 1.0]),
        Family::NormalFixedMean | Family::HalfNormal => out.copy_from_slice(&[0.0, inner[0].exp()]),
        Family::LogNormal => out.copy_from_slice(&[inner[1].exp(), inner[0].exp()]),
        Family::Exponential | Family::Poisson => out[0] = inner[0].exp(),
        Family::Gamma | Family::Weibull => out.copy_from_slice(&[inner[0].exp(), inner[1].exp()]),
        Family::MultivariateNormal(size) => covariance(size, inner, out, scratch),
        Family::Categorical(_) => {
            out[0] = 0.0;
            out[1..].copy_from_slice(inner);
            link::apply(Link::Softmax, Precision::F64, out);
        }
    }
}

/// The mean of a distribution of one number.
fn mean(family: Family, inner: &[f64]) -> f64 {
    let moved = |mean: f64, loc: f64, scale: f64| if scale > 0.0 { mean * scale + loc } else { f64::NAN };
    let positive = |shape: f64, mean: f64| if shape > 0.0 { mean } else { f64::NAN };
    // Student's t has no mean with one degree of freedom or less.
    let student = |freedom: f64| positive(freedom, if freedom > 1.0 { 0.0 } else { f64::INFINITY });
    match family {
        Family::Normal | Family::Laplace => moved(0.0, inner[0], inner[1].exp()),
        Family::NormalFixedVariance => inner[0],
        Family::NormalFixedMean => moved(0.0, 0.0, inner[0].exp()),
        Family::LogNormal => {
            let s = inner[1].exp();
            moved(positive(s, (s * s).exp().sqrt()), 0.0, inner[0].exp())
        }
        Family::Exponential => moved(1.0, 0.0, inner[0].exp()),
        Family::Poisson => inner[0].exp(),
        Family::StudentT => moved(student(inner[2].exp()), inner[0], inner[1].exp()),
        Family::StudentTFixed(freedom) => moved(student(freedom), inner[0], inner[1].exp()),
        Family::StudentTFixedScale(freedom) => moved(student(freedom), inner[0], 1.0),
        Family::Gamma => {
            let alpha = inner[0].exp();
            moved(positive(alpha, alpha), 0.0, 1.0 / inner[1].exp())
        }
        Family::HalfNormal => moved(FRAC_2_PI.sqrt(), 0.0, inner[0].exp()),
        Family::Weibull => {
            let shape = inner[0].exp();
            moved(positive(shape, libm::tgamma(1.0 + 1.0 / shape)), 0.0, inner[1].exp())
        }
        // These have values of their own.
        Family::MultivariateNormal(_) | Family::Categorical(_) => inner[0],
    }
}

/// Means, then the inverse of `L L'` row by row. The diagonal of L is kept away from 0, as the library does.
fn covariance(size: usize, inner: &[f64], out: &mut [f64], scratch: &mut Scratch) {
    let (means, triangle) = inner.split_at(size);
    let (out_means, out) = out.split_at_mut(size);
    out_means.copy_from_slice(means);
    let factor = |row: usize, column: usize| {
        let number = triangle[row * (row + 1) / 2 + column];
        if row == column { number.exp() + 1e-6 } else { number }
    };
    scratch.lend(size * size, |inverse, _| {
        // Column by column, from the diagonal down, so that L times the column is a column of the unit matrix.
        for column in 0..size {
            for row in column..size {
                let known: f64 = (column..row).map(|at| factor(row, at) * inverse[at * size + column]).sum();
                let unit = if row == column { 1.0 } else { 0.0 };
                inverse[row * size + column] = (unit - known) / factor(row, row);
            }
        }
        for (place, out) in out.iter_mut().enumerate() {
            let (row, column) = (place / size, place % size);
            *out = (row.max(column)..size).map(|at| inverse[at * size + row] * inverse[at * size + column]).sum();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_covariance_is_the_inverse_of_its_precision() {
        let (mut out, mut scratch) = ([0.0; 6], Scratch::new());
        let diagonal = |number: f64| (number - 1e-6).ln();
        covariance(2, &[7.0, 8.0, diagonal(2.0), 1.0, diagonal(0.5)], &mut out, &mut scratch);
        // L = [[2, 0], [1, 0.5]], L L' = [[4, 2], [2, 1.25]], whose inverse is [[1.25, -2], [-2, 4]].
        for (found, expected) in out.iter().zip([7.0, 8.0, 1.25, -2.0, -2.0, 4.0]) {
            assert!((found - expected).abs() < 1e-12, "{out:?}");
        }
    }
}
