//! What a forest looks like, as far as it decides how it is laid out.

use super::lowered::{Lowered, Number};

/// Counts over a whole forest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// Trees.
    pub trees: usize,
    /// Inner nodes.
    pub nodes: usize,
    /// Leaves of the largest tree.
    pub leaves: usize,
    /// Steps from the root to a leaf of the mean tree, were every leaf reached as often as the others.
    pub depth: f64,
    /// Steps of a row through all trees: as the cover of the leaves has it, or were every leaf of a tree reached as often as the others.
    pub steps: f64,
    /// Features that are compared with thresholds, one for each rule of missing values and each span of thresholds.
    pub columns: usize,
    /// Distinct thresholds of the column that has most, before any is split.
    pub thresholds: usize,
    /// The largest code of a column.
    pub codes: usize,
    /// Distinct thresholds of all columns.
    pub bounds: usize,
    /// Columns whose missing values go left in some nodes and right in others.
    pub both: usize,
    /// Conditions on categories.
    pub conditions: usize,
    /// Whether all trees ask the same on each of their levels.
    pub symmetric: bool,
    /// Features that are only asked whether they are missing.
    pub presences: usize,
}

impl Shape {
    /// Codes of a row, but for conditions.
    pub fn slots(&self) -> usize {
        1 + self.columns + self.both + self.presences
    }

    /// The shape of a forest.
    #[allow(clippy::cast_precision_loss)] // an estimate
    pub fn of(lowered: &Lowered<'_>) -> Self {
        let mut shape = Self {
            trees: lowered.forest.trees().len(),
            thresholds: lowered.numbers.iter().map(|number| number.bounds.len()).max().unwrap_or(0),
            bounds: lowered.numbers.iter().map(|number| number.bounds.len()).sum(),
            conditions: lowered.conditions.count,
            symmetric: lowered.symmetric(),
            presences: lowered.presences.len(),
            ..Self::default()
        };
        shape.count_columns(lowered);
        for (index, tree) in lowered.forest.trees().iter().enumerate() {
            shape.nodes += tree.nodes.len();
            shape.leaves = shape.leaves.max(tree.leaves());
            if let Some(levels) = lowered.levels(index) {
                shape.steps += levels.len() as f64;
                shape.depth += levels.len() as f64 / shape.trees as f64;
                continue;
            }
            shape.steps += lowered.arrivals(index).map(|(share, steps)| share * f64::from(steps)).sum::<f64>();
            let depths: u64 = lowered.depths(index).iter().map(|&depth| u64::from(depth)).sum();
            shape.depth += depths as f64 / tree.leaves() as f64 / shape.trees as f64;
        }
        shape
    }

    /// Counts what columns there are, again when they have been split.
    pub fn count_columns(&mut self, lowered: &Lowered<'_>) {
        self.columns = lowered.numbers.len();
        self.codes = lowered.numbers.iter().map(Number::most).max().unwrap_or(0);
        self.both = lowered.numbers.iter().filter(|number| number.both()).count();
    }
}
