//! The order in which kernels know the nodes and the leaves of a tree.
//!
//! Nodes come in preorder, and every node and leaf has a label: a left child that of its parent, a right child the next one that is
//! free. The labels of the leaves are 0 to their number, and a row that starts with label 0 needs a new one only where it goes right.

use super::lowered::Test;
use crate::ir::forest::{Child, Place, Tree};

/// Levels of the symmetric trees that have a kernel of their own: those that are read have no more.
const MOST_LEVELS: u32 = 16;

/// A node in preorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The node of the tree.
    pub node: u32,
    /// Its label, and that of its left child.
    pub label: u32,
    /// The label of its right child.
    pub right: u32,
}

/// The test of every level of a tree whose nodes ask the same on each of them, the root's first, and the label of each leaf: the sum of
/// `2^level` over the levels where its rows go right. `None` for any other tree.
pub fn levels(tree: &Tree, tests: &[Test]) -> Option<(Vec<Test>, Vec<u32>)> {
    let depth = tree.leaves().trailing_zeros();
    if !tree.leaves().is_power_of_two() || depth > MOST_LEVELS {
        return None;
    }
    let mut levels = vec![None; depth as usize];
    let mut labels = vec![0; tree.leaves()];
    let mut waiting = vec![(tree.root().place(), 0, 0)];
    while let Some((place, level, label)) = waiting.pop() {
        match place {
            Place::Leaf(leaf) if level == depth => labels[leaf] = label,
            Place::Node(node) if level < depth => {
                if *levels[level as usize].get_or_insert(tests[node]) != tests[node] {
                    return None;
                }
                waiting.push((tree.nodes[node].left.place(), level + 1, label));
                waiting.push((tree.nodes[node].right.place(), level + 1, label | 1 << level));
            }
            _ => return None,
        }
    }
    Some((levels.into_iter().flatten().collect(), labels))
}

/// Trees in this order, one behind the other.
#[derive(Debug, Default)]
pub struct Order {
    /// The nodes of all trees.
    pub steps: Vec<Step>,
    /// The label of each leaf of all trees.
    pub labels: Vec<u32>,
    /// The steps from the root to each leaf.
    pub depths: Vec<u32>,
}

impl Order {
    /// The order of some trees.
    pub fn of(trees: &[Tree]) -> Self {
        let nodes = trees.iter().map(|tree| tree.nodes.len()).sum::<usize>();
        let leaves = nodes + trees.len();
        let mut order = Self { steps: Vec::with_capacity(nodes), labels: vec![0; leaves], depths: vec![0; leaves] };
        let (mut labels, mut depths) = (order.labels.as_mut_slice(), order.depths.as_mut_slice());
        let mut waiting = Vec::new();
        for tree in trees {
            let own = (labels.split_off_mut(..tree.leaves()), depths.split_off_mut(..tree.leaves()));
            let (Some(labels), Some(depths)) = own else { unreachable!("a tree has a leaf more than nodes") };
            walk(tree, &mut order.steps, labels, depths, &mut waiting);
        }
        order
    }
}

/// Adds the nodes of a tree, and fills in the labels and the depths of its leaves; `waiting` is working memory.
fn walk(
    tree: &Tree,
    steps: &mut Vec<Step>,
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
