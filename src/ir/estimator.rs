//! Models whose answers are more than a link behind margins: pipelines, blends, and estimators with outputs of their own.

use super::centroids::Centroids;
use super::classifier::LinearClassifier;
use super::kernel::KernelMachine;
use super::neighbors::Neighbors;
use super::network::Network;
use super::pipeline::Pipeline;

/// Such a model. `exec` holds one part for each.
#[derive(Debug, Clone)]
pub enum Estimator {
    /// Steps that change a row, and a model behind them.
    Pipeline(Pipeline),
    /// A classifier that decides by linear scores.
    LinearClassifier(LinearClassifier),
    /// A support vector machine.
    Kernel(KernelMachine),
    /// A dense network.
    Network(Network),
    /// Nearest neighbours.
    Neighbors(Neighbors),
    /// Nearest centroids.
    Centroids(Centroids),
}

impl Estimator {
    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.features(),
            Estimator::LinearClassifier(classifier) => classifier.scores().features(),
            Estimator::Kernel(machine) => machine.features(),
            Estimator::Network(network) => network.features(),
            Estimator::Neighbors(neighbors) => neighbors.features(),
            Estimator::Centroids(centroids) => centroids.features(),
        }
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.outputs(),
            Estimator::LinearClassifier(classifier) => classifier.outputs(),
            Estimator::Kernel(machine) => machine.outputs(),
            Estimator::Network(network) => network.outputs(),
            Estimator::Neighbors(neighbors) => neighbors.outputs(),
            Estimator::Centroids(centroids) => centroids.outputs(),
        }
    }
}
