//! How much predictions change with a column (`PredictionValuesChange`, the library's importance without data), and how many questions
//! of trees are about it.
//!
//! Source: `CatBoost` `catboost/libs/fstr/feature_str.h` and `calc_fstr.cpp`. Two leaves (or subtrees) that one question tells apart
//! differ from their mean; the squares of that, times the weights of the leaves, are the change that the question makes.

use super::document::Features;
use super::statistics::Columns;
use crate::error::Result;
use crate::ir::Importance;
use crate::ir::forest::{Place, Tree};
use crate::limits;

/// Sums over trees, by the columns that trees ask about.
#[derive(Debug)]
pub struct Effect {
    changes: Vec<f64>,
    questions: Vec<f64>,
    /// Every leaf had a weight so far.
    weighted: bool,
    /// By how much the pairs of leaves differ that a level tells apart, to work with.
    apart: Vec<f64>,
}

impl Effect {
    /// Sums for trees over rows of this width.
    pub fn new(width: usize) -> Result<Self> {
        let zeros = || -> Result<Vec<f64>> {
            let mut zeros = limits::vec("columns", width)?;
            zeros.resize(width, 0.0);
            Ok(zeros)
        };
        Ok(Self { changes: zeros()?, questions: zeros()?, weighted: true, apart: Vec::new() })
    }

    /// Adds a symmetric tree with these weights of its leaves; its nodes come level after level.
    pub fn symmetric(&mut self, tree: &Tree, weights: Option<&[f64]>) {
        self.weighted &= weights.is_some();
        let width = tree.values.len() / tree.leaves();
        for level in 0..tree.leaves().trailing_zeros() {
            let bit = 1 << level;
            let column = tree.nodes[bit - 1].feature as usize;
            let sums = (self.questions.get_mut(column), self.changes.get_mut(column));
            let (Some(questions), Some(sum)) = sums else { continue };
            *questions += 1.0;
            let Some(weights) = weights else { continue };
            self.apart.clear();
            let values = tree.values.as_slice();
            match (width, bit) {
                (1, 1) => pairs::<1, 2>(values, weights, &mut self.apart),
                (1, 2) => pairs::<2, 4>(values, weights, &mut self.apart),
                (1, 4) => pairs::<4, 8>(values, weights, &mut self.apart),
                (1, 8) => pairs::<8, 16>(values, weights, &mut self.apart),
                _ => {
                    // Leaves whose number has a 0 in the place of the bit, and those with a 1.
                    for (values, weights) in values.chunks_exact(2 * bit * width).zip(weights.chunks_exact(2 * bit)) {
                        let ((left, right), weights) = (values.split_at(bit * width), weights.split_at(bit));
                        let weights = weights.0.iter().zip(weights.1);
                        if width == 1 {
                            let pairs = left.iter().zip(right).zip(weights);
                            let change = |((&a, &b), (&of_a, &of_b))| unless_empty((a, of_a), (b, of_b));
                            self.apart.extend(pairs.map(change));
                            continue;
                        }
                        let leaves = left.chunks_exact(width).zip(right.chunks_exact(width));
                        for ((left, right), (&of_a, &of_b)) in leaves.zip(weights) {
                            let pairs = left.iter().zip(right);
                            self.apart.extend(pairs.map(|(&a, &b)| unless_empty((a, of_a), (b, of_b))));
                        }
                    }
                }
            }
            *sum = self.apart.iter().fold(*sum, |sum, change| sum + change);
        }
    }

    /// Adds a tree of any shape with these weights of its leaves; nodes come before their children.
    pub fn any(&mut self, tree: &Tree, weights: Option<&[f64]>) {
        for node in &tree.nodes {
            if let Some(questions) = self.questions.get_mut(node.feature as usize) {
                *questions += 1.0;
            }
        }
        let Some(weights) = weights else {
            self.weighted = false;
            return;
        };
        let width = tree.values.len() / weights.len().max(1);
        for output in 0..width {
            // Mean and weight of every node, children first.
            let mut means = vec![(0.0, 0.0); tree.nodes.len()];
            for (index, node) in tree.nodes.iter().enumerate().rev() {
                let of = |child: crate::ir::forest::Child, means: &[(f64, f64)]| match child.place() {
                    Place::Node(node) => means[node],
                    Place::Leaf(leaf) => (tree.values[leaf * width + output], weights[leaf]),
                };
                let (mean, change) = apart(of(node.left, &means), of(node.right, &means));
                means[index] = mean;
                if let Some(sum) = self.changes.get_mut(node.feature as usize) {
                    *sum += change;
                }
            }
        }
    }

    /// The columns of a caller's row: changes in percent of them all. A statistic belongs to all columns that it is made of.
    pub fn importance(self, columns: &Columns, features: &Features) -> Importance {
        let total: f64 = self.changes.iter().sum();
        let mut gain = vec![0.0; columns.count];
        let mut split = vec![0.0; columns.count];
        for (column, (change, questions)) in self.changes.iter().zip(&self.questions).enumerate() {
            let origins = match column.checked_sub(columns.count) {
                None => vec![column],
                Some(statistic) => features.ctrs.get(statistic).map_or_else(Vec::new, |ctr| columns.of(&ctr.base)),
            };
            #[allow(clippy::cast_precision_loss)] // a number of columns
            let share = change * (100.0 / total) / origins.len() as f64;
            for origin in origins {
                gain[origin] += share;
                split[origin] += questions;
            }
        }
        Importance { split: Some(split), gain: self.weighted.then_some(gain), coefficient: None }
    }
}

/// By how much the values of leaves differ whose numbers are the same but for the bit of value `BIT`, half of `BOTH`.
fn pairs<const BIT: usize, const BOTH: usize>(values: &[f64], weights: &[f64], apart: &mut Vec<f64>) {
    for (values, weights) in values.as_chunks::<BOTH>().0.iter().zip(weights.as_chunks::<BOTH>().0) {
        let pair = |at: usize| unless_empty((values[at], weights[at]), (values[at + BIT], weights[at + BIT]));
        apart.extend_from_slice(&std::array::from_fn::<_, BIT, _>(pair));
    }
}

/// Mean and weight of two values together, and by how much they differ. A value without weight counts as 0.
fn apart((a, weight_a): (f64, f64), (b, weight_b): (f64, f64)) -> ((f64, f64), f64) {
    let (a, b) = (if weight_a == 0.0 { 0.0 } else { a }, if weight_b == 0.0 { 0.0 } else { b });
    weighted((a, weight_a), (b, weight_b))
}

/// By how much two values differ; 0 where one of them has no weight.
#[inline]
fn unless_empty(a: (f64, f64), b: (f64, f64)) -> f64 {
    let change = weighted(a, b).1;
    if a.1 != 0.0 && b.1 != 0.0 { change } else { 0.0 }
}

/// The same of values that both have a weight.
#[inline]
fn weighted((a, weight_a): (f64, f64), (b, weight_b): (f64, f64)) -> ((f64, f64), f64) {
    let weight = weight_a + weight_b;
    let mean = (a * weight_a + b * weight_b) / if weight == 0.0 { 1.0 } else { weight };
    let square = |x: f64| x * x;
    ((mean, weight), square(a - mean) * weight_a + square(b - mean) * weight_b)
}
