//! Filling in what is missing by models of each column, which are asked in turn, round after round.

use super::Model;
use super::pipeline::Transform;
use crate::error::{Error, Result};
use crate::limits;
use std::sync::Arc;

/// One question: what a column is, given others.
#[derive(Debug, Clone)]
pub struct Question {
    /// The column.
    pub column: usize,
    /// The columns that the model takes, in its order.
    pub neighbours: Vec<usize>,
    /// The model.
    pub model: Arc<Model>,
    /// The least answer, and the largest.
    pub bounds: (f64, f64),
}

/// A first filling, and questions that refine it.
#[derive(Debug, Clone)]
pub struct Refine {
    first: Transform,
    columns: Vec<usize>,
    missing: f64,
    questions: Vec<Question>,
}

impl Refine {
    /// `columns` are those of a row that `first` gives on; where they are `missing` (NaN stands for any NaN), the questions are
    /// asked, in their order.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the parts do not fit each other.
    pub fn new(first: Transform, columns: Vec<usize>, missing: f64, questions: Vec<Question>) -> Result<Self> {
        let width = first.outputs();
        if columns.len() != width || columns.iter().any(|&column| column >= first.features()) {
            return Err(Error::malformed(format!("{} columns are refined of {width} that are filled", columns.len())));
        }
        let mut asked = 0usize;
        for Question { column, neighbours, model, bounds: (low, high) } in &questions {
            let fits = *column < width
                && neighbours.iter().all(|&neighbour| neighbour < width)
                && model.body.features() == neighbours.len()
                && model.body.outputs() == 1;
            if !fits {
                return Err(Error::malformed(format!("a model that does not fit column {column} of {width}")));
            }
            if low.is_nan() || high.is_nan() || low > high {
                return Err(Error::malformed(format!("there is nothing between {low} and {high}")));
            }
            asked = asked.saturating_add(neighbours.len());
        }
        limits::check("columns of all questions", asked, limits::ASKED)?;
        Ok(Self { first, columns, missing, questions })
    }

    /// The first filling.
    #[must_use]
    pub fn first(&self) -> &Transform {
        &self.first
    }

    /// The columns of a row that come out.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The number that is filled.
    #[must_use]
    pub fn missing(&self) -> f64 {
        self.missing
    }

    /// The questions, in their order.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }
}
