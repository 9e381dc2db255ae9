//! The order in which kernels know the nodes and the leaves of a tree.
//!
//! Parents come before their children, and every node and leaf has a label: a left child that of its parent, a right child the next one
//! that is free. The labels of the leaves are 0 to their number, and a row that starts with label 0 needs a new one only where it goes right.

use super::slab::{self, Slab};
use crate::ir::forest::{Child, Node, Place, Test, Tree};
use std::ops::Range;

/// Levels of the symmetric trees that have a kernel of their own: those that are read have no more.
const MOST_LEVELS: u32 = 16;

/// A node in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The node of the tree.
    pub node: u32,
    /// Its label, and that of its left child.
    pub label: u32,
    /// The label of its right child.
    pub right: u32,
}

/// Trees whose nodes ask the same on each of their levels.
#[derive(Debug)]
pub struct Levels {
    /// A node of every level, the root first, one tree behind the other.
    pub nodes: Vec<u32>,
    /// The label of each leaf: the sum of `2^level` over the levels where its rows go right.
    pub labels: Slab<u32>,
    /// For each tree its first level, and one more.
    pub first: Vec<u32>,
}

impl Levels {
    /// The levels of some trees; `None` unless all of them are of this kind.
    pub fn of(trees: &[Tree]) -> Option<Self> {
        let leaves = trees.iter().map(Tree::leaves).sum();
        let mut all = Self { nodes: Vec::new(), labels: slab::room(leaves), first: vec![0] };
        let mut rooms = [Vec::new(), Vec::new()];
        for tree in trees {
            all.push(tree, &mut rooms)?;
        }
        Some(all)
    }

    fn push(&mut self, tree: &Tree, [own, below]: &mut [Vec<(Child, u32)>; 2]) -> Option<()> {
        let depth = tree.leaves().trailing_zeros();
        if !tree.leaves().is_power_of_two() || depth > MOST_LEVELS {
            return None;
        }
        // What a level has, with the label that leads there.
        own.clear();
        own.push((tree.root(), 0));
        for level in 0..depth {
            let Place::Node(first) = own[0].0.place() else { return None };
            self.nodes.push(super::narrow(first));
            below.clear();
            for &(child, label) in own.iter() {
                let Place::Node(node) = child.place() else { return None };
                let node = &tree.nodes[node];
                if !alike(node, &tree.nodes[first]) {
                    return None;
                }
                below.extend([(node.left, label), (node.right, label | 1 << level)]);
            }
            std::mem::swap(own, below);
        }
        let first = self.labels.len();
        self.labels.resize(first + tree.leaves(), 0);
        for &(child, label) in own.iter() {
            let Place::Leaf(leaf) = child.place() else { return None };
            self.labels[first + leaf] = label;
        }
        self.first.push(super::narrow(self.nodes.len()));
        Some(())
    }

    /// The levels above each leaf.
    pub fn depths(&self) -> Slab<u32> {
        let mut depths = slab::room(self.labels.len());
        for levels in self.first.windows(2) {
            let depth = levels[1] - levels[0];
            depths.resize(depths.len() + (1 << depth), depth);
        }
        depths
    }

    /// The levels of the deepest tree.
    pub fn most(&self) -> usize {
        self.first.windows(2).map(|levels| (levels[1] - levels[0]) as usize).max().unwrap_or(0)
    }

    /// The levels of a tree.
    pub fn of_tree(&self, tree: usize) -> Range<usize> {
        self.first[tree] as usize..self.first[tree + 1] as usize
    }
}

/// Whether two nodes ask the same.
fn alike(one: &Node, other: &Node) -> bool {
    let same = match (one.test, other.test) {
        // A NaN is not equal to itself, but asks the same.
        (Test::Threshold(one), Test::Threshold(other)) => one == other || one.is_nan() && other.is_nan(),
        (one, other) => one == other,
    };
    same && one.feature == other.feature && one.missing == other.missing
}

/// Trees in this order, one behind the other.
#[derive(Debug)]
pub struct Order {
    /// The nodes of all trees.
    pub steps: Slab<Step>,
    /// The label of each leaf of all trees.
    pub labels: Slab<u32>,
    /// The steps from the root to each leaf.
    pub depths: Slab<u32>,
}

impl Order {
    /// The order of some trees.
    pub fn of(trees: &[Tree]) -> Self {
        let nodes = trees.iter().map(|tree| tree.nodes.len()).sum::<usize>();
        let leaves = nodes + trees.len();
        let mut order =
            Self { steps: slab::room(nodes), labels: slab::filled(0, leaves), depths: slab::filled(0, leaves) };
        let (mut labels, mut depths) = (order.labels.as_mut_slice(), order.depths.as_mut_slice());
        let (mut met, mut waiting) = (Vec::new(), Vec::new());
        for tree in trees {
            let own = (labels.split_off_mut(..tree.leaves()), depths.split_off_mut(..tree.leaves()));
            let (Some(labels), Some(depths)) = own else { unreachable!("a tree has a leaf more than nodes") };
            if !take(tree, &mut order.steps, labels, depths, &mut met) {
                walk(tree, &mut order.steps, labels, depths, &mut waiting);
            }
        }
        order
    }
}

/// Adds the nodes of a tree as they stand, and fills in the labels and the depths of its leaves, without a branch that depends on them;
/// `met` is working memory. Does nothing and returns `false` where a child stands before its parent.
fn take(
    tree: &Tree,
    steps: &mut Slab<Step>,
    labels: &mut [u32],
    depths: &mut [u32],
    met: &mut Vec<(u32, u32)>,
) -> bool {
    let nodes = tree.nodes.len();
    let index = |child: Child| match child.place() {
        Place::Node(node) => node,
        Place::Leaf(leaf) => nodes + leaf,
    };
    // The label and the depth of every node, then of every leaf.
    met.clear();
    met.resize(nodes + labels.len(), (0, 0));
    let first = steps.len();
    let mut parents_first = true;
    for (at, node) in tree.nodes.iter().enumerate() {
        let (label, depth) = met[at];
        let step = Step { node: super::narrow(at), label, right: super::narrow(at + 1) };
        let (left, right) = (index(node.left), index(node.right));
        parents_first &= left > at && right > at;
        met[left] = (label, depth + 1);
        met[right] = (step.right, depth + 1);
        steps.push(step);
    }
    if !parents_first {
        steps.truncate(first);
        return false;
    }
    for ((to_label, to_depth), from) in labels.iter_mut().zip(depths).zip(&met[nodes..]) {
        (*to_label, *to_depth) = *from;
    }
    true
}

/// The same in preorder, whatever the order in which nodes stand.
fn walk(
    tree: &Tree,
    steps: &mut Slab<Step>,
    labels: &mut [u32],
    depths: &mut [u32],
    waiting: &mut Vec<(Child, u32, u32)>,
) {
    let (mut at, mut label, mut depth) = (tree.root(), 0, 0);
    let mut free = 1;
    loop {
        match at.place() {
            Place::Node(node) => {
                steps.push(Step { node: super::narrow(node), label, right: free });
                depth += 1;
                waiting.push((tree.nodes[node].right, free, depth));
                free += 1;
                at = tree.nodes[node].left;
            }
            Place::Leaf(leaf) => {
                (labels[leaf], depths[leaf]) = (label, depth);
                // A right child that has not been met yet, its label and its depth.
                let Some(next) = waiting.pop() else { return };
                (at, label, depth) = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::garden::{self, Plan, Random};
    use super::*;

    /// Every step has the label that its parent gave it, and so has every leaf, at its depth.
    fn check(tree: &Tree, steps: &[Step], labels: &[u32], depths: &[u32]) {
        let mut known = vec![None; tree.nodes.len()];
        let mut leaves = vec![None; tree.leaves()];
        if let Some(root) = known.first_mut() {
            *root = Some((0, 0));
        } else {
            leaves[0] = Some((0, 0));
        }
        for (step, free) in steps.iter().zip(1..) {
            let (label, depth) = known[step.node as usize].expect("parents come first");
            assert_eq!((step.label, step.right), (label, free));
            let node = &tree.nodes[step.node as usize];
            for (child, label) in [(node.left, label), (node.right, free)] {
                let child = match child.place() {
                    Place::Node(node) => &mut known[node],
                    Place::Leaf(leaf) => &mut leaves[leaf],
                };
                assert_eq!(child.replace((label, depth + 1)), None);
            }
        }
        let found: Vec<_> = labels.iter().copied().zip(depths.iter().copied()).map(Some).collect();
        assert_eq!(found, leaves);
    }

    #[test]
    fn labels_come_from_parents() {
        let mut random = Random(3);
        for plan in [Plan::default(), Plan { nodes: 0, ..Plan::default() }, Plan { balanced: true, ..Plan::default() }]
        {
            let forest = garden::forest(&plan, &mut random);
            let order = Order::of(forest.trees());
            let (mut node, mut leaf) = (0, 0);
            for tree in forest.trees() {
                let (nodes, leaves) = (node..node + tree.nodes.len(), leaf..leaf + tree.leaves());
                check(tree, &order.steps[nodes.clone()], &order.labels[leaves.clone()], &order.depths[leaves.clone()]);
                (node, leaf) = (nodes.end, leaves.end);
                // Whatever order was taken, the other one keeps the same promise.
                let (mut steps, mut labels, mut depths) =
                    (slab::room(0), vec![0; tree.leaves()], vec![0; tree.leaves()]);
                walk(tree, &mut steps, &mut labels, &mut depths, &mut Vec::new());
                check(tree, &steps, &labels, &depths);
            }
        }
    }

    #[test]
    fn levels_are_those_of_symmetric_trees() {
        let node = |feature, left, right| Node {
            feature,
            test: crate::ir::forest::Test::Threshold(0.0),
            missing: crate::ir::forest::Missing::AsZero,
            left: Child::from_code(left),
            right: Child::from_code(right),
        };
        let mut tree = garden::forest(&Plan { trees: 1, ..Plan::default() }, &mut Random(1)).trees()[0].clone();
        // The leaves of the left side are 2 and 0, those of the right side 3 and 1.
        tree.nodes = vec![node(5, 2, 1), node(7, !3, !1), node(7, !2, !0)];
        tree.leaf_ids = vec![0, 1, 2, 3];
        let mut leaf = tree.clone();
        (leaf.nodes, leaf.leaf_ids) = (Vec::new(), vec![0]);
        let levels = Levels::of(&[leaf, tree.clone()]).unwrap();
        assert_eq!((levels.of_tree(0), levels.of_tree(1)), (0..0, 0..2));
        assert_eq!(levels.nodes, [0, 2]);
        assert_eq!((&*levels.labels, &*levels.depths()), (&[0, 2, 3, 0, 1][..], &[0, 2, 2, 2, 2][..]));
        assert_eq!(levels.most(), 2);
        // A threshold that is not equal to itself is the same on both sides.
        let mut unequal = tree.clone();
        unequal.nodes[1].test = crate::ir::forest::Test::Threshold(f64::NAN);
        unequal.nodes[2].test = unequal.nodes[1].test;
        assert!(Levels::of(&[unequal]).is_some());
        // Another feature on one side, another side for missing values, another threshold, a branch that ends early.
        let refused = |change: fn(&mut Tree)| {
            let mut changed = tree.clone();
            change(&mut changed);
            assert!(Levels::of(&[changed]).is_none());
        };
        refused(|tree| tree.nodes[1].feature = 6);
        refused(|tree| tree.nodes[2].missing = crate::ir::forest::Missing::Nan(crate::ir::forest::Side::Left));
        refused(|tree| tree.nodes[2].test = crate::ir::forest::Test::Threshold(f64::NAN));
        refused(|tree| tree.nodes[0].left = Child::from_code(!2));
    }

    #[test]
    fn children_before_their_parents_are_walked_to() {
        let node = |left, right| crate::ir::forest::Node {
            feature: 0,
            test: crate::ir::forest::Test::Threshold(0.0),
            missing: crate::ir::forest::Missing::AsZero,
            left: Child::from_code(left),
            right: Child::from_code(right),
        };
        let mut tree = garden::forest(&Plan { trees: 1, ..Plan::default() }, &mut Random(1)).trees()[0].clone();
        // Node 2 is the parent of node 1.
        tree.nodes = vec![node(2, -1), node(-2, -3), node(1, -4)];
        tree.leaf_ids = vec![0, 1, 2, 3];
        let (mut steps, mut labels, mut depths) = (slab::room(0), vec![0; 4], vec![0; 4]);
        assert!(!take(&tree, &mut steps, &mut labels, &mut depths, &mut Vec::new()) && steps.is_empty());
        let order = Order::of(std::slice::from_ref(&tree));
        check(&tree, &order.steps, &order.labels, &order.depths);
    }
}
