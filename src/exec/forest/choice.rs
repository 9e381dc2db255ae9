//! Which layout suits a forest, estimated from its shape.

use super::processor::Processor;
use super::ranks::{BYTE_BOUNDS, WORD_BOUNDS};
use super::shape::Shape;
use serde_json::{Value, json};

/// How the features of a row become what the nodes compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Places among the thresholds of a column, in 8 bits.
    Bytes,
    /// The same in 16 bits.
    Words,
    /// The numbers themselves, as integers of the same order.
    Keys,
}

/// What finds the leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// A dozen walks at once.
    Interleaved,
}

/// What a caller decides; the rest is estimated.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The instructions that may be used.
    pub processor: Processor,
    /// The codes, where they fit.
    pub codes: Option<Codes>,
    /// The kernel, where it fits.
    pub kernel: Option<Kernel>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { processor: Processor::here(), codes: None, kernel: None }
    }
}

/// What was chosen for a forest.
#[derive(Debug)]
pub struct Choice {
    /// The instructions that are used.
    pub processor: Processor,
    /// What the nodes compare.
    pub codes: Codes,
    /// What finds the leaves.
    pub kernel: Kernel,
    shape: Shape,
}

impl Choice {
    /// Estimates what is fastest.
    pub fn new(shape: Shape, setup: Setup) -> Self {
        let fitting = match shape.thresholds {
            ..=BYTE_BOUNDS => Codes::Bytes,
            few if few <= WORD_BOUNDS => Codes::Words,
            _ => Codes::Keys,
        };
        // Looking a number up in a table costs about as much as a few steps of a walk, which are then cheaper by a part.
        #[allow(clippy::cast_precision_loss)]
        let worth = shape.steps > 8.0 * shape.columns as f64 || shape.conditions > 0;
        let codes = if worth { fitting } else { Codes::Keys };
        Self {
            processor: setup.processor,
            codes: setup.codes.unwrap_or(codes),
            kernel: setup.kernel.unwrap_or(Kernel::Interleaved),
            shape,
        }
    }

    /// The choice and what it rests on.
    pub fn describe(&self) -> Value {
        let shape = &self.shape;
        json!({
            "processor": self.processor.name(),
            "codes": match self.codes {
                Codes::Bytes => "8 bits",
                Codes::Words => "16 bits",
                Codes::Keys => "none",
            },
            "kernel": match self.kernel {
                Kernel::Interleaved => "interleaved",
            },
            "columns": shape.columns,
            "thresholds": shape.bounds,
            "most_thresholds": shape.thresholds,
            "conditions": shape.conditions,
            "largest_tree": shape.leaves,
            "mean_steps": (shape.steps * 10.0).round() / 10.0,
        })
    }
}
