//! The general kernel: many trees, or many rows, walked at once so that their loads overlap.
//!
//! One step of a walk is a load of an entry, a load of a code, a comparison and two additions, without a branch. A dozen walks are
//! interleaved; each ends in a leaf, where it stays until the last of them has arrived.
#![allow(unsafe_code)]

use super::entry::Entry;
use super::lowered::{Lowered, Test};
use crate::ir::forest::{Place, Tree};

/// Walks at once.
const LANES: usize = 12;
/// Steps between two looks at whether all walks have ended.
const STEPS: usize = 4;

/// Where a tree begins.
#[derive(Debug, Clone, Copy)]
struct Root {
    /// Its first entry.
    entry: u32,
    /// The place of its first leaf among all leaves.
    leaf: u32,
    /// Steps to its deepest leaf.
    depth: u32,
}

/// A forest laid out for the general kernel.
#[derive(Debug)]
pub struct Grove<E> {
    /// Every tree from its root on, children behind their parents.
    entries: Vec<E>,
    roots: Vec<Root>,
    /// Codes of a row.
    slots: usize,
}

impl<E: Entry> Grove<E> {
    /// Lays a forest out; `place` gives the slot and the limit of a test. `None` when a tree does not fit this kind of entry.
    pub fn new(lowered: &Lowered<'_>, slots: usize, place: impl Fn(Test) -> (usize, E::Code)) -> Option<Self> {
        let trees = lowered.forest.trees();
        let entries: usize = trees.iter().map(|tree| 2 * tree.nodes.len() + 1).sum();
        if slots > E::SLOTS || u32::try_from(entries).is_err() {
            return None;
        }
        let mut grove = Self { entries: Vec::with_capacity(entries), roots: Vec::with_capacity(trees.len()), slots };
        for (index, tree) in trees.iter().enumerate() {
            if tree.leaves() > E::LEAVES {
                return None;
            }
            let entry = super::narrow(grove.entries.len());
            let depth = grove.plant(tree, lowered.tests(index), lowered.labels(index), &place)?;
            grove.roots.push(Root { entry, leaf: lowered.leaves[index], depth });
        }
        Some(grove)
    }

    /// Appends a tree and returns its depth. The child with more leaves comes first, so that most walks go straight on.
    fn plant(
        &mut self,
        tree: &Tree,
        tests: &[Test],
        labels: &[u32],
        place: &impl Fn(Test) -> (usize, E::Code),
    ) -> Option<u32> {
        use super::slots::Code;
        let weights = super::shape::leaves_below(tree);
        let weight = |place: Place| match place {
            Place::Node(node) => weights[node],
            Place::Leaf(_) => 1,
        };
        let unset = E::new(0, E::Code::ONE, 0);
        let mut waiting = vec![(tree.root().place(), self.entries.len(), 0)];
        self.entries.push(unset);
        let mut deepest = 0;
        while let Some((what, at, depth)) = waiting.pop() {
            deepest = deepest.max(depth);
            let node = match what {
                Place::Leaf(leaf) => {
                    self.entries[at] = E::new(0, E::Code::of(i64::from(labels[leaf]) + 1), 0);
                    continue;
                }
                Place::Node(node) => node,
            };
            let (slot, limit) = place(tests[node]);
            let left = self.entries.len();
            if left - at > E::OFFSET {
                return None;
            }
            self.entries[at] = E::new(slot, limit, left - at);
            self.entries.extend([unset, unset]);
            let children = [tree.nodes[node].left.place(), tree.nodes[node].right.place()];
            let [left, right] = [(children[0], left, depth + 1), (children[1], left + 1, depth + 1)];
            let lighter_first = if weight(children[0]) < weight(children[1]) { [left, right] } else { [right, left] };
            waiting.extend(lighter_first);
        }
        Some(deepest)
    }

    /// Trees.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Codes of a row.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Bytes of the entries.
    pub fn bytes(&self) -> usize {
        size_of_val(self.entries.as_slice()) + size_of_val(self.roots.as_slice())
    }

    /// One step of a walk.
    ///
    /// # Safety
    /// `at` is the place of an entry, `codes` leads to the codes of a row.
    #[inline(always)]
    unsafe fn step(&self, at: usize, codes: *const E::Code) -> usize {
        // SAFETY: `at` is the place of an entry, as promised.
        let entry = unsafe { *self.entries.get_unchecked(at) };
        // SAFETY: `place` gave slots below `slots`, and a row has that many codes.
        let code = unsafe { *codes.add(entry.slot()) };
        at + entry.offset() + usize::from(code >= entry.limit())
    }

    /// Walks until every lane has ended, which is after `depth` steps at most.
    ///
    /// # Safety
    /// Every `at` is the place of an entry, and `codes` gives each lane the codes of a row.
    #[inline(always)]
    unsafe fn walk(&self, at: &mut [usize; LANES], depth: u32, codes: impl Fn(usize) -> *const E::Code) {
        let mut steps = depth as usize;
        while steps > 0 {
            let mut moved = 0;
            for _ in 0..STEPS {
                moved = 0;
                for (lane, at) in at.iter_mut().enumerate() {
                    // SAFETY: the entry a step leads to exists: a node's children do, and a leaf leads to itself.
                    let next = unsafe { self.step(*at, codes(lane)) };
                    moved |= next ^ *at;
                    *at = next;
                }
            }
            if moved == 0 {
                break;
            }
            steps = steps.saturating_sub(STEPS);
        }
    }

    #[inline(always)]
    fn arrived(&self, root: Root, at: usize) -> u32 {
        root.leaf + super::narrow::<u32>(self.entries[at].leaf())
    }

    /// The leaves that one row reaches in the trees from `first` on, one for each place of `leaves`.
    ///
    /// # Panics
    /// When `codes` are fewer than the slots.
    pub fn row(&self, codes: &[E::Code], first: usize, leaves: &mut [u32]) {
        assert!(codes.len() >= self.slots);
        let roots = &self.roots[first..][..leaves.len()];
        for (roots, leaves) in roots.chunks(LANES).zip(leaves.chunks_mut(LANES)) {
            // Where fewer trees are left than lanes, the others walk the last one again.
            let root = |lane: usize| roots[lane.min(roots.len() - 1)];
            let mut at: [usize; LANES] = std::array::from_fn(|lane| root(lane).entry as usize);
            let depth = roots.iter().map(|root| root.depth).max().unwrap_or(0);
            // SAFETY: the walks begin at roots, and there are codes for all slots.
            unsafe { self.walk(&mut at, depth, |_| codes.as_ptr()) };
            for ((leaf, at), root) in leaves.iter_mut().zip(at).zip(roots) {
                *leaf = self.arrived(*root, at);
            }
        }
    }

    /// The leaves of one tree that rows reach, one for each place of `leaves`; the codes of a row stand `stride` behind those of the
    /// one before.
    ///
    /// # Panics
    /// When `stride` is below the slots, or `codes` are too few.
    pub fn rows(&self, codes: &[E::Code], stride: usize, tree: usize, leaves: &mut [u32]) {
        assert!(stride >= self.slots && codes.len() >= stride * leaves.len());
        let root = self.roots[tree];
        for (block, leaves) in leaves.chunks_mut(LANES).enumerate() {
            let last = leaves.len() - 1;
            let row: [usize; LANES] = std::array::from_fn(|lane| (block * LANES + lane.min(last)) * stride);
            let mut at = [root.entry as usize; LANES];
            // SAFETY: the walks begin at a root; a row of codes begins at `row` and lies within `codes`.
            unsafe { self.walk(&mut at, root.depth, |lane| codes.as_ptr().add(row[lane])) };
            for (leaf, at) in leaves.iter_mut().zip(at) {
                *leaf = self.arrived(root, at);
            }
        }
    }

    /// Reads all entries.
    pub fn prefetch(&self) {
        super::warm(&self.entries);
        super::warm(&self.roots);
    }
}
