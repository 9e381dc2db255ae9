//! What a forest looks like, as far as it decides how it is laid out.

use super::lowered::{Lowered, Number};
use crate::ir::forest::{Place, Tree};

/// How often rows reach every leaf of a tree: as the cover of its file says, or all of them alike. Whole numbers, at least 1 each.
pub fn leaf_weights(tree: &Tree) -> Vec<u64> {
    // Many enough to tell leaves apart, few enough for a sum over all that a tree may have.
    const SHARES: f64 = (1u64 << 24) as f64;
    let known = |cover: f32| if cover.is_finite() { f64::from(cover.max(0.0)) } else { 0.0 };
    let all: f64 = tree.cover.iter().map(|&cover| known(cover)).sum();
    if all <= 0.0 {
        return vec![1; tree.leaves()];
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share is between 0 and 1
    tree.cover.iter().map(|&cover| 1 + (known(cover) / all * SHARES) as u64).collect()
}

/// The sum of something over all leaves below every node of a tree.
pub fn below(tree: &Tree, leaves: &[u64]) -> Vec<u64> {
    let mut sums = vec![0; tree.nodes.len()];
    let mut order = Vec::with_capacity(tree.nodes.len());
    let mut waiting: Vec<usize> = if tree.nodes.is_empty() { Vec::new() } else { vec![0] };
    while let Some(node) = waiting.pop() {
        order.push(node);
        for child in [tree.nodes[node].left, tree.nodes[node].right] {
            if let Place::Node(child) = child.place() {
                waiting.push(child);
            }
        }
    }
    for node in order.into_iter().rev() {
        let below = [tree.nodes[node].left, tree.nodes[node].right].map(|child| match child.place() {
            Place::Node(child) => sums[child],
            Place::Leaf(leaf) => leaves[leaf],
        });
        sums[node] = below[0] + below[1];
    }
    sums
}

/// How often rows reach every node of a tree, as [`leaf_weights`] counts.
pub fn weights(tree: &Tree) -> Vec<u64> {
    below(tree, &leaf_weights(tree))
}

/// Counts over a whole forest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// Trees.
    pub trees: usize,
    /// Inner nodes.
    pub nodes: usize,
    /// Leaves of the largest tree.
    pub leaves: usize,
    /// Steps from the root to the deepest leaf.
    pub depth: usize,
    /// Steps of a row through all trees: as the cover of the leaves has it, or were every leaf of a tree reached as often as the others.
    pub steps: f64,
    /// Features that are compared with thresholds, one for each rule of missing values.
    pub columns: usize,
    /// Distinct thresholds of the column that has most.
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
            columns: lowered.numbers.len(),
            thresholds: lowered.numbers.iter().map(|number| number.bounds.len()).max().unwrap_or(0),
            codes: lowered.numbers.iter().map(Number::most).max().unwrap_or(0),
            bounds: lowered.numbers.iter().map(|number| number.bounds.len()).sum(),
            both: lowered.numbers.iter().filter(|number| number.both()).count(),
            conditions: lowered.conditions.count,
            symmetric: lowered.levels.is_some(),
            presences: lowered.presences.len(),
            ..Self::default()
        };
        for tree in lowered.forest.trees() {
            shape.nodes += tree.nodes.len();
            shape.leaves = shape.leaves.max(tree.leaves());
            let leaves = leaf_weights(tree);
            // Every node is met once by every row that reaches a leaf below it.
            let met: u64 = below(tree, &leaves).into_iter().sum();
            shape.steps += met as f64 / leaves.iter().sum::<u64>() as f64;
        }
        shape
    }
}
