//! Which layout suits a forest, estimated from its shape.

use super::heap;
use super::lowered::Lowered;
use super::processor::Processor;
use super::ranks;
use super::shape::Shape;
use super::walk;
use super::weave;
use serde_json::{Value, json};

/// Leaves of the trees that a chunk of nodes holds whole.
const SLOTS: usize = 64;

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
pub enum Method {
    /// A dozen walks at once.
    Interleaved,
    /// Trees of few levels, all ways equally long.
    Heap,
    /// All nodes of a chunk at once, then pointer jumping.
    Jump,
    /// Symmetric trees, level by level.
    Levels,
    /// Small trees, by the leaves that every column leaves possible.
    Sieve,
}

/// What a caller decides; the rest is estimated.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The instructions that may be used.
    pub processor: Processor,
    /// The codes, where they fit.
    pub codes: Option<Codes>,
    /// The method, where it fits.
    pub method: Option<Method>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { processor: Processor::here(), codes: None, method: None }
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
    pub method: Method,
    /// Whether the caller decided on the method.
    fixed: bool,
    /// The narrowest codes that are there.
    fitting: Codes,
    shape: Shape,
}

impl Choice {
    /// Estimates what is fastest.
    #[allow(clippy::cast_precision_loss)] // estimates
    pub fn new(shape: Shape, setup: Setup) -> Self {
        let fitting = match shape.codes {
            ..=ranks::BYTES => Codes::Bytes,
            few if few <= ranks::WORDS => Codes::Words,
            _ => Codes::Keys,
        };
        // Looking a number up in a table costs about as much as a few steps of a walk, which are then cheaper by a part.
        let worth = shape.steps > 8.0 * shape.columns as f64 || shape.conditions > 0;
        let codes = setup.codes.unwrap_or(if worth { fitting } else { Codes::Keys });
        let method = match codes {
            Codes::Bytes if shape.symmetric => Method::Levels,
            // Some steps through a tree read less memory than two of its chunks.
            Codes::Bytes if shape.leaves > SLOTS && shape.depth < 10.0 => Method::Interleaved,
            Codes::Bytes if setup.processor == Processor::Vbmi => Method::Jump,
            // Halves of codes take two look-ups, which is too much where each of them is several.
            Codes::Words if setup.processor == Processor::Vbmi && shape.slots() <= 128 => Method::Jump,
            _ => Method::Interleaved,
        };
        Self {
            processor: setup.processor,
            codes,
            method: setup.method.unwrap_or(method),
            fixed: setup.method.is_some(),
            fitting: setup.codes.unwrap_or(fitting),
            shape,
        }
    }

    /// Whether heaps are to be tried: where they are asked for, or instead of walks.
    pub fn heap(&self) -> bool {
        self.method == Method::Heap || !self.fixed && self.method == Method::Interleaved
    }

    /// The codes with which a sieve is to be tried: where it is asked for, or instead of walks or heaps and cheaper.
    #[allow(clippy::cast_precision_loss)] // estimates
    pub fn sieve(&self, lowered: &Lowered<'_>) -> Option<Codes> {
        // Instructions of a number's code.
        const CODE: f64 = 20.0;
        if self.fixed {
            return (self.method == Method::Sieve).then_some(self.codes);
        }
        let codes = if self.codes == Codes::Keys { self.fitting } else { self.codes };
        // Keys would not be looked up.
        let more = if self.codes == Codes::Keys { CODE * self.shape.columns as f64 } else { 0.0 };
        let others = || walk::cost(lowered).min(heap::cost(lowered).unwrap_or(f64::INFINITY));
        let cheaper = || weave::cost(lowered).is_some_and(|cost| cost + more < others());
        (self.method == Method::Interleaved && cheaper()).then_some(codes)
    }

    /// Whether so many rows take much longer than waking a thread up.
    #[allow(clippy::cast_precision_loss)]
    pub fn worth(&self, rows: usize) -> bool {
        // Nanoseconds, if anything too few.
        const WAKING: f64 = 100e3;
        rows as f64 * (self.shape.steps / 10.0 + self.shape.columns as f64) > WAKING
    }

    /// The rows from which on vectors of labels are faster; `None` where they are not for this forest.
    pub fn batch_from(&self) -> Option<usize> {
        // A vector of labels takes as long for few rows as for all that it has room for.
        let from = match self.processor {
            Processor::Vbmi => 24,
            Processor::Avx512 | Processor::Avx2 => 16,
            Processor::Portable => 48,
        };
        (self.shape.leaves <= 256 && self.shape.codes <= ranks::BYTES).then_some(from)
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
            "kernel": match self.method {
                Method::Interleaved => "interleaved",
                Method::Heap => "heap",
                Method::Jump => "jump",
                Method::Levels => "levels",
                Method::Sieve => "sieve",
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
