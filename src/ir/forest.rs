//! ONE representation of tree ensembles for every family.
//!
//! A row goes from the root of each tree to a leaf; the values of the leaves are added up, in the order of the trees, in the
//! library's own type. Everything that libraries do differently is a field here: the type and the direction of the comparison,
//! missing values, categories, vector and linear leaves, where the sum starts and how it ends.

mod columns;
#[cfg(test)]
mod tests;
mod tree;

pub use tree::{CategorySet, Child, LinearLeaf, Missing, Node, Place, Side, Target, Test, Tree, ZERO_BAND};

use super::Precision;
use crate::error::{Error, Result, Within};
use crate::limits;
use std::sync::Arc;

/// Which numbers pass a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `x <= threshold` (`LightGBM`, scikit-learn, `CatBoost`).
    LessEqual,
    /// `x < threshold` (`XGBoost`).
    Less,
}

/// How a number becomes a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CategoryRule {
    /// Cut to an integer towards zero first, so that -0.5 is category 0; what is then negative is no category (`LightGBM`).
    Truncate,
    /// A negative number, or one past the cap, is no category; then cut to an integer (`XGBoost`, scikit-learn).
    NonNegative,
    /// Cut to an integer of 32 bits, 0 where it does not fit, of which the lowest 8 bits count (scikit-learn before 1.2).
    LowByte,
    /// The same, but a negative number is no category (scikit-learn 1.2 and 1.3).
    NonNegativeLowByte,
    /// As [`CategoryRule::NonNegative`], but what is no category, or lies past the words of the split's set, counts as missing
    /// (`XGBoost` 1.6).
    NonNegativeOrMissing,
}

/// The category of a number, or none.
#[inline]
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
pub fn category(rule: CategoryRule, value: f64) -> Option<u32> {
    let lowest = match rule {
        CategoryRule::Truncate => value > -1.0,
        CategoryRule::NonNegative | CategoryRule::NonNegativeOrMissing => value >= 0.0,
        CategoryRule::LowByte => return (!value.is_nan()).then(|| low_byte(value)),
        CategoryRule::NonNegativeLowByte => return (value >= 0.0).then(|| low_byte(value)),
    };
    // No set holds categories from 2^24 on, so cutting larger numbers off changes no answer.
    (lowest && value < limits::CATEGORIES as f64).then(|| value.max(0.0) as u32)
}

/// What C compilers make of a double cut to 8 bits on x86-64: the 32-bit integer is 0 in its lowest byte where it does not fit.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn low_byte(value: f64) -> u32 {
    if value.abs() < 2_147_483_648.0 { (value as i32).cast_unsigned() & 0xff } else { 0 }
}

/// What happens after the last tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Finish {
    /// Nothing.
    #[default]
    Sum,
    /// Each margin is divided by this number (scikit-learn's averages).
    Divide(f64),
    /// This is added to each margin, in the type of the sum (`XGBoost` before 1.3, whose base score comes last).
    Base(Vec<f64>),
    /// `margin * scale + bias[output]` (`CatBoost`).
    ScaleBias {
        /// The factor.
        scale: f64,
        /// One per margin.
        bias: Vec<f64>,
    },
}

/// What all trees of a forest share.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Columns of a row.
    pub features: usize,
    /// Type that features are rounded to before anything else.
    pub input: Precision,
    /// Numbers within [`ZERO_BAND`] of 0 are read as 0 (`LightGBM`'s rows do not store them).
    pub snap_zero: bool,
    /// Which numbers pass a threshold.
    pub compare: Compare,
    /// How numbers become categories.
    pub category: CategoryRule,
    /// Whether the trees have a rule for NaN; without one a NaN is refused when a row is predicted.
    pub accepts_nan: bool,
    /// Type of the sum.
    pub sum: Precision,
    /// Where the sum starts, one number per margin.
    pub base: Vec<f64>,
    /// How it ends.
    pub finish: Finish,
    /// Trees per boosting round.
    pub trees_per_round: usize,
}

/// A validated ensemble of trees.
#[derive(Debug, Clone)]
pub struct Forest {
    layout: Layout,
    /// Shared, so that a copy of a forest costs nothing.
    trees: Arc<Vec<Tree>>,
}

impl Forest {
    /// Checks every tree, once; evaluators trust the result.
    ///
    /// # Errors
    /// `MI_MALFORMED` naming the tree and the node at fault; `MI_LIMIT_EXCEEDED` for sizes past the caps.
    pub fn new(layout: Layout, trees: Vec<Tree>) -> Result<Self> {
        let outputs = layout.base.len();
        limits::check("features", layout.features, limits::FEATURES)?;
        limits::check("outputs", outputs, limits::OUTPUTS)?;
        limits::check("trees", trees.len(), limits::TREES)?;
        if outputs == 0 {
            return Err(Error::malformed("a forest needs at least one margin"));
        }
        if layout.trees_per_round == 0 || !trees.len().is_multiple_of(layout.trees_per_round) {
            return Err(Error::malformed(format!(
                "{} trees do not make whole rounds of {}",
                trees.len(),
                layout.trees_per_round
            )));
        }
        if let Finish::ScaleBias { bias, .. } | Finish::Base(bias) = &layout.finish
            && bias.len() != outputs
        {
            return Err(Error::malformed(format!("{} biases for {outputs} margins", bias.len())));
        }
        let mut reached = Vec::new();
        for (index, tree) in trees.iter().enumerate() {
            tree.validate(layout.features, outputs, &mut reached).within(|| format!("tree {index}"))?;
        }
        Ok(Self { layout, trees: Arc::new(trees) })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layout.features
    }

    /// Margins per row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layout.base.len()
    }

    /// What all trees share.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The trees, in the order of the sum.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Boosting rounds.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.trees.len() / self.layout.trees_per_round
    }
}

/// The boosting rounds `begin..end` that a caller asked for, or `rule` (the model's own) when both are 0.
///
/// `end` 0 means all rounds, and an `end` past the last round means the last, as in the libraries.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` when nothing is left between `begin` and `end`.
pub fn rounds(begin: u32, end: u32, available: usize, rule: std::ops::Range<usize>) -> Result<std::ops::Range<usize>> {
    if begin == 0 && end == 0 {
        return Ok(rule);
    }
    let last = if end == 0 { available } else { (end as usize).min(available) };
    if begin as usize >= last {
        return Err(Error::invalid(format!("iterations {begin}..{end} hold no round of the {available} in the model")));
    }
    Ok(begin as usize..last)
}
