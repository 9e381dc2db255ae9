//! How often rows reach the nodes and leaves of trees: as the cover of their file says, or all leaves of a tree alike.

use super::slab::{self, Slab};
use crate::ir::forest::{Place, Tree};
use std::cell::OnceCell;

/// Of the leaves of a whole forest, and of the nodes where these are asked for.
#[derive(Debug)]
pub struct Weights {
    leaves: Slab<u32>,
    /// For each tree its first leaf, and one more.
    first: Vec<usize>,
    nodes: OnceCell<Slab<u64>>,
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
}

impl Weights {
    /// The weights of some trees.
    pub fn new(trees: &[Tree]) -> Self {
        let mut weights = Self {
            leaves: slab::room(trees.iter().map(Tree::leaves).sum()),
            first: Vec::with_capacity(trees.len() + 1),
            nodes: OnceCell::new(),
        };
        for tree in trees {
            weights.first.push(weights.leaves.len());
            weigh(tree, &mut weights.leaves);
        }
        weights.first.push(weights.leaves.len());
        weights
    }

    /// Those of the leaves of one tree.
    pub fn leaves(&self, tree: usize) -> &[u32] {
        &self.leaves[self.first[tree]..self.first[tree + 1]]
    }

    /// Those of one of these trees.
    pub fn tree(&self, trees: &[Tree], tree: usize) -> Weight<'_> {
        let nodes = self.nodes.get_or_init(|| {
            let mut nodes = slab::filled(0, self.leaves.len() - trees.len());
            let mut left = nodes.as_mut_slice();
            for (index, tree) in trees.iter().enumerate() {
                let own = left.split_off_mut(..tree.nodes.len());
                own.into_iter().for_each(|own| sum(tree, self.leaves(index), own));
            }
            nodes
        });
        // Every tree before it has a leaf more than nodes.
        let nodes = &nodes[self.first[tree] - tree..self.first[tree + 1] - (tree + 1)];
        Weight { leaves: self.leaves(tree), nodes }
    }
}

/// Appends the weight of each leaf.
fn weigh(tree: &Tree, leaves: &mut Slab<u32>) {
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
                let weight = weights.tree(forest.trees(), index);
                assert_eq!((weight.leaves.len(), weight.nodes.len()), (tree.leaves(), tree.nodes.len()));
                assert!(weight.leaves.iter().all(|&leaf| leaf > 0));
                let all: u64 = weight.leaves.iter().map(|&leaf| u64::from(leaf)).sum();
                assert!(weight.nodes.first().is_none_or(|&root| root == all));
                for (node, &own) in tree.nodes.iter().zip(weight.nodes) {
                    assert_eq!(own, weight.of(node.left.place()) + weight.of(node.right.place()));
                }
            }
        }
    }
}
