//! How often rows reach the nodes and leaves of trees: as the cover of their file says, or all leaves of a tree alike.

use crate::ir::forest::{Place, Tree};

/// Of a whole forest.
#[derive(Debug, Default)]
pub struct Weights {
    leaves: Vec<u32>,
    nodes: Vec<u64>,
    /// For each tree its first leaf and its first node.
    first: Vec<(usize, usize)>,
}

/// Of a tree: whole numbers, at least 1 each.
#[derive(Debug, Clone, Copy)]
pub struct Weight<'a> {
    /// Of its leaves.
    pub leaves: &'a [u32],
    /// Of its nodes: the sum over the leaves below.
    pub nodes: &'a [u64],
}

impl Weight<'_> {
    /// Of what a child refers to.
    pub fn of(&self, place: Place) -> u64 {
        match place {
            Place::Node(node) => self.nodes[node],
            Place::Leaf(leaf) => self.leaves[leaf].into(),
        }
    }

    /// Of all rows.
    pub fn all(&self) -> u64 {
        self.nodes.first().copied().unwrap_or_else(|| self.leaves[0].into())
    }
}

impl Weights {
    /// The weights of some trees.
    pub fn new(trees: &[Tree]) -> Self {
        let mut weights = Self {
            leaves: Vec::with_capacity(trees.iter().map(Tree::leaves).sum()),
            nodes: Vec::with_capacity(trees.iter().map(|tree| tree.nodes.len()).sum()),
            first: Vec::with_capacity(trees.len()),
        };
        for tree in trees {
            let (leaf, node) = (weights.leaves.len(), weights.nodes.len());
            weights.first.push((leaf, node));
            weigh(tree, &mut weights.leaves);
            weights.nodes.resize(node + tree.nodes.len(), 0);
            sum(tree, &weights.leaves[leaf..], &mut weights.nodes[node..]);
        }
        weights
    }

    /// Those of one tree.
    pub fn tree(&self, tree: usize) -> Weight<'_> {
        let (leaf, node) = self.first[tree];
        let (last_leaf, last_node) = self.first.get(tree + 1).copied().unwrap_or((self.leaves.len(), self.nodes.len()));
        Weight { leaves: &self.leaves[leaf..last_leaf], nodes: &self.nodes[node..last_node] }
    }
}

/// Appends the weight of each leaf.
fn weigh(tree: &Tree, leaves: &mut Vec<u32>) {
    // Many enough to tell leaves apart.
    const SHARES: f64 = 16_777_216.0;
    let known = |cover: f32| if cover.is_finite() { f64::from(cover.max(0.0)) } else { 0.0 };
    let all: f64 = tree.cover.iter().map(|&cover| known(cover)).sum();
    if all <= 0.0 {
        leaves.resize(leaves.len() + tree.leaves(), 1);
        return;
    }
    let share = SHARES / all;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share is between 0 and 1
    leaves.extend(tree.cover.iter().map(|&cover| 1 + (known(cover) * share) as u32));
}

/// Fills in the weight of each node.
fn sum(tree: &Tree, leaves: &[u32], nodes: &mut [u64]) {
    let weight = |place: Place, nodes: &[u64]| match place {
        Place::Node(child) => nodes[child],
        Place::Leaf(leaf) => leaves[leaf].into(),
    };
    let later = |place: Place, node: usize| !matches!(place, Place::Node(child) if child < node);
    let mut in_order = true;
    for (index, node) in tree.nodes.iter().enumerate().rev() {
        let [left, right] = [node.left.place(), node.right.place()];
        in_order &= later(left, index) && later(right, index);
        nodes[index] = weight(left, nodes) + weight(right, nodes);
    }
    if in_order {
        return;
    }
    // Some children stand before their parents.
    let mut order = Vec::with_capacity(tree.nodes.len());
    let mut waiting = vec![0];
    while let Some(node) = waiting.pop() {
        order.push(node);
        for child in [tree.nodes[node].left, tree.nodes[node].right] {
            if let Place::Node(child) = child.place() {
                waiting.push(child);
            }
        }
    }
    for node in order.into_iter().rev() {
        let [left, right] = [tree.nodes[node].left.place(), tree.nodes[node].right.place()];
        nodes[node] = weight(left, nodes) + weight(right, nodes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::garden::{self, Plan, Random};
    use super::*;

    #[test]
    fn a_node_weighs_what_its_children_weigh() {
        let mut random = Random(9);
        for plan in [Plan::default(), Plan { nodes: 0, ..Plan::default() }, Plan { balanced: true, ..Plan::default() }]
        {
            let forest = garden::forest(&plan, &mut random);
            let weights = Weights::new(forest.trees());
            for (index, tree) in forest.trees().iter().enumerate() {
                let weight = weights.tree(index);
                assert_eq!((weight.leaves.len(), weight.nodes.len()), (tree.leaves(), tree.nodes.len()));
                assert!(weight.leaves.iter().all(|&leaf| leaf > 0));
                assert_eq!(weight.all(), weight.leaves.iter().map(|&leaf| u64::from(leaf)).sum::<u64>());
                for (node, &own) in tree.nodes.iter().zip(weight.nodes) {
                    assert_eq!(own, weight.of(node.left.place()) + weight.of(node.right.place()));
                }
            }
        }
    }
}
