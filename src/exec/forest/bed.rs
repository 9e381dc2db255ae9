//! Where the entries of trees lie in memory.
//!
//! A walk reads an entry per step; what it waits for is the cache line that the entry is in. A line therefore holds a connected part of
//! a tree: from its first node on, the two children of the node that most rows reach, and so on until the line is full. What
//! then has no place yet begins other lines, what was met last first.

use super::entry::Entry;
use super::lowered::Test;
use super::slab::Slab;
use super::weight::Weight;
use crate::ir::forest::{Place, Tree};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bytes of a cache line.
const LINE: usize = 64;

/// A node whose children have no place yet: how often rows reach it, itself, and its own entry.
type Edge = (u64, Reverse<usize>, usize);

/// Entries on their way to a grove.
#[derive(Debug)]
pub struct Bed<E> {
    /// Tree after tree.
    pub entries: Slab<E>,
}

impl<E: Entry> Bed<E> {
    /// Entries of a line, in pairs.
    const LINE: usize = if LINE / size_of::<E>() < 4 { 2 } else { LINE / size_of::<E>() / 2 * 2 };

    /// Appends a tree, whose leaves have these labels, and returns its first entry; `place` gives the slot and the limit of a test. `None`
    /// when an offset does not fit.
    pub fn plant(
        &mut self,
        tree: &Tree,
        tests: &[Test],
        labels: &[u32],
        weight: Weight<'_>,
        place: &impl Fn(Test) -> (usize, E::Code),
    ) -> Option<usize> {
        let unset = E::leaf(0);
        let root = self.entries.len();
        // Two for the root, so that pairs stay pairs.
        self.entries.extend([unset, unset]);
        let mut edges: Vec<Edge> = Vec::new();
        let mut near: BinaryHeap<Edge> = BinaryHeap::new();
        let meet = |what: Place, at: usize, entries: &mut [E], near: &mut BinaryHeap<Edge>| match what {
            Place::Leaf(leaf) => entries[at] = E::leaf(labels[leaf] as usize),
            Place::Node(node) => near.push((weight.of(what), Reverse(node), at)),
        };
        meet(tree.root().place(), root, &mut self.entries, &mut near);
        loop {
            if self.entries.len().is_multiple_of(Self::LINE) {
                edges.extend(near.drain());
            }
            let Some((_, Reverse(node), at)) = near.pop().or_else(|| edges.pop()) else { return Some(root) };
            let (slot, limit) = place(tests[node]);
            let left = self.entries.len();
            if left - at > E::OFFSET {
                return None;
            }
            self.entries[at] = E::new(slot, limit, left - at);
            self.entries.extend([unset, unset]);
            meet(tree.nodes[node].left.place(), left, &mut self.entries, &mut near);
            meet(tree.nodes[node].right.place(), left + 1, &mut self.entries, &mut near);
        }
    }
}
