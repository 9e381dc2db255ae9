//! `feature_importances_`, to the bits, as each version computes it.
//!
//! The gain of a model is this: shares of the decrease of impurity that add up to 1, and not the sums of gains of other libraries.
//! A tree uses few of many features, so its shares are kept as pairs of feature and number; the others are 0.

use super::nodes::Nodes;
use crate::codec::ndarray;
use crate::error::Result;
use crate::ir::Importance;
use crate::limits;

/// Features in ascending order, each with its number.
pub(super) type Sparse = Vec<(usize, f64)>;

/// Of one tree.
pub(super) fn of_tree(nodes: Nodes<'_>) -> Result<Importance> {
    let features = nodes.features;
    if features > limits::IMPORTANCE_FEATURES {
        return Ok(Importance::default());
    }
    let mut total = Total::new(features, 1, false)?;
    total.add(shares(&nodes)?);
    importance(&[nodes], features, total.mean())
}

/// Of a forest: the mean of its trees' shares. Since 0.21 trees of a single leaf do not count, and the mean is made to add up to 1.
pub(super) fn of_forest(trees: &[Nodes<'_>], features: usize, version: (u32, u32)) -> Result<Importance> {
    if features > limits::IMPORTANCE_FEATURES {
        return Ok(Importance::default());
    }
    let newer = version >= (0, 21);
    let mut total = Total::new(features, trees.len(), newer)?;
    for nodes in trees.iter().filter(|nodes| !newer || nodes.count() > 1) {
        total.add(shares(nodes)?);
    }
    let mut gain = total.mean();
    if newer {
        normalise(&mut gain);
    }
    importance(trees, features, gain)
}

/// Of gradient boosting, whose rounds have `per_round` trees: since 0.21 the decreases of all trees that split, made to add up to
/// 1; in 0.20 the mean over rounds of their mean, made to add up to 1; before, the same of the trees' shares.
pub(super) fn of_boosting(
    trees: &[Nodes<'_>],
    per_round: usize,
    features: usize,
    version: (u32, u32),
) -> Result<Importance> {
    if features > limits::IMPORTANCE_FEATURES {
        return Ok(Importance::default());
    }
    if version >= (0, 21) {
        let mut total = Total::new(features, trees.len(), true)?;
        for nodes in trees.iter().filter(|nodes| nodes.count() > 1) {
            total.add(nodes.impurity_decrease()?);
        }
        let mut gain = total.mean();
        normalise(&mut gain);
        return importance(trees, features, gain);
    }
    let mut total = Total::new(features, trees.len(), false)?;
    for round in trees.chunks(per_round) {
        let mut all = Vec::new();
        for nodes in round {
            all.extend(if version < (0, 20) { shares(nodes)? } else { nodes.impurity_decrease()? });
        }
        let mut round_mean = gather(all);
        for (_, share) in &mut round_mean {
            *share /= count(round.len());
        }
        total.add(round_mean);
    }
    let mut gain = total.mean();
    if version >= (0, 20) {
        let sum = ndarray::sum(&gain);
        for share in &mut gain {
            *share /= sum;
        }
    }
    importance(trees, features, gain)
}

/// How often each feature is split on, and the gain.
fn importance(trees: &[Nodes<'_>], features: usize, gain: Vec<f64>) -> Result<Importance> {
    let mut splits = limits::vec("features", features)?;
    splits.resize(features, 0.0);
    for nodes in trees {
        nodes.count_splits(&mut splits);
    }
    Ok(Importance { split: Some(splits), gain: Some(gain), coefficient: None })
}

/// The shares of one tree (`compute_feature_importances()`).
fn shares(nodes: &Nodes<'_>) -> Result<Sparse> {
    let mut decrease = nodes.impurity_decrease()?;
    let total = sum(&decrease, 0, nodes.features);
    if total > 0.0 {
        for (_, share) in &mut decrease {
            *share /= total;
        }
    }
    Ok(decrease)
}

/// Numbers in any order of features become one for each feature: their sum in the order they came in.
pub(super) fn gather(mut numbers: Sparse) -> Sparse {
    numbers.sort_by_key(|&(feature, _)| feature);
    numbers.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    numbers
}

/// numpy's sum of `len` numbers from `start` on, all of them 0 but these: see [`ndarray::sum`].
fn sum(numbers: &[(usize, f64)], start: usize, len: usize) -> f64 {
    const BLOCK: usize = 128;
    if numbers.is_empty() {
        return 0.0;
    }
    if len > BLOCK {
        let half = len / 2 - len / 2 % 8;
        let (left, right) = numbers.split_at(numbers.partition_point(|&(feature, _)| feature < start + half));
        return sum(left, start, half) + sum(right, start + half, len - half);
    }
    let mut block = [0.0; BLOCK];
    for &(feature, number) in numbers {
        block[feature - start] = number;
    }
    ndarray::sum(&block[..len])
}

fn normalise(gain: &mut [f64]) {
    // Nothing was split on: the library answers with zeros.
    if gain.iter().any(|&share| share != 0.0) {
        let total = ndarray::sum(gain);
        for share in gain {
            *share /= total;
        }
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

    fn add(&mut self, row: Sparse) {
        self.rows += 1;
        if let Some(single) = &mut self.single {
            single.push(row.first().map_or(0.0, |&(_, share)| share));
            return;
        }
        for (feature, share) in row {
            self.sums[feature] += share;
        }
    }

    fn mean(mut self) -> Vec<f64> {
        if let Some(single) = &self.single {
            self.sums[0] = ndarray::sum(single);
        }
        if self.rows > 0 {
            for sum in &mut self.sums {
                *sum /= count(self.rows);
            }
        }
        self.sums
    }
}

#[allow(clippy::cast_precision_loss)] // numbers of trees
fn count(trees: usize) -> f64 {
    trees as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_sums_are_numpys() {
        for len in [1, 7, 8, 100, 128, 129, 1000] {
            let mut dense = vec![0.0; len];
            let mut sparse = Vec::new();
            for index in (0..len).step_by(3) {
                dense[index] = 1.0 / (1.0 + count(index));
                sparse.push((index, dense[index]));
            }
            assert_eq!(sum(&sparse, 0, len).to_bits(), ndarray::sum(&dense).to_bits(), "{len}");
        }
    }
}
