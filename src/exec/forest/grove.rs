//! The general kernel: many trees, or many rows, walked at once so that their loads overlap.
//!
//! One step of a walk is a load of an entry, a load of a code, a comparison and two additions, without a branch. A dozen walks are
//! interleaved. All go as many steps as most of them need, and stay at a leaf that they reach before; those that have not arrived by then go
//! a few steps more together, and so on.
#![allow(unsafe_code)]

use super::entry::Entry;
use super::lowered::{Lowered, Test};
use crate::ir::forest::{Place, Tree};

/// Walks at once.
const LANES: usize = 12;
/// Steps of the walks that have not arrived, between two looks at which they are.
const STEPS: usize = 3;

/// Where a tree begins.
#[derive(Debug, Clone, Copy)]
struct Root {
    /// Its first entry.
    entry: u32,
    /// The place of its first leaf among all leaves.
    leaf: u32,
}

/// A forest laid out for the general kernel.
#[derive(Debug)]
pub struct Grove<E> {
    /// Every tree from its root on, children behind their parents.
    entries: Vec<E>,
    roots: Vec<Root>,
    /// Codes of a row.
    slots: usize,
    /// Steps that most walks need.
    steps: usize,
    /// Whether no walk needs more.
    all: bool,
}

impl<E: Entry> Grove<E> {
    /// Lays a forest out; `place` gives the slot and the limit of a test. `None` when a tree does not fit this kind of entry.
    pub fn new(lowered: &Lowered<'_>, slots: usize, place: impl Fn(Test) -> (usize, E::Code)) -> Option<Self> {
        let trees = lowered.forest.trees();
        let entries: usize = trees.iter().map(|tree| 2 * tree.nodes.len() + 1).sum();
        if slots > E::SLOTS || u32::try_from(entries).is_err() {
            return None;
        }
        let mut grove = Self {
            entries: Vec::with_capacity(entries),
            roots: Vec::with_capacity(trees.len()),
            slots,
            steps: 0,
            all: true,
        };
        let (mut steps, mut deepest) = (0.0, 0);
        for (index, tree) in trees.iter().enumerate() {
            if tree.leaves() > E::LEAVES {
                return None;
            }
            let entry = super::narrow(grove.entries.len());
            let (mean, most) = grove.plant(tree, lowered.tests(index), lowered.labels(index), &place)?;
            steps += mean;
            deepest = deepest.max(most);
            grove.roots.push(Root { entry, leaf: lowered.leaves[index] });
        }
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an estimate
        {
            let mean = (steps / trees.len().max(1) as f64).round() as usize;
            // Where some walks are hardly longer than most, looking for them costs more than it saves.
            grove.all = deepest <= mean + mean / 4;
            grove.steps = if grove.all { deepest } else { mean };
        }
        Some(grove)
    }

    /// Appends a tree and returns how many steps its leaves are from its root, on average and at most. The child with more leaves comes first, so
    /// that most walks go straight on.
    fn plant(
        &mut self,
        tree: &Tree,
        tests: &[Test],
        labels: &[u32],
        place: &impl Fn(Test) -> (usize, E::Code),
    ) -> Option<(f64, usize)> {
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
        // Every node is a step for every leaf below it.
        let steps: f64 = weights.into_iter().map(f64::from).sum();
        Some((steps / f64::from(super::narrow::<u32>(tree.leaves())), deepest))
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

    /// Leads walks from entries to leaves; `waiting` is working memory, one place for each.
    ///
    /// # Safety
    /// Every `at` is the place of an entry, and `codes` gives each walk the codes of a row.
    #[inline(always)]
    unsafe fn lead(&self, at: &mut [u32], waiting: &mut [u32], codes: impl Fn(usize) -> *const E::Code) {
        // SAFETY: as promised.
        unsafe { self.walk(at, self.steps, at.len(), |walk| walk, &codes) };
        if self.all {
            return;
        }
        let waiting = &mut waiting[..at.len()];
        waiting.iter_mut().zip(0..).for_each(|(waiting, walk)| *waiting = walk);
        let mut count = waiting.len();
        loop {
            let mut left = 0;
            for index in 0..count {
                // SAFETY: walks are numbers of places of `at`, in ascending order, and so is how many are left; an entry is at each.
                left += unsafe {
                    let walk = *waiting.get_unchecked(index);
                    *waiting.get_unchecked_mut(left) = walk;
                    usize::from(self.entries.get_unchecked(*at.get_unchecked(walk as usize) as usize).offset() != 0)
                };
            }
            count = left;
            if count == 0 {
                return;
            }
            // SAFETY: as promised.
            unsafe { self.walk(at, STEPS, count, |index| waiting[index] as usize, &codes) };
        }
    }

    /// Takes `count` walks so many steps on.
    ///
    /// # Safety
    /// Those of [`Grove::lead`], and `walk` gives the numbers of places of `at`.
    #[inline(always)]
    unsafe fn walk(
        &self,
        at: &mut [u32],
        steps: usize,
        count: usize,
        walk: impl Fn(usize) -> usize,
        codes: &impl Fn(usize) -> *const E::Code,
    ) {
        for first in (0..count).step_by(LANES) {
            // Where fewer walks are left than lanes, the others are the last one again.
            let walks: [usize; LANES] = std::array::from_fn(|lane| walk((first + lane).min(count - 1)));
            let codes = walks.map(codes);
            debug_assert!(walks.iter().all(|&walk| walk < at.len()));
            // SAFETY: a walk is the number of a place of `at`.
            let mut lanes = walks.map(|walk| unsafe { *at.get_unchecked(walk) } as usize);
            for _ in 0..steps {
                for (lane, codes) in lanes.iter_mut().zip(codes) {
                    // SAFETY: the entry a step leads to exists: a node's children do, and a leaf leads to itself.
                    *lane = unsafe { self.step(*lane, codes) };
                }
            }
            for (walk, lane) in walks.into_iter().zip(lanes) {
                #[allow(clippy::cast_possible_truncation)] // entries are numbers of 32 bits
                // SAFETY: as above.
                unsafe {
                    *at.get_unchecked_mut(walk) = lane as u32;
                }
            }
        }
    }

    /// The leaf of a walk that has ended.
    ///
    /// # Safety
    /// `at` is the place of an entry.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // a forest has fewer than 2^31 leaves
    unsafe fn arrived(&self, root: Root, at: u32) -> u32 {
        // SAFETY: as promised.
        root.leaf + unsafe { self.entries.get_unchecked(at as usize) }.leaf() as u32
    }

    /// The leaves that one row reaches in the trees from `first` on, one for each place of `leaves`; `waiting` is working memory
    /// of the same size.
    ///
    /// # Panics
    /// When `codes` are fewer than the slots.
    pub fn row(&self, codes: &[E::Code], first: usize, leaves: &mut [u32], waiting: &mut [u32]) {
        assert!(codes.len() >= self.slots);
        let roots = &self.roots[first..][..leaves.len()];
        leaves.iter_mut().zip(roots).for_each(|(at, root)| *at = root.entry);
        // SAFETY: the walks begin at roots, and there are codes for all slots.
        unsafe { self.lead(leaves, waiting, |_| codes.as_ptr()) };
        // SAFETY: walks end at entries.
        leaves.iter_mut().zip(roots).for_each(|(leaf, root)| *leaf = unsafe { self.arrived(*root, *leaf) });
    }

    /// The leaves of one tree that rows reach, one for each place of `leaves`; the codes of a row stand `stride` behind those of the
    /// one before; `waiting` is working memory of the same size as `leaves`.
    ///
    /// # Panics
    /// When `stride` is below the slots, or `codes` are too few.
    pub fn rows(&self, codes: &[E::Code], stride: usize, tree: usize, leaves: &mut [u32], waiting: &mut [u32]) {
        assert!(stride >= self.slots && codes.len() >= stride * leaves.len());
        let root = self.roots[tree];
        leaves.fill(root.entry);
        // SAFETY: the walks begin at a root; the codes of every row lie within `codes`.
        unsafe { self.lead(leaves, waiting, |row| codes.as_ptr().wrapping_add(row * stride)) };
        // SAFETY: walks end at entries.
        leaves.iter_mut().for_each(|leaf| *leaf = unsafe { self.arrived(root, *leaf) });
    }

    /// Reads all entries.
    pub fn prefetch(&self) {
        super::warm(&self.entries);
        super::warm(&self.roots);
    }
}
