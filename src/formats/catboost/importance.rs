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
}

impl Effect {
    /// Sums for trees over rows of this width.
    pub fn new(width: usize) -> Result<Self> {
        let zeros = || -> Result<Vec<f64>> {
            let mut zeros = limits::vec("columns", width)?;
            zeros.resize(width, 0.0);
            Ok(zeros)
        };
        Ok(Self { changes: zeros()?, questions: zeros()?, weighted: true })
    }

    /// Adds a symmetric tree that asks about these columns, level by level, and has these weights.
    pub fn symmetric(&mut self, columns: &[u32], tree: &Tree, weights: Option<&[f64]>) {
        for &column in columns {
            if let Some(questions) = self.questions.get_mut(column as usize) {
                *questions += 1.0;
            }
        }
        let Some(weights) = weights else {
            self.weighted = false;
            return;
        };
        let width = tree.values.len() / weights.len().max(1);
        for (level, &column) in columns.iter().enumerate() {
            let Some(change) = self.changes.get_mut(column as usize) else { continue };
            for left in (0..weights.len()).filter(|leaf| leaf >> level & 1 == 0) {
                let right = left | 1 << level;
                let leaf = |leaf: usize| &tree.values[leaf * width..][..width];
                if weights[left] != 0.0 && weights[right] != 0.0 {
                    for (a, b) in leaf(left).iter().zip(leaf(right)) {
                        *change += apart((*a, weights[left]), (*b, weights[right])).1;
                    }
                }
            }
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

/// Mean and weight of two values together, and by how much they differ.
fn apart((a, weight_a): (f64, f64), (b, weight_b): (f64, f64)) -> ((f64, f64), f64) {
    let (a, b) = (if weight_a == 0.0 { 0.0 } else { a }, if weight_b == 0.0 { 0.0 } else { b });
    let weight = weight_a + weight_b;
    let mean = (a * weight_a + b * weight_b) / if weight == 0.0 { 1.0 } else { weight };
    let square = |x: f64| x * x;
    ((mean, weight), square(a - mean) * weight_a + square(b - mean) * weight_b)
}
