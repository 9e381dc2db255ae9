//! Models whose answers are more than a link behind margins: pipelines, blends, and estimators with outputs of their own.

use super::beside::Beside;
use super::blend::Blend;
use super::boosted::{Boosted, Isolation};
use super::centroids::Centroids;
use super::classifier::LinearClassifier;
use super::distribution::Distribution;
use super::ensemble::Ensemble;
use super::graph::{Graph, Takes};
use super::kernel::KernelMachine;
use super::mixture::Mixture;
use super::neighbors::Neighbors;
use super::network::Predictor;
use super::pipeline::Pipeline;
use super::process::Process;

/// Such a model. `exec` holds one part for each.
#[derive(Debug, Clone)]
pub enum Estimator {
    /// Steps that change a row, and a model behind them.
    Pipeline(Pipeline),
    /// Models made of members.
    Blend(Blend),
    /// Models for one output each.
    Beside(Beside),
    /// Members whose answers are combined.
    Ensemble(Ensemble),
    /// Trees on top of another model's answer.
    Boosted(Boosted),
    /// Trees whose depth is the answer.
    Isolation(Isolation),
    /// A classifier that decides by linear scores.
    LinearClassifier(LinearClassifier),
    /// A support vector machine.
    Kernel(KernelMachine),
    /// A network.
    Network(Predictor),
    /// A distribution over margins that are its inner parameters.
    Distribution(Distribution),
    /// Nearest neighbours.
    Neighbors(Neighbors),
    /// Nearest centroids.
    Centroids(Centroids),
    /// Normal distributions.
    Mixture(Mixture),
    /// A Gaussian process.
    Process(Process),
    /// A graph for a foreign runtime.
    Graph(Graph),
}

impl Estimator {
    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.features(),
            Estimator::Beside(beside) => beside.features(),
            Estimator::Blend(blend) => blend.features(),
            Estimator::Ensemble(ensemble) => ensemble.features(),
            Estimator::Boosted(boosted) => boosted.model().body.features(),
            Estimator::Isolation(isolation) => isolation.forest.features(),
            Estimator::LinearClassifier(classifier) => classifier.scores().features(),
            Estimator::Kernel(machine) => machine.features(),
            Estimator::Network(network) => network.features(),
            Estimator::Distribution(distribution) => distribution.model().body.features(),
            Estimator::Neighbors(neighbors) => neighbors.features(),
            Estimator::Centroids(centroids) => centroids.features(),
            Estimator::Mixture(mixture) => mixture.features(),
            Estimator::Process(process) => process.features(),
            Estimator::Graph(graph) => graph.features(),
        }
    }

    /// Columns of a value; 0 where only a run of a foreign graph can tell.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.outputs(),
            Estimator::Beside(beside) => beside.outputs(),
            Estimator::Blend(blend) => blend.outputs(),
            Estimator::Ensemble(ensemble) => ensemble.outputs(),
            Estimator::Boosted(boosted) => boosted.model().body.outputs(),
            Estimator::Isolation(isolation) => isolation.forest.outputs(),
            Estimator::LinearClassifier(classifier) => classifier.outputs(),
            Estimator::Kernel(machine) => machine.outputs(),
            Estimator::Network(network) => network.outputs(),
            Estimator::Distribution(distribution) => distribution.family().outputs(),
            Estimator::Neighbors(neighbors) => neighbors.outputs(),
            Estimator::Centroids(centroids) => centroids.outputs(),
            Estimator::Mixture(mixture) => mixture.outputs(),
            Estimator::Process(process) => process.outputs(),
            Estimator::Graph(graph) => graph.outputs().unwrap_or(0),
        }
    }

    /// What a row is.
    #[must_use]
    pub fn takes(&self) -> Takes {
        match self {
            Estimator::Graph(graph) => graph.parts().takes,
            Estimator::Network(network) => network.takes(),
            Estimator::Pipeline(pipeline) => pipeline.last().map_or(Takes::Rows, |last| last.body.takes()),
            _ => Takes::Rows,
        }
    }
}
