//! What runs an [`Estimator`]: one part per kind, row by row, with working memory that is kept from call to call.

use super::beside::BesidePart;
use super::blend::BlendPart;
use super::boosted::{BoostedPart, IsolationPart};
use super::classifier::LinearClassifierPart;
use super::dense::NetworkPart;
use super::distribution::DistributionPart;
use super::ensemble::EnsemblePart;
use super::kernel::KernelPart;
use super::mixture::MixturePart;
use super::neighbors::{CentroidsPart, NeighborsPart};
use super::pipeline::PipelinePart;
use super::process::ProcessPart;
use crate::error::{Error, Result};
use crate::ir::{Estimator, Output};
use std::fmt::Debug;

/// An estimator ready to run.
pub(super) trait Part: Debug + Send + Sync {
    /// Columns of an answer; `None` when it has no such output.
    fn columns(&self, output: Output) -> Option<usize>;

    /// Predicts one row of the estimator's width into `out`, which has [`Part::columns`] places.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a value that the estimator has no rule for, naming its column.
    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()>;
}

/// The part that runs an estimator.
pub(super) fn part(estimator: &Estimator) -> Box<dyn Part> {
    match estimator {
        Estimator::Pipeline(pipeline) => Box::new(PipelinePart::new(pipeline)),
        Estimator::Blend(blend) => Box::new(BlendPart::new(blend)),
        Estimator::Beside(beside) => Box::new(BesidePart::new(beside)),
        Estimator::Ensemble(ensemble) => Box::new(EnsemblePart::new(ensemble)),
        Estimator::Boosted(boosted) => Box::new(BoostedPart::new(boosted)),
        Estimator::Isolation(isolation) => Box::new(IsolationPart::new(isolation)),
        Estimator::LinearClassifier(classifier) => Box::new(LinearClassifierPart::new(classifier)),
        Estimator::Kernel(machine) => Box::new(KernelPart::new(machine)),
        Estimator::Network(network) => Box::new(NetworkPart::new(network)),
        Estimator::Distribution(distribution) => Box::new(DistributionPart::new(distribution)),
        Estimator::Neighbors(neighbors) => Box::new(NeighborsPart::new(neighbors)),
        Estimator::Centroids(centroids) => Box::new(CentroidsPart::new(centroids)),
        Estimator::Mixture(mixture) => Box::new(MixturePart::new(mixture)),
        Estimator::Process(process) => Box::new(ProcessPart::new(process)),
    }
}

/// Refuses a NaN, for an estimator that has no rule for it.
///
/// # Errors
/// `MI_INVALID_ARGUMENT`, naming the column.
pub(super) fn refuse_missing(row: &[f64]) -> Result<()> {
    refuse_missing_among(row, 0..row.len())
}

/// Refuses a NaN in one of these columns.
///
/// # Errors
/// `MI_INVALID_ARGUMENT`, naming the column.
pub(super) fn refuse_missing_among(row: &[f64], columns: impl IntoIterator<Item = usize>) -> Result<()> {
    match columns.into_iter().find(|&column| row[column].is_nan()) {
        Some(column) => Err(Error::invalid(format!(
            "column {column} is NaN, and this model has no rule for missing values; fill it first"
        ))),
        None => Ok(()),
    }
}

/// Working memory: vectors that are borrowed and given back in the order of a stack, so that warm calls find them large enough.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    free: Vec<Vec<f64>>,
}

impl Scratch {
    /// None yet; grows with the first calls.
    pub(super) const fn new() -> Self {
        Self { free: Vec::new() }
    }

    /// Lends `len` numbers, all 0, to `body`.
    pub(super) fn lend<T>(&mut self, len: usize, body: impl FnOnce(&mut [f64], &mut Scratch) -> T) -> T {
        let mut numbers = self.free.pop().unwrap_or_default();
        numbers.clear();
        numbers.resize(len, 0.0);
        let result = body(&mut numbers, self);
        self.free.push(numbers);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_loans_do_not_meet() {
        let mut scratch = Scratch::new();
        for _ in 0..2 {
            scratch.lend(3, |outer, scratch| {
                outer.fill(1.0);
                scratch.lend(5, |inner, _| {
                    assert_eq!(inner, [0.0; 5]);
                    inner.fill(2.0);
                });
                assert_eq!(outer, [1.0; 3]);
            });
        }
        assert_eq!(scratch.free.len(), 2);
    }
}
