//! Models whose answers are more than a link behind margins: pipelines, blends, and estimators with outputs of their own.

use super::beside::Beside;
use super::boosted::{Boosted, Isolation};
use super::ensemble::Ensemble;
use super::pipeline::Pipeline;

/// Such a model. `exec` holds one part for each.
#[derive(Debug, Clone)]
pub enum Estimator {
    /// Steps that change a row, and a model behind them.
    Pipeline(Pipeline),
    /// Models for one output each.
    Beside(Beside),
    /// Members whose answers are combined.
    Ensemble(Ensemble),
    /// Trees on top of another model's answer.
    Boosted(Boosted),
    /// Trees whose depth is the answer.
    Isolation(Isolation),
}

impl Estimator {
    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.features(),
            Estimator::Beside(beside) => beside.features(),
            Estimator::Ensemble(ensemble) => ensemble.features(),
            Estimator::Boosted(boosted) => boosted.model().body.features(),
            Estimator::Isolation(isolation) => isolation.forest.features(),
        }
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.outputs(),
            Estimator::Beside(beside) => beside.outputs(),
            Estimator::Ensemble(ensemble) => ensemble.outputs(),
            Estimator::Boosted(boosted) => boosted.model().body.outputs(),
            Estimator::Isolation(isolation) => isolation.forest.outputs(),
        }
    }
}
