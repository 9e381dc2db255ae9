//! Steps that change a row, and the model behind them.

use super::{Forest, Model};
use crate::error::{Error, Result};

/// A step: from a row to a row.
#[derive(Debug, Clone)]
pub enum Transform {
    /// The columns of these indices, in this order.
    Select {
        /// Columns that come in.
        features: usize,
        /// Columns that go out, each below `features`.
        columns: Vec<usize>,
    },
    /// Numbers of these columns become their place in a list, or NaN where the list does not have them.
    Codes {
        /// Columns that come in and go out.
        features: usize,
        /// Columns, each below `features`, and their lists.
        columns: Vec<(usize, Vec<f64>)>,
    },
    /// A 1 for every leaf that the row reaches, else 0.
    Leaves {
        /// Columns that go out.
        columns: usize,
        /// Trees whose leaves are numbered by their column; a number that is no column is a leaf without one.
        forest: Forest,
    },
}

impl Transform {
    /// Columns that come in.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Transform::Select { features, .. } | Transform::Codes { features, .. } => *features,
            Transform::Leaves { forest, .. } => forest.features(),
        }
    }

    /// Columns that go out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Transform::Select { columns, .. } => columns.len(),
            Transform::Codes { features, .. } => *features,
            Transform::Leaves { columns, .. } => *columns,
        }
    }
}

/// Steps in their order, then a model; without a model the value is the row that the last step gives.
#[derive(Debug, Clone)]
pub struct Pipeline {
    steps: Vec<Transform>,
    last: Option<Box<Model>>,
}

impl Pipeline {
    /// Steps of which each takes what the one before it gives.
    ///
    /// # Errors
    /// `MI_MALFORMED` when two neighbours disagree about the width of a row, or there is nothing in it.
    pub fn new(steps: Vec<Transform>, last: Option<Box<Model>>) -> Result<Self> {
        let mut width = None;
        let parts = steps.iter().map(|step| (step.features(), step.outputs()));
        let model = last.as_ref().map(|model| (model.body.features(), model.body.outputs()));
        for (index, (takes, gives)) in parts.chain(model).enumerate() {
            if let Some(width) = width
                && width != takes
            {
                return Err(Error::malformed(format!("step {index} takes {takes} columns and is given {width}")));
            }
            width = Some(gives);
        }
        if width.is_none() {
            return Err(Error::malformed("an empty pipeline"));
        }
        Ok(Self { steps, last })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match self.steps.first() {
            Some(step) => step.features(),
            None => self.last.as_ref().map_or(0, |model| model.body.features()),
        }
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.last {
            Some(model) => model.body.outputs(),
            None => self.steps.last().map_or(0, Transform::outputs),
        }
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Transform] {
        &self.steps
    }

    /// The model behind them.
    #[must_use]
    pub fn last(&self) -> Option<&Model> {
        self.last.as_deref()
    }
}
