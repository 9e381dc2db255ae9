//! Gaussian processes: a normal distribution for every row, from its covariances with the training rows.

use super::Classes;
use super::similarity::{Covariance, Likeness, Similarities};
use crate::error::{Error, Result};
use crate::limits;

/// What the process says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Numbers: the mean, times `scale`, plus `shift`, one of each for each output.
    Numbers {
        /// Factor of mean and deviation.
        scale: Vec<f64>,
        /// Added to the mean.
        shift: Vec<f64>,
    },
    /// The second of two classes where the mean is positive.
    Classes(Classes),
}

/// A validated process. With the covariances `k` of a row with the training rows, its mean is `k . weights`, and its variance that
/// of the row itself less the square of `L^-1 (s k)`.
///
/// Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithms 2.1 and 3.2.
#[derive(Debug, Clone)]
pub struct Process {
    kept: Similarities,
    covariance: Covariance,
    weights: Vec<f64>,
    outputs: usize,
    scale: Vec<f64>,
    factor: Vec<f64>,
    answer: Answer,
}

impl Process {
    /// `rows` of shape (count, features), `weights` of shape (outputs, count), `scale` (`s`) of shape (count), and the lower
    /// triangle of `factor` (`L`) of shape (count, count).
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(
        shape: [usize; 2],
        rows: Vec<f64>,
        covariance: Covariance,
        weights: Vec<f64>,
        scale: Vec<f64>,
        factor: Vec<f64>,
        answer: Answer,
    ) -> Result<Self> {
        let kept = Similarities::new(shape, rows, Likeness::Covariance(covariance.clone()))?;
        let count = kept.count();
        let outputs = match &answer {
            Answer::Numbers { scale, shift } if scale.len() != shift.len() => {
                return Err(Error::malformed(format!("{} scales for {} outputs", scale.len(), shift.len())));
            }
            Answer::Numbers { shift, .. } => shift.len(),
            Answer::Classes(classes) if classes.count().is_some_and(|count| count != 2) => {
                return Err(Error::malformed("a process decides between two classes"));
            }
            Answer::Classes(_) => 1,
        };
        limits::check("outputs", outputs, limits::OUTPUTS)?;
        if outputs == 0 || outputs.checked_mul(count) != Some(weights.len()) || scale.len() != count {
            return Err(Error::malformed(format!(
                "{} weights and {} scales for {count} training rows and {outputs} outputs",
                weights.len(),
                scale.len()
            )));
        }
        if count.checked_mul(count) != Some(factor.len()) {
            return Err(Error::malformed(format!("a factor of {} numbers for {count} training rows", factor.len())));
        }
        Ok(Self { kept, covariance, weights, outputs, scale, factor, answer })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.kept.features()
    }

    /// The training rows.
    #[must_use]
    pub fn kept(&self) -> &Similarities {
        &self.kept
    }

    /// The covariance of two rows.
    #[must_use]
    pub fn covariance(&self) -> &Covariance {
        &self.covariance
    }

    /// Weights of one output, one per training row.
    #[must_use]
    pub fn weights(&self, output: usize) -> &[f64] {
        &self.weights[output * self.kept.count()..][..self.kept.count()]
    }

    /// Factors of the covariances before the triangle, one per training row.
    #[must_use]
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// A row of the triangle, up to its diagonal.
    #[must_use]
    pub fn triangle(&self, row: usize) -> &[f64] {
        &self.factor[row * self.kept.count()..][..=row]
    }

    /// What it says.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}
