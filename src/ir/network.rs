//! Dense networks: layers that each multiply by a matrix, add a bias and apply a function.

use super::Classes;
use crate::error::{Error, Result};
use crate::limits;

/// The function behind a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x`.
    Identity,
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// `tanh(x)`.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `exp(x)`.
    Exp,
    /// `exp(x - max) / sum`, over the layer.
    Softmax,
}

/// One layer.
#[derive(Debug, Clone)]
pub struct Layer {
    inputs: usize,
    weights: Vec<f64>,
    bias: Vec<f64>,
    activation: Activation,
}

impl Layer {
    /// A layer with `weights` of shape (inputs, outputs) in row-major order and one number of `bias` per output.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(inputs: usize, weights: Vec<f64>, bias: Vec<f64>, activation: Activation) -> Result<Self> {
        limits::check("inputs of a layer", inputs, limits::FEATURES)?;
        limits::check("outputs of a layer", bias.len(), limits::FEATURES)?;
        if bias.is_empty() || inputs.checked_mul(bias.len()) != Some(weights.len()) {
            return Err(Error::malformed(format!(
                "{} weights for {inputs} inputs and {} outputs",
                weights.len(),
                bias.len()
            )));
        }
        Ok(Self { inputs, weights, bias, activation })
    }

    /// Numbers that come in.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers that go out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Weights of one input, one per output.
    #[must_use]
    pub fn weights(&self, input: usize) -> &[f64] {
        &self.weights[input * self.bias.len()..][..self.bias.len()]
    }

    /// The bias, one number per output.
    #[must_use]
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// The function behind it.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }
}

/// What the last layer says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Numbers.
    Values,
    /// The probability of the second of two classes, when it has one output, else of each class.
    Classes(Classes),
    /// The probability of one independent yes per output.
    Each,
}

/// A validated chain of layers.
#[derive(Debug, Clone)]
pub struct Network {
    layers: Vec<Layer>,
    answer: Answer,
}

impl Network {
    /// A network of at least one layer.
    ///
    /// # Errors
    /// `MI_MALFORMED` when neighbours disagree about their width or the last layer does not fit the classes.
    pub fn new(layers: Vec<Layer>, answer: Answer) -> Result<Self> {
        let Some(last) = layers.last() else {
            return Err(Error::malformed("a network without layers"));
        };
        limits::check("outputs", last.outputs(), limits::OUTPUTS)?;
        for (index, pair) in layers.windows(2).enumerate() {
            if pair[0].outputs() != pair[1].inputs() {
                return Err(Error::malformed(format!(
                    "layer {index} gives {} numbers, the next one takes {}",
                    pair[0].outputs(),
                    pair[1].inputs()
                )));
            }
        }
        if let Answer::Classes(classes) = &answer {
            let expected = last.outputs().max(2);
            if let Some(count) = classes.count()
                && count != expected
            {
                return Err(Error::malformed(format!("{count} class labels for {} outputs", last.outputs())));
            }
        }
        Ok(Self { layers, answer })
    }

    /// The layers, first to last.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// What the last layer says.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    /// Columns of a value.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }

    /// The widest layer.
    #[must_use]
    pub fn widest(&self) -> usize {
        self.layers.iter().map(Layer::outputs).max().unwrap_or(0)
    }
}
