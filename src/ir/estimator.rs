//! Models whose answers are more than a link behind margins: pipelines, blends, and estimators with outputs of their own.

use super::pipeline::Pipeline;

/// Such a model. `exec` holds one part for each.
#[derive(Debug, Clone)]
pub enum Estimator {
    /// Steps that change a row, and a model behind them.
    Pipeline(Pipeline),
}

impl Estimator {
    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.features(),
        }
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Estimator::Pipeline(pipeline) => pipeline.outputs(),
        }
    }
}
