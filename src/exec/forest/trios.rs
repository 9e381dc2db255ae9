//! Three nodes at a time by AVX-512: a node and its children, for 64 rows in a register.
//!
//! Every row has a label, and a node concerns the rows that have its own (see `labels`). One comparison finds these; under its mask a
//! second one finds those that go right, and under the masks of both sides one more each decides the children: four comparisons for
//! three nodes, where one after another they would take six. Comparisons that give a mask have one port on Intel's processors.
#![allow(unsafe_code)]

use super::labels::{self, Labels, Node, VECTOR};
use super::registers::all;
use super::slab::{self, Slab};
use std::arch::x86_64::*;

/// Trees whose steps are equally many, so that several can be gone through at once.
const SIDE: usize = 4;
/// What three nodes cost, and what one does.
const COSTS: (u32, u32) = (4, 2);

/// A byte in all bytes of a number: to fill a register with that takes a load and nothing else.
fn four(byte: u8) -> i32 {
    i32::from_ne_bytes([byte; 4])
}

/// A node and its children. A child that is not there moves nothing.
#[derive(Debug, Clone, Copy)]
struct Trio {
    /// The label of the node.
    own: i32,
    /// The first codes that go right: of the node, of its left child, of its right one.
    limits: [i32; 3],
    /// The labels of the right children of these.
    rights: [i32; 3],
    /// Where their codes stand.
    slots: [u16; 3],
}

/// A node without children.
#[derive(Debug, Clone, Copy)]
struct Last {
    own: i32,
    limit: i32,
    right: i32,
    slot: u16,
}

impl Trio {
    const NOTHING: Self = Self { own: -1, limits: [0; 3], rights: [-1; 3], slots: [0; 3] };

    fn new(node: Node, children: [Option<Node>; 2]) -> Self {
        // A child that is not there gives its label again.
        let child = |child: Option<Node>, label| child.unwrap_or(Node { slot: 0, limit: 0, label, right: label });
        let nodes = [node, child(children[0], node.label), child(children[1], node.right)];
        Self {
            own: four(node.label),
            limits: nodes.map(|node| four(node.limit)),
            rights: nodes.map(|node| four(node.right)),
            slots: nodes.map(|node| node.slot),
        }
    }
}

impl Last {
    const NOTHING: Self = Self { own: -1, limit: 0, right: -1, slot: 0 };

    fn new(node: Node) -> Self {
        Self { own: four(node.label), limit: four(node.limit), right: four(node.right), slot: node.slot }
    }
}

/// The steps of a tree.
#[derive(Debug, Clone, Copy)]
struct Steps {
    /// The first three nodes, and how many such there are.
    trios: (u32, u16),
    /// The same of the nodes that come last.
    lasts: (u32, u16),
}

/// The steps of all trees; of some trees side by side each ends with steps that do nothing.
#[derive(Debug)]
pub struct Trios {
    steps: Slab<Trio>,
    lasts: Slab<Last>,
    trees: Vec<Steps>,
}

impl Trios {
    /// Takes the trees apart.
    pub fn new(labels: &Labels) -> Self {
        // Seldom more than these; growing copies them.
        let nodes = labels.nodes.len() * labels::SIDE;
        let mut all = Self {
            steps: slab::room(nodes / 2),
            lasts: slab::room(nodes / 4),
            trees: Vec::with_capacity(labels.trees.len()),
        };
        let mut parts: [Parts; SIDE] = Default::default();
        for first in (0..labels.trees.len()).step_by(SIDE) {
            let parts = &mut parts[..SIDE.min(labels.trees.len() - first)];
            parts.iter_mut().zip(first..).for_each(|(parts, tree)| parts.fill(labels.nodes_of(tree)));
            let most = |count: fn(&Parts) -> usize| parts.iter().map(count).max().unwrap_or(0);
            let most = (most(|parts| parts.trios.len()), most(|parts| parts.lasts.len()));
            for Parts { trios, lasts, .. } in parts {
                let (first_trio, first_last) = (all.steps.len(), all.lasts.len());
                all.trees.push(Steps {
                    trios: (super::narrow(first_trio), super::narrow(trios.len())),
                    lasts: (super::narrow(first_last), super::narrow(lasts.len())),
                });
                all.steps.extend_from_slice(trios);
                all.steps.resize(first_trio + most.0, Trio::NOTHING);
                all.lasts.extend_from_slice(lasts);
                all.lasts.resize(first_last + most.1, Last::NOTHING);
            }
        }
        all
    }

    /// Bytes of the steps.
    pub fn bytes(&self) -> usize {
        size_of_val(self.steps.as_slice()) + size_of_val(self.lasts.as_slice()) + size_of_val(self.trees.as_slice())
    }

    /// The labels of `V * 64` rows for some trees from one on, as many as there are. A step waits for the one before it, hence several
    /// trees at once where there are few rows.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn label<const V: usize, const TREES: usize>(&self, first: usize, codes: &[u8]) -> [[__m512i; V]; TREES] {
        const { assert!(SIDE.is_multiple_of(TREES)) };
        let mut labels = [[_mm512_setzero_si512(); V]; TREES];
        let trees = &self.trees[first..];
        let trees: [Steps; TREES] = std::array::from_fn(|at| trees[at.min(trees.len() - 1)]);
        // Those of other trees go on for nothing.
        let most = |count: fn(&Steps) -> u16| trees.iter().map(|steps| usize::from(count(steps))).max().unwrap_or(0);
        for step in 0..most(|steps| steps.trios.1) {
            for (steps, labels) in trees.iter().zip(&mut labels) {
                // SAFETY: trees that lie side by side have equally many steps.
                trio(unsafe { self.steps.get_unchecked(steps.trios.0 as usize + step) }, codes, labels);
            }
        }
        for step in 0..most(|steps| steps.lasts.1) {
            for (steps, labels) in trees.iter().zip(&mut labels) {
                // SAFETY: as above.
                last(unsafe { self.lasts.get_unchecked(steps.lasts.0 as usize + step) }, codes, labels);
            }
        }
        labels
    }
}

/// Where the codes of a slot begin, `V * 64` for each.
#[inline(always)]
fn start<const V: usize>(slot: &u16) -> usize {
    // SAFETY: a slot; volatile, so that it is one load: the compiler would load some together and take them apart again.
    usize::from(unsafe { std::ptr::from_ref(slot).read_volatile() }) * (V * VECTOR)
}

/// The codes of 64 rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn column(codes: &[u8], start: usize, vector: usize) -> __m512i {
    // SAFETY: codes hold `V * 64` rows for every slot; columns begin at lines.
    unsafe { _mm512_load_si512(codes.as_ptr().add(start + vector * VECTOR).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn trio<const V: usize>(trio: &Trio, codes: &[u8], labels: &mut [__m512i; V]) {
    let own = all(&trio.own);
    let (limits, rights) =
        (trio.limits.each_ref().map(|limit| all(limit)), trio.rights.each_ref().map(|right| all(right)));
    let starts = trio.slots.each_ref().map(start::<V>);
    for (vector, label) in labels.iter_mut().enumerate() {
        let [node, left, right] = starts.map(|start| column(codes, start, vector));
        let mine = _mm512_cmpeq_epi8_mask(*label, own);
        let fails = _mm512_mask_cmpge_epu8_mask(mine, node, limits[0]);
        let of_left = _mm512_mask_cmpge_epu8_mask(_kandn_mask64(fails, mine), left, limits[1]);
        let of_right = _mm512_mask_cmpge_epu8_mask(fails, right, limits[2]);
        *label = _mm512_mask_mov_epi8(*label, of_left, rights[1]);
        *label = _mm512_mask_mov_epi8(*label, fails, rights[0]);
        *label = _mm512_mask_mov_epi8(*label, of_right, rights[2]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn last<const V: usize>(last: &Last, codes: &[u8], labels: &mut [__m512i; V]) {
    let (own, limit, right) = (all(&last.own), all(&last.limit), all(&last.right));
    let start = start::<V>(&last.slot);
    for (vector, label) in labels.iter_mut().enumerate() {
        let fails = _mm512_cmpge_epu8_mask(column(codes, start, vector), limit);
        *label = _mm512_mask_mov_epi8(*label, _mm512_mask_cmpeq_epi8_mask(fails, *label, own), right);
    }
}

/// Nodes of a tree, at most: its labels are bytes.
const NODES: usize = 256;
/// No child.
const NONE: u8 = u8::MAX;

/// A tree taken apart.
#[derive(Debug, Default)]
struct Parts {
    nodes: Vec<Node>,
    /// Nodes with those of their children that go along, parents first.
    trios: Vec<Trio>,
    /// Nodes without children.
    lasts: Vec<Last>,
}

impl Parts {
    /// Takes a tree apart, whose nodes come parents first, into as cheap steps as can be.
    fn fill(&mut self, tree: impl Iterator<Item = Node>) {
        self.nodes.clear();
        self.nodes.extend(tree);
        self.trios.clear();
        self.lasts.clear();
        let nodes = &self.nodes;
        // The children of every node: a left one has its label, a right one its right label, and each is the first such one after it.
        let mut children = [[NONE; 2]; NODES];
        let mut parents: [Option<(u8, usize)>; NODES] = [None; NODES];
        for (node, at) in nodes.iter().zip(0..NONE) {
            if let Some((parent, side)) = parents[usize::from(node.label)] {
                children[usize::from(parent)][side] = at;
            }
            parents[usize::from(node.label)] = Some((at, 0));
            parents[usize::from(node.right)] = Some((at, 1));
        }
        let children_of = |at: u8| children[usize::from(at)].into_iter().filter(|&child| child != NONE);
        // What a tree costs from a node on, when a step begins there, and when the node goes along with its parent.
        let mut costs = [(0, 0); NODES];
        for (_, at) in nodes.iter().zip(0..NONE).rev() {
            let (mut begin, mut along) = (0, 0);
            for child in children_of(at) {
                let (own, with_parent) = costs[usize::from(child)];
                begin += u32::min(own, with_parent);
                along += own;
            }
            let own = if children_of(at).next().is_none() { COSTS.1 } else { COSTS.0 };
            costs[usize::from(at)] = (begin + own, along);
        }
        let mut waiting = Vec::with_capacity(NODES);
        waiting.extend((!nodes.is_empty()).then_some(0));
        while let Some(at) = waiting.pop() {
            let node = nodes[usize::from(at)];
            if children_of(at).next().is_none() {
                self.lasts.push(Last::new(node));
                continue;
            }
            let mut along = [None; 2];
            for (child, along) in
                children[usize::from(at)].into_iter().zip(&mut along).filter(|(child, _)| *child != NONE)
            {
                let (own, with_parent) = costs[usize::from(child)];
                if with_parent < own {
                    *along = Some(nodes[usize::from(child)]);
                    waiting.extend(children_of(child));
                } else {
                    waiting.push(child);
                }
            }
            self.trios.push(Trio::new(node, along));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nodes of a tree of so many full levels, in preorder.
    fn full(levels: u32, label: u8, free: &mut u8, nodes: &mut Vec<Node>) {
        if levels > 0 {
            let right = *free;
            *free += 1;
            nodes.push(Node { slot: 0, limit: 0, label, right });
            full(levels - 1, label, free, nodes);
            full(levels - 1, right, free, nodes);
        }
    }

    /// The steps of a tree: with children, and without.
    fn part(nodes: &[Node]) -> (usize, usize) {
        let mut parts = Parts::default();
        parts.fill(nodes.iter().copied());
        (parts.trios.len(), parts.lasts.len())
    }

    #[test]
    fn trees_are_taken_apart_as_cheaply_as_can_be() {
        let parts = |levels| {
            let mut nodes = Vec::new();
            full(levels, 0, &mut 1, &mut nodes);
            part(&nodes)
        };
        assert_eq!(parts(0), (0, 0));
        assert_eq!(parts(1), (0, 1));
        assert_eq!(parts(2), (1, 0));
        assert_eq!(parts(6), (1 + 4 + 16, 0));
        // The root alone, so that no node of the last level is.
        assert_eq!(parts(5), (1 + 2 + 8, 0));
        // One leaf next to every node: each takes the next one along.
        let line: Vec<Node> = (0..7).map(|at| Node { slot: 0, limit: 0, label: at, right: at + 1 }).collect();
        assert_eq!(part(&line), (3, 1));
    }
}
