//! The order in which kernels know the nodes and the leaves of a tree.
//!
//! Nodes come in preorder, and every node and leaf has a label: a left child that of its parent, a right child the next one that is
//! free. The labels of the leaves are 0 to their number, and a row that starts with label 0 needs a new one only where it goes right.

use super::lowered::Test;
use crate::ir::forest::{Place, Tree};

/// Levels of the symmetric trees that have a kernel of their own: those that are read have no more.
const MOST_LEVELS: u32 = 16;

/// A node in preorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The node of the tree.
    pub node: usize,
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

/// A tree in this order.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The nodes.
    pub steps: Vec<Step>,
    /// The label of each leaf.
    pub labels: Vec<u32>,
}

impl Order {
    /// The order of a tree.
    pub fn of(tree: &Tree) -> Self {
        let mut order = Self { steps: Vec::with_capacity(tree.nodes.len()), labels: vec![0; tree.leaves()] };
        let mut waiting = vec![(tree.root().place(), 0)];
        let mut free = 1;
        while let Some((place, label)) = waiting.pop() {
            match place {
                Place::Leaf(leaf) => order.labels[leaf] = label,
                Place::Node(node) => {
                    order.steps.push(Step { node, label, right: free });
                    waiting.push((tree.nodes[node].right.place(), free));
                    waiting.push((tree.nodes[node].left.place(), label));
                    free += 1;
                }
            }
        }
        order
    }
}
