//! What runs an [`Estimator`]: one part per kind, row by row, with working memory that is kept from call to call.

use super::beside::BesidePart;
use super::blend::BlendPart;
use super::boosted::{BoostedPart, IsolationPart};
use super::classifier::LinearClassifierPart;
use super::distribution::DistributionPart;
use super::ensemble::EnsemblePart;
use super::host::{Foreign, ForeignPart, Host};
use super::kernel::KernelPart;
use super::mixture::MixturePart;
use super::neighbors::{CentroidsPart, NeighborsPart};
use super::network::NetworkPart;
use super::pipeline::PipelinePart;
use super::process::ProcessPart;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::ir::{Estimator, Output};
use std::fmt::Debug;
use std::sync::Arc;

/// An estimator ready to run.
pub(super) trait Part: Debug + Send + Sync {
    /// Columns of an answer; `None` when it has no such output.
    fn columns(&self, output: Output) -> Option<usize>;

    /// Who else runs all of it, when nothing is done here.
    fn foreign(&self) -> Option<Arc<dyn Foreign>> {
        None
    }

    /// Predicts one row of the estimator's width into `out`, which has [`Part::columns`] places.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a value that the estimator has no rule for, naming its column.
    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()>;

    /// Whether [`Part::predict_single`] and [`Part::predict_double`] answer.
    fn takes_blocks(&self) -> bool {
        false
    }

    /// Predicts all rows at once, for a part that is faster so or takes sequences; else `None`. `out` is untouched on failure.
    fn predict_single(&self, _: Output, _: Rows<'_, f32>, _: &mut [f64], _: &mut Scratch) -> Option<Result<()>> {
        None
    }

    /// [`Part::predict_single`] for doubles.
    fn predict_double(&self, _: Output, _: Rows<'_, f64>, _: &mut [f64], _: &mut Scratch) -> Option<Result<()>> {
        None
    }
}

/// The part that runs an estimator; `host` opens what is not run here.
///
/// # Errors
/// Those of [`Host::open`].
pub(super) fn part(estimator: &Estimator, host: &dyn Host) -> Result<Box<dyn Part>> {
    Ok(match estimator {
        Estimator::Pipeline(pipeline) => Box::new(PipelinePart::new(pipeline, host)?),
        Estimator::Blend(blend) => Box::new(BlendPart::new(blend, host)?),
        Estimator::Beside(beside) => Box::new(BesidePart::new(beside, host)?),
        Estimator::Ensemble(ensemble) => Box::new(EnsemblePart::new(ensemble, host)?),
        Estimator::Boosted(boosted) => Box::new(BoostedPart::new(boosted, host)?),
        Estimator::Isolation(isolation) => Box::new(IsolationPart::new(isolation)),
        Estimator::LinearClassifier(classifier) => Box::new(LinearClassifierPart::new(classifier)),
        Estimator::Kernel(machine) => Box::new(KernelPart::new(machine)),
        Estimator::Network(network) => match host.network(network)? {
            Some(foreign) => Box::new(ForeignPart(foreign)),
            None => Box::new(NetworkPart::new(network)),
        },
        Estimator::Distribution(distribution) => Box::new(DistributionPart::new(distribution, host)?),
        Estimator::Neighbors(neighbors) => Box::new(NeighborsPart::new(neighbors)),
        Estimator::Centroids(centroids) => Box::new(CentroidsPart::new(centroids)),
        Estimator::Mixture(mixture) => Box::new(MixturePart::new(mixture)),
        Estimator::Process(process) => Box::new(ProcessPart::new(process)),
        Estimator::Graph(graph) => Box::new(ForeignPart(host.open(graph)?)),
    })
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
        let mut numbers = self.take(len);
        let result = body(&mut numbers, self);
        self.give(numbers);
        result
    }

    /// `len` numbers, all 0, which [`Scratch::give`] takes back.
    pub(super) fn take(&mut self, len: usize) -> Vec<f64> {
        let mut numbers = self.free.pop().unwrap_or_default();
        numbers.clear();
        numbers.resize(len, 0.0);
        numbers
    }

    /// Takes numbers back for the next loan.
    pub(super) fn give(&mut self, numbers: Vec<f64>) {
        self.free.push(numbers);
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
