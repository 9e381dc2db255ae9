//! Which layout suits a forest, estimated from its shape.

use super::entry::{Broad, Entry, Small};
use super::heap;
use super::lowered::{Lowered, Number};
use super::processor::Processor;
use super::ranks;
use super::shape::Shape;
#[cfg(target_arch = "x86_64")]
use super::tiers;
use super::walk;
use super::weave;
use serde_json::{Value, json};

/// Leaves of the trees that a chunk of nodes holds whole.
const SLOTS: usize = 64;
/// Trees that may begin in a chunk.
const ROOTS: usize = 8;
/// Instructions of a number's code, where keys would do without.
const CODE: f64 = 20.0;

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
    /// Trees of few levels side by side, tier by tier.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    Tiers,
    /// Small trees, by the leaves that every column leaves possible.
    Sieve,
}

impl Method {
    /// Its name in a model's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interleaved => "interleaved",
            Self::Heap => "heap",
            Self::Jump => "jump",
            Self::Levels => "levels",
            Self::Tiers => "tiers",
            Self::Sieve => "sieve",
        }
    }
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
    /// Whether to take the ways that suit Intel's processors, see [`Processor::intel`].
    pub intel: Option<bool>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { processor: Processor::here(), codes: None, method: None, intel: None }
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
    /// See [`Setup::intel`].
    pub intel: bool,
    /// Whether the caller decided on the method.
    fixed: bool,
    /// The narrowest codes that are there.
    fitting: Codes,
    shape: Shape,
}

/// Whether so many columns are worth looking up: that costs about as much as a few steps of a walk, which are then cheaper by a part, and
/// less than one where registers decide all nodes of a chunk or a level of many trees.
#[allow(clippy::cast_precision_loss)] // estimates
fn worth(shape: &Shape, columns: usize, processor: Processor) -> bool {
    let at_once = match processor {
        Processor::Portable => false,
        Processor::Vbmi => shape.symmetric || shape.leaves <= SLOTS,
        Processor::Avx2 | Processor::Avx512 => shape.symmetric,
    };
    let steps = if at_once { 2.0 } else { 8.0 };
    shape.steps > steps * columns as f64 || shape.conditions > 0
}

/// Whether columns with more thresholds than a byte tells apart are to become several for one row: where bytes were asked for, or make the
/// steps cheaper by more than the codes cost that there are more of.
#[allow(clippy::cast_precision_loss)] // estimates
fn splits(shape: &Shape, lowered: &Lowered<'_>, setup: Setup) -> bool {
    /// Instructions that a step takes less.
    const NARROW: f64 = 0.5;
    if shape.codes <= ranks::BYTES || setup.codes.is_some() {
        return setup.codes == Some(Codes::Bytes);
    }
    let spans = |number: &Number| number.spans(ranks::BYTES);
    let count: usize = lowered.numbers.iter().map(spans).sum();
    let both: usize = lowered.numbers.iter().filter(|number| number.both()).map(spans).sum();
    let slots = 1 + count + both + shape.presences + shape.conditions;
    let fits = slots <= Small::SLOTS && shape.leaves <= Small::LEAVES || shape.leaves <= Broad::LEAVES;
    fits && worth(shape, count, setup.processor) && (count - shape.columns) as f64 * CODE < shape.steps * NARROW
}

impl Choice {
    /// Estimates what is fastest, and splits columns where that is so.
    #[allow(clippy::cast_precision_loss)] // estimates
    pub fn new(lowered: &mut Lowered<'_>, setup: Setup) -> Self {
        let mut shape = Shape::of(lowered);
        if splits(&shape, lowered, setup) {
            lowered.split(ranks::BYTES);
            shape.count_columns(lowered);
        }
        let fitting = match shape.codes {
            ..=ranks::BYTES => Codes::Bytes,
            few if few <= ranks::WORDS => Codes::Words,
            _ => Codes::Keys,
        };
        let codes =
            setup.codes.unwrap_or(if worth(&shape, shape.columns, setup.processor) { fitting } else { Codes::Keys });
        let intel = setup.intel.unwrap_or_else(Processor::intel);
        let method = match codes {
            Codes::Bytes if shape.symmetric => Method::Levels,
            // Some steps through a tree read less memory than two of its chunks, and take less time where permutes are slow.
            Codes::Bytes if shape.leaves > SLOTS && (shape.depth < 10.0 || intel) => Method::Interleaved,
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
            intel,
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
        /// Of a condition on a category where chunks are jumped through.
        const SET: f64 = 2.0;
        if self.fixed {
            return (self.method == Method::Sieve).then_some(self.codes);
        }
        let codes = if self.codes == Codes::Keys { self.fitting } else { self.codes };
        // Keys would not be looked up.
        let more = if self.codes == Codes::Keys { CODE * self.shape.columns as f64 } else { 0.0 };
        let others = || walk::cost(lowered).min(heap::cost(lowered).unwrap_or(f64::INFINITY));
        let cheaper = || weave::cost(lowered).is_some_and(|cost| cost + more < others());
        let jumps = || {
            let sets = self.shape.conditions as f64 * SET;
            weave::cost(lowered).is_some_and(|cost| cost < self.jump() + sets)
        };
        let better = match self.method {
            Method::Interleaved => cheaper(),
            Method::Jump if self.shape.conditions > 0 => jumps(),
            _ => false,
        };
        better.then_some(codes)
    }

    /// Whether trees are to go side by side, tier by tier: where that is asked for, or cheaper than everything else.
    #[cfg(target_arch = "x86_64")]
    #[allow(clippy::cast_precision_loss)] // estimates
    pub fn tiers(&self, lowered: &Lowered<'_>) -> bool {
        /// Instructions of a code by vectors, where a key would do.
        const LOOK_UP: f64 = 2.0;
        if self.fixed {
            return self.method == Method::Tiers;
        }
        if self.fitting != Codes::Bytes {
            return false;
        }
        let more = if self.codes == Codes::Keys { LOOK_UP * self.shape.columns as f64 } else { 0.0 };
        let others = || match self.method {
            Method::Jump => self.jump(),
            _ => walk::cost(lowered)
                .min(heap::cost(lowered).unwrap_or(f64::INFINITY))
                .min(weave::cost(lowered).unwrap_or(f64::INFINITY)),
        };
        tiers::cost(lowered, self.shape.slots(), self.processor).is_some_and(|cost| cost + more < others())
    }

    /// Instructions of a row where all nodes of a chunk are decided at once, an estimate.
    #[allow(clippy::cast_precision_loss)]
    fn jump(&self) -> f64 {
        const CHUNK: f64 = 24.0;
        const TREE: f64 = 4.0;
        let trees = self.shape.trees as f64;
        (self.shape.nodes as f64 / SLOTS as f64).max(trees / ROOTS as f64) * CHUNK + trees * TREE
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
        let tiers = self.method == Method::Tiers;
        let from = match self.processor {
            // One row is fast there where permutes find its leaves, and slow vectors take what they have no wider ones for.
            Processor::Vbmi if self.shape.conditions > 0 => 40,
            Processor::Vbmi if tiers && self.shape.leaves > SLOTS => 80,
            Processor::Vbmi if tiers => 28,
            Processor::Vbmi if self.shape.leaves > SLOTS => 32,
            Processor::Vbmi => 16,
            Processor::Avx2 if tiers && self.shape.leaves > SLOTS => 29,
            Processor::Avx2 if tiers => 24,
            Processor::Avx512 | Processor::Avx2 => 16,
            Processor::Portable => 48,
        };
        (self.shape.leaves <= 256).then_some(from)
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
            "kernel": self.method.name(),
            "columns": shape.columns,
            "thresholds": shape.bounds,
            "most_thresholds": shape.thresholds,
            "conditions": shape.conditions,
            "largest_tree": shape.leaves,
            "mean_steps": (shape.steps * 10.0).round() / 10.0,
        })
    }
}
