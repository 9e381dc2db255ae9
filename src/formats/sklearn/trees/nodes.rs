//! The arrays of a fitted tree (`sklearn.tree._tree.Tree`), in the layouts of all versions.

use super::super::column_count;
use super::importance::{Sparse, gather};
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::Precision;
use crate::ir::forest::{CategoryRule, Child, Compare, Finish, Layout, Missing, Node, Side, Target, Test, Tree};
use crate::limits;

/// The child of a leaf, in the file.
const NO_CHILD: i64 = -1;

/// A tree as it lies in the file. All arrays have one element per node.
#[derive(Debug)]
pub(super) struct Nodes<'g> {
    origin: Ref<'g>,
    left: Vec<i64>,
    right: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    /// Whether a missing value goes left; nodes of versions before 1.3 do not say.
    missing_left: Option<Vec<i64>>,
    impurity: Vec<f64>,
    weight: Vec<f64>,
    samples: Vec<i64>,
    /// Of shape (nodes, outputs, widest output).
    values: Vec<f64>,
    /// Columns of a row.
    pub features: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Values that an output has at most: the number of classes; 1 for numbers.
    pub width: usize,
}

impl<'g> Nodes<'g> {
    /// Reads the `tree_` of a fitted tree.
    pub fn of(estimator: Ref<'g>) -> Result<Self> {
        let tree = estimator.attr("tree_")?;
        let args = tree.args()?;
        let Some(features) = args.first() else { return Err(tree.expected("a fitted tree")) };
        let nodes = tree.attr("nodes")?.structured()?;
        let values = tree.attr("values")?;
        let array = values.array_f64()?;
        let &[count, outputs, width] = &*array.shape else {
            return Err(values.malformed(format!("the values of a tree have three axes, these have {:?}", array.shape)));
        };
        limits::check("nodes", count, limits::NODES)?;
        limits::check("outputs", outputs.saturating_mul(width), limits::OUTPUTS)?;
        if count == 0 || count != nodes.len() {
            return Err(values.malformed(format!("values of {count} nodes for {} nodes", nodes.len())));
        }
        let read = Self {
            origin: tree,
            left: nodes.i64("left_child")?,
            right: nodes.i64("right_child")?,
            feature: nodes.i64("feature")?,
            threshold: nodes.f64("threshold")?,
            missing_left: nodes.has("missing_go_to_left").then(|| nodes.i64("missing_go_to_left")).transpose()?,
            impurity: nodes.f64("impurity")?,
            weight: nodes.f64("weighted_n_node_samples")?,
            samples: nodes.i64("n_node_samples")?,
            values: array.data,
            features: column_count(*features)?,
            outputs,
            width,
        };
        let fields = [read.left.len(), read.right.len(), read.feature.len(), read.threshold.len(), read.samples.len()];
        if fields != [count; 5] || [read.impurity.len(), read.weight.len()] != [count; 2] {
            return Err(tree.malformed("a field of its nodes is an array"));
        }
        Ok(read)
    }

    /// Number of nodes, leaves included.
    pub fn count(&self) -> usize {
        self.left.len()
    }

    /// The values of a node for one output.
    pub fn value(&self, node: usize, output: usize) -> &[f64] {
        &self.values[(node * self.outputs + output) * self.width..][..self.width]
    }

    /// The training rows of a node.
    #[allow(clippy::cast_precision_loss)] // as numpy's astype does
    pub fn samples(&self, node: usize) -> f64 {
        self.samples[node] as f64
    }

    fn is_leaf(&self, node: usize) -> bool {
        self.left[node] == NO_CHILD
    }

    /// Both children of a node, when it has them and they exist.
    fn children(&self, node: usize) -> Result<[usize; 2]> {
        let child = |index: i64| {
            usize::try_from(index).ok().filter(|&index| index < self.count()).ok_or_else(|| {
                self.origin.malformed(format!("node {node} has the child {index} of {} nodes", self.count()))
            })
        };
        Ok([child(self.left[node])?, child(self.right[node])?])
    }

    /// Nodes from the root down to each node, itself included; 0 for nodes that the root does not lead to.
    pub fn depths(&self) -> Result<Vec<u32>> {
        let mut depths = limits::vec("nodes", self.count())?;
        depths.resize(self.count(), 0u32);
        let mut waiting = limits::vec("nodes", self.count())?;
        waiting.push((0, 1));
        while let Some((node, depth)) = waiting.pop() {
            if depths[node] != 0 {
                return Err(self.origin.malformed(format!("node {node} has two parents")));
            }
            depths[node] = depth;
            if !self.is_leaf(node) {
                for child in self.children(node)? {
                    waiting.push((child, depth + 1));
                }
            }
        }
        Ok(depths)
    }

    /// The tree for evaluation. `columns` are the places of its features in the row, `leaf` adds the values of a leaf, given by
    /// its number in the file.
    #[allow(clippy::cast_possible_truncation)] // weights decide no answer
    pub fn tree(
        &self,
        columns: Option<&[usize]>,
        target: Target,
        mut leaf: impl FnMut(usize, &mut Vec<f64>),
    ) -> Result<Tree> {
        let leaves = (0..self.count()).filter(|&node| self.is_leaf(node)).count();
        // Each node's own number among the nodes, or among the leaves.
        let mut places = limits::vec("nodes", self.count())?;
        let (mut inner, mut outer) = (0, 0);
        for node in 0..self.count() {
            let next = if self.is_leaf(node) { &mut outer } else { &mut inner };
            places.push(if self.is_leaf(node) { Child::leaf(*next)? } else { Child::node(*next)? });
            *next += 1;
        }
        let mut tree = Tree {
            nodes: limits::vec("nodes", inner)?,
            values: limits::vec("leaves", leaves)?,
            leaf_ids: limits::vec("leaves", leaves)?,
            cover: limits::vec("leaves", leaves)?,
            sets: Vec::new(),
            linear: Vec::new(),
            target,
        };
        for node in 0..self.count() {
            if self.is_leaf(node) {
                tree.leaf_ids.push(u32::try_from(node).unwrap_or(u32::MAX));
                tree.cover.push(self.weight[node] as f32);
                leaf(node, &mut tree.values);
                continue;
            }
            let [left, right] = self.children(node)?;
            let goes_left = self.missing_left.as_ref().is_some_and(|missing| missing[node] != 0);
            tree.nodes.push(Node {
                feature: self.column(node, columns)?,
                test: Test::Threshold(self.threshold[node]),
                missing: Missing::Nan(Side::left_if(goes_left)),
                left: places[left],
                right: places[right],
            });
        }
        Ok(tree)
    }

    fn column(&self, node: usize, columns: Option<&[usize]>) -> Result<u32> {
        let feature = usize::try_from(self.feature[node]).ok().filter(|&feature| feature < self.features);
        let column = feature.and_then(|feature| match columns {
            Some(columns) => columns.get(feature).copied(),
            None => Some(feature),
        });
        column.and_then(|column| u32::try_from(column).ok()).ok_or_else(|| {
            self.origin.malformed(format!("node {node} splits on feature {} of {}", self.feature[node], self.features))
        })
    }

    /// Adds the number of splits on each feature.
    pub fn count_splits(&self, splits: &mut [f64]) {
        for node in (0..self.count()).filter(|&node| !self.is_leaf(node)) {
            if let Some(split) = usize::try_from(self.feature[node]).ok().and_then(|feature| splits.get_mut(feature)) {
                *split += 1.0;
            }
        }
    }

    /// The decrease of impurity by each feature (`compute_feature_importances(normalize=False)`).
    pub fn impurity_decrease(&self) -> Result<Sparse> {
        let mut decrease = Vec::new();
        for node in (0..self.count()).filter(|&node| !self.is_leaf(node)) {
            let [left, right] = self.children(node)?;
            let gain = self.weight[node] * self.impurity[node]
                - self.weight[left] * self.impurity[left]
                - self.weight[right] * self.impurity[right];
            decrease.push((self.column(node, None)? as usize, gain));
        }
        let mut decrease = gather(decrease);
        for (_, share) in &mut decrease {
            *share /= self.weight[0];
        }
        Ok(decrease)
    }
}

/// What scikit-learn's trees share: rows rounded to float32, `<=` against float64 thresholds, sums in float64 from 0.
pub(super) fn layout(features: usize, outputs: usize, accepts_nan: bool, finish: Finish) -> Layout {
    Layout {
        features,
        input: Precision::F32,
        snap_zero: false,
        compare: Compare::LessEqual,
        category: CategoryRule::NonNegative,
        accepts_nan,
        sum: Precision::F64,
        base: vec![0.0; outputs],
        finish,
        trees_per_round: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::pickle;

    /// No rows have weights, so that sums are exact.
    #[test]
    fn rows_of_the_leaves_add_up() {
        let mut met = 0;
        for kind in ["decision_tree_regressor", "decision_tree_classifier", "random_forest_regressor"] {
            for version in ["0.19", "0.20", "0.24", "1.0", "1.3", "1.5", "1.7", "1.9"] {
                let folder = format!("{}/tests/fixtures/sklearn/{kind}-{version}", env!("CARGO_MANIFEST_DIR"));
                let bytes = ["pkl", "joblib"].map(|kind| std::fs::read(format!("{folder}/model.{kind}")).ok());
                let bytes = bytes.into_iter().flatten().next().unwrap_or_else(|| panic!("no model in {folder}"));
                let graph = pickle::decode(&bytes).unwrap();
                let members = match graph.root().attr_some("estimators_").unwrap() {
                    Some(list) => list.list().unwrap(),
                    None => vec![graph.root()],
                };
                for member in members {
                    let nodes = Nodes::of(member).unwrap();
                    let tree = nodes.tree(None, Target::One(0), |_, values| values.push(0.0)).unwrap();
                    assert_eq!(tree.cover.len(), tree.leaves());
                    assert_eq!(f64::from(tree.cover.iter().sum::<f32>()), nodes.weight[0], "{folder}");
                    met += 1;
                }
            }
        }
        assert!(met > 30, "only {met} trees were looked at");
    }
}
