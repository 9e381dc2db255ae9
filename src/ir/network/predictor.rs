//! A network as a model: how a row of numbers becomes its inputs, and which of its outputs is the answer.

use super::{Dim, Network, Shape};
use crate::error::{Error, Result};
use crate::ir::{Classes, Takes};
use crate::limits;
use std::sync::Arc;

/// What the value says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Numbers.
    Values,
    /// The probability of the second of two classes, when it has one number, else of each class.
    Classes(Classes),
    /// The probability of one independent yes for each number.
    Each,
}

/// A validated network with what its numbers mean.
#[derive(Debug, Clone)]
pub struct Predictor {
    network: Arc<Network>,
    value: usize,
    answer: Answer,
    takes: Takes,
}

impl Predictor {
    /// A model whose value is the output of this index.
    ///
    /// A single input of shape (batch, steps, columns) takes sequences, unless it has one column: then it takes rows, as do all others.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such output or the classes do not fit it, `MI_LIMIT_EXCEEDED` for too many numbers.
    pub fn new(network: Arc<Network>, value: usize, answer: Answer) -> Result<Self> {
        let Some(output) = network.outputs().get(value) else {
            return Err(Error::malformed(format!("output {value} of {}", network.outputs().len())));
        };
        let outputs = output.shape.elements();
        limits::check("outputs", outputs, limits::OUTPUTS)?;
        if let Answer::Classes(classes) = &answer
            && let Some(count) = classes.count()
            && count != outputs.max(2)
        {
            return Err(Error::malformed(format!("{count} class labels for {outputs} outputs")));
        }
        let takes = match network.inputs() {
            [only] => sequence(&only.shape),
            _ => Takes::Rows,
        };
        Ok(Self { network, value, answer, takes })
    }

    /// The graph.
    #[must_use]
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Which output of the network is the value.
    #[must_use]
    pub fn value(&self) -> usize {
        self.value
    }

    /// What the value says.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// What a row is.
    #[must_use]
    pub fn takes(&self) -> Takes {
        self.takes
    }

    /// Columns of a row, or of one step of a sequence.
    #[must_use]
    pub fn features(&self) -> usize {
        self.network.row() / self.takes.sequence_length().max(1)
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.network.outputs()[self.value].shape.elements()
    }
}

/// What a row of the only input is.
fn sequence(shape: &Shape) -> Takes {
    match *shape.dims() {
        [Dim::Batch { .. }, Dim::Fixed(_), Dim::Fixed(1)] | [Dim::Fixed(_), Dim::Batch { .. }, Dim::Fixed(1)] => {
            Takes::Columns
        }
        [Dim::Batch { .. }, Dim::Fixed(steps), Dim::Fixed(_)]
        | [Dim::Fixed(steps), Dim::Batch { .. }, Dim::Fixed(_)] => Takes::Steps(steps),
        _ => Takes::Rows,
    }
}
