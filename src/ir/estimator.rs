//! Models whose answers are more than a link behind margins: pipelines, blends, and estimators with outputs of their own.

use super::classifier::LinearClassifier;
use super::pipeline::Pipeline;

/// Such a model. `exec` holds one part for each.
#[derive(Debug, Clone)]
pub enum Estimator {
    /// Steps that change a row, and a model behind them.
    Pipeline(Pipeline),
    /// A classifier that decides by linear scores.
    LinearClassifier(LinearClassifier),
}

impl Estimator {
    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.features(),
            Estimator::LinearClassifier(classifier) => classifier.scores().features(),
        }
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.outputs(),
            Estimator::LinearClassifier(classifier) => classifier.outputs(),
        }
    }
}
