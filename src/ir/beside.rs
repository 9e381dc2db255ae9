//! Models that take the same row and whose answers lie side by side: one for each output.

use super::Model;
use crate::error::{Error, Result};
use crate::limits;

/// Models side by side, in the order of the outputs.
#[derive(Debug, Clone)]
pub struct Beside {
    models: Vec<Model>,
    shared_leaves: bool,
}

impl Beside {
    /// Models over rows of the same width. With `shared_leaves` they are the same trees with other values in the leaves, and the
    /// leaves are those of the first.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there are none, or they disagree about the width of a row.
    pub fn new(models: Vec<Model>, shared_leaves: bool) -> Result<Self> {
        limits::check("outputs", models.len(), limits::OUTPUTS)?;
        let features = models.first().ok_or_else(|| Error::malformed("no outputs"))?.body.features();
        if let Some(other) = models.iter().map(|model| model.body.features()).find(|&width| width != features) {
            return Err(Error::malformed(format!("one output takes {features} columns, another {other}")));
        }
        Ok(Self { models, shared_leaves })
    }

    /// The models.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Whether the leaves of the first are those of all.
    #[must_use]
    pub fn shared_leaves(&self) -> bool {
        self.shared_leaves
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.models[0].body.features()
    }

    /// Columns of all answers together.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.models.iter().map(|model| model.body.outputs()).sum()
    }
}
