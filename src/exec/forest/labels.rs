//! Many rows at once: a vector of labels, one byte per row, goes through every node of a tree.
//!
//! All rows start with label 0. Parents come before their children (`order`), and each node gives its right child's label to the rows
//! that have its own label and do not pass its test: three vector operations per node and 64 rows with AVX-512. In symmetric trees a level
//! sets one bit.

use super::lowered::Lowered;
use super::order::Step;
use super::slab::{self, Slab};
use super::slots::Slots;

/// Rows in a block of codes: whole vectors of the widest kind.
pub const VECTOR: usize = 64;
/// Leaves that a label tells apart.
const LEAVES: usize = 256;

/// A node or, in a symmetric tree, a level.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Where its codes stand.
    pub slot: u16,
    /// The first code that goes right.
    pub limit: u8,
    /// Its label.
    pub label: u8,
    /// The label of its right child, or the bit of the level.
    pub right: u8,
}

/// A node that changes no label: none is as large.
const NOTHING: Node = Node { slot: 0, limit: 0, label: u8::MAX, right: u8::MAX };

/// Trees whose nodes lie side by side, so that a processor may go through several of them at once.
pub const SIDE: usize = 8;

/// A tree.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    /// Its first leaf among all leaves.
    pub leaf: u32,
    /// Its leaves.
    #[cfg(target_arch = "x86_64")]
    pub leaves: u16,
}

/// A forest for many rows.
#[derive(Debug)]
pub struct Labels {
    /// Node after node of up to eight trees; shorter ones end with nodes that do nothing.
    pub nodes: Slab<[Node; SIDE]>,
    /// For every eight trees one past their last nodes.
    pub ends: Vec<u32>,
    /// The trees.
    pub trees: Vec<Tree>,
    /// Whether nodes are levels of symmetric trees.
    pub symmetric: bool,
}

impl Labels {
    /// Lays a forest out; `None` when it has too many leaves in a tree.
    pub fn new(lowered: &Lowered<'_>, slots: &Slots) -> Option<Self> {
        let trees = lowered.forest.trees();
        if trees.iter().any(|tree| tree.leaves() > LEAVES)
            || slots.count() + lowered.conditions.count > usize::from(u16::MAX)
        {
            return None;
        }
        let node = |test, label, right| {
            let (slot, limit) = slots.place(test, |_, limit| super::narrow::<u8>(limit as usize));
            Node { slot: super::narrow(slot), limit, label: super::narrow(label), right: super::narrow(right) }
        };
        let longest = |trees: &[crate::ir::forest::Tree]| trees.iter().map(|tree| tree.nodes.len()).max().unwrap_or(0);
        let mut labels = Self {
            nodes: slab::room(if lowered.symmetric() { 0 } else { trees.chunks(SIDE).map(longest).sum() }),
            ends: Vec::new(),
            trees: (0..trees.len())
                .map(|at| Tree {
                    leaf: lowered.leaves[at],
                    #[cfg(target_arch = "x86_64")]
                    leaves: super::narrow(trees[at].leaves()),
                })
                .collect(),
            symmetric: lowered.symmetric(),
        };
        for first in (0..trees.len()).step_by(SIDE) {
            let start = labels.nodes.len();
            for side in 0..SIDE.min(trees.len() - first) {
                let tree = first + side;
                if let Some(levels) = lowered.levels(tree) {
                    labels.put(start, side, levels.iter().enumerate().map(|(level, &test)| node(test, 0, 1 << level)));
                } else {
                    let tests = lowered.tests(tree);
                    let steps = lowered.order_of(tree).0.iter();
                    let node = |step: &Step| node(tests[step.node as usize], step.label as usize, step.right as usize);
                    labels.put(start, side, steps.map(node));
                }
            }
            labels.ends.push(super::narrow(labels.nodes.len()));
        }
        Some(labels)
    }

    /// Puts the nodes of a tree side by side with those of others, which begin at `start`.
    fn put(&mut self, start: usize, side: usize, nodes: impl ExactSizeIterator<Item = Node>) {
        if self.nodes.len() < start + nodes.len() {
            let nothing = if self.symmetric { Node { right: 0, ..NOTHING } } else { NOTHING };
            self.nodes.resize(start + nodes.len(), [nothing; SIDE]);
        }
        for (place, node) in self.nodes[start..].iter_mut().zip(nodes) {
            place[side] = node;
        }
    }

    /// Bytes of nodes and trees.
    pub fn bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice()) + size_of_val(self.trees.as_slice())
    }

    /// The nodes of a tree.
    #[cfg(target_arch = "x86_64")]
    pub fn nodes_of(&self, tree: usize) -> impl Iterator<Item = Node> {
        let group = tree / SIDE;
        let first = group.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let nodes = self.nodes[first..self.ends[group] as usize].iter().map(move |nodes| nodes[tree % SIDE]);
        // Those that do nothing come last.
        nodes.take_while(|node| node.right > node.label)
    }

    /// Every eight trees: the number of the first, and their nodes.
    #[inline(always)]
    pub fn groups(&self) -> impl Iterator<Item = (usize, &[[Node; SIDE]])> {
        let mut first = 0;
        self.ends.iter().enumerate().map(move |(group, &end)| {
            let nodes = &self.nodes[first..end as usize];
            first = end as usize;
            (group * SIDE, nodes)
        })
    }

    /// Labels the rows of a block for one of eight trees; `codes` hold one column of `labels.len()` rows behind the other.
    #[inline(always)]
    pub fn label(&self, nodes: &[[Node; SIDE]], side: usize, codes: &[u8], labels: &mut [u8]) {
        labels.fill(0);
        let rows = labels.len();
        for node in nodes.iter().map(|nodes| nodes[side]) {
            let column = &codes[usize::from(node.slot) * rows..][..rows];
            if self.symmetric {
                for (label, &code) in labels.iter_mut().zip(column) {
                    *label |= if code >= node.limit { node.right } else { 0 };
                }
            } else {
                for (label, &code) in labels.iter_mut().zip(column) {
                    *label = if code >= node.limit && *label == node.label { node.right } else { *label };
                }
            }
        }
    }
}
