//! `feature_importances_`, to the bits, as each version computes it.
//!
//! The gain of a model is this: shares of the decrease of impurity that add up to 1, and not the sums of gains of other libraries.

use super::nodes::Nodes;
use crate::codec::ndarray::sum;
use crate::error::Result;
use crate::ir::Importance;
use crate::limits;

/// The shares of one tree (`compute_feature_importances()`).
fn shares(nodes: &Nodes<'_>) -> Result<Vec<f64>> {
    let mut decrease = nodes.impurity_decrease()?;
    let total = sum(&decrease);
    if total > 0.0 {
        decrease.iter_mut().for_each(|share| *share /= total);
    }
    Ok(decrease)
}

/// How often each feature is split on, and the gain.
fn importance(trees: &[Nodes<'_>], features: usize, gain: Vec<f64>) -> Result<Importance> {
    let mut splits = limits::vec("features", features)?;
    splits.resize(features, 0.0);
    for nodes in trees {
        nodes.count_splits(&mut splits);
    }
    Ok(Importance { split: Some(splits), gain: Some(gain) })
}

/// Of one tree.
pub(super) fn of_tree(nodes: Nodes<'_>) -> Result<Importance> {
    let gain = shares(&nodes)?;
    importance(&[nodes], gain.len(), gain)
}

/// Of a forest: the mean of its trees' shares. Since 0.21 trees of a single leaf do not count, and the mean is made to add up to 1.
pub(super) fn of_forest(trees: &[Nodes<'_>], features: usize, version: (u32, u32)) -> Result<Importance> {
    let mut total = Total::new(features, trees.len(), version >= (0, 21))?;
    for nodes in trees.iter().filter(|nodes| version < (0, 21) || nodes.count() > 1) {
        total.add(&shares(nodes)?);
    }
    let mut gain = total.mean();
    if version >= (0, 21) {
        normalise(&mut gain);
    }
    importance(trees, features, gain)
}

/// Of gradient boosting, whose rounds have `per_round` trees.
pub(super) fn of_boosting(
    trees: &[Nodes<'_>],
    per_round: usize,
    features: usize,
    version: (u32, u32),
) -> Result<Importance> {
    let gain = if version < (0, 21) {
        let mut total = Total::new(features, trees.len(), false)?;
        for round in trees.chunks(per_round.max(1)) {
            let mut inner = Total::new(features, round.len(), false)?;
            for nodes in round {
                let decrease = if version < (0, 20) { shares(nodes)? } else { nodes.impurity_decrease()? };
                inner.add(&decrease);
            }
            total.add(&inner.mean());
        }
        let mut gain = total.mean();
        if version >= (0, 20) {
            let sum = sum(&gain);
            gain.iter_mut().for_each(|share| *share /= sum);
        }
        gain
    } else {
        let mut total = Total::new(features, trees.len(), true)?;
        for nodes in trees.iter().filter(|nodes| nodes.count() > 1) {
            total.add(&nodes.impurity_decrease()?);
        }
        let mut gain = total.mean();
        normalise(&mut gain);
        gain
    };
    importance(trees, features, gain)
}

fn normalise(gain: &mut [f64]) {
    let total = sum(gain);
    // Nothing was split on: the library answers with zeros.
    if gain.iter().any(|&share| share != 0.0) {
        gain.iter_mut().for_each(|share| *share /= total);
    }
}

/// A mean over trees: row after row, as numpy computes the mean of the first axis of a matrix, and Python the sum of a list; a
/// matrix of one column numpy adds up pairwise.
struct Total {
    sums: Vec<f64>,
    single: Option<Vec<f64>>,
    rows: usize,
}

impl Total {
    fn new(features: usize, rows: usize, numpy: bool) -> Result<Self> {
        let mut sums = limits::vec("features", features)?;
        sums.resize(features, 0.0);
        let single = (numpy && features == 1).then(|| limits::vec("trees", rows)).transpose()?;
        Ok(Self { sums, single, rows: 0 })
    }

    fn add(&mut self, row: &[f64]) {
        self.rows += 1;
        if let Some(single) = &mut self.single {
            single.extend(row.first());
            return;
        }
        for (sum, share) in self.sums.iter_mut().zip(row) {
            *sum += share;
        }
    }

    #[allow(clippy::cast_precision_loss)] // a number of trees
    fn mean(mut self) -> Vec<f64> {
        if let Some(single) = &self.single {
            self.sums[0] = sum(single);
        }
        if self.rows > 0 {
            self.sums.iter_mut().for_each(|sum| *sum /= self.rows as f64);
        }
        self.sums
    }
}
