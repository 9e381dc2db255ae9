//! Trees of few levels, side by side: one tier of all of them after the other.
//!
//! A tier of a tree has a node for every way that leads there. Which of them a row meets depends on its turns further up, so that the
//! slot and the limit of that node are picked, for all trees of a register at once, from those of all nodes of the tier: by one blend
//! for each pair of them, of which only the last has to wait for the turn just taken. One look-up and one comparison then decide the
//! tier. Where a branch ends early, nodes that every row leaves to the left lead on to the last tier.
//!
//! The further down, the more nodes of a tier are there for one that a row meets, and all of them come from the second cache. The last
//! tiers are therefore in `tufts`.
//!
//! A way is a number: the turn at the root is its lowest bit, a turn to the right is 1.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::handover::SIDE;
use super::kernel::{Kernel, Rowwise};
use super::lines::{Bytes, Line};
use super::lowered::{Lowered, Number};
use super::nibbles::by_parts;
use super::processor::Processor;
use super::ranks;
use super::scratch::Scratch;
use super::slab::{self, Slab};
use super::slots::Parts;
use super::sums::{Leaves, Sink, Sums};
use super::tufts::{self, Tufts};
use crate::ir::Precision;
use std::sync::Arc;

/// Slots of codes that a node can name.
const CODES: usize = 256;
/// Tiers of the deepest tree.
const TIERS: usize = 8;
/// The most tiers of which trees lie side by side.
pub const FIRST: usize = 6;
/// How many times the nodes and leaves that there are their places may be.
const ROOM: usize = 4;
/// Bytes of a line.
const LINE: usize = size_of::<Bytes>();

/// A forest laid out for it.
#[derive(Debug)]
pub struct Tiers {
    coder: Arc<Ranked<u8>>,
    processor: Processor,
    /// Tiers of the deepest tree.
    depth: usize,
    /// The last tiers.
    tufts: Tufts,
    /// Whether nodes have bases: what is taken from a code before it is compared, so that missing values may go to either side.
    ranges: bool,
    /// For each 64 trees, tier by tier: the slots of every node, then the limits, then the bases.
    lines: Slab<Bytes>,
    /// Trees.
    trees: usize,
}

/// Instructions of a row, an estimate; `None` where trees are too deep for it.
#[allow(clippy::cast_precision_loss)]
pub fn cost(lowered: &Lowered<'_>, slots: usize, processor: Processor) -> Option<f64> {
    /// Of a tree, from its way to its leaf.
    const TREE: f64 = 4.0;
    let trees = lowered.forest.trees().len();
    let tiers = tiers(lowered)?;
    let kinds = if lowered.numbers.first().is_some_and(Number::both) { 3.0 } else { 2.0 };
    let last = tufts::tiers(processor);
    let first = tiers.saturating_sub(last);
    let nodes = f64::from(1 << first);
    let (group, tree) = match processor {
        Processor::Portable => return None,
        // Halves of a group and eight tufts, whose look-ups take some instructions for every sixteen slots.
        Processor::Avx2 | Processor::Avx512 => {
            let look_up = slots as f64 / 4.0;
            (2.0 * (1.5 * kinds * nodes + first as f64 * (12.0 + look_up)), 2.5 + look_up / 8.0)
        }
        Processor::Vbmi => (kinds * nodes + first as f64 * 16.0, TREE + 5.0),
    };
    Some(trees.div_ceil(SIDE) as f64 * group + trees as f64 * tree)
}

/// Tiers of the deepest tree; `None` where there are too many, or too few of their places are taken.
fn tiers(lowered: &Lowered<'_>) -> Option<usize> {
    let trees = lowered.forest.trees();
    let tiers = Some(lowered.depth().max(1)).filter(|&tiers| tiers <= TIERS)?;
    let there: usize = trees.iter().map(|tree| tree.nodes.len() + 1).sum();
    let places = u32::try_from(trees.len() << tiers).ok()?;
    (places as usize <= ROOM * there).then_some(tiers)
}

/// Calls `put` with every node of a tree, the way that leads to it, and its tier; returns the way and the tier of the leaf of each label.
fn ways(lowered: &Lowered<'_>, tree: usize, mut put: impl FnMut(usize, usize, usize)) -> [(u8, u8); 1 << TIERS] {
    let mut next = [(0, 0); 1 << TIERS];
    for step in lowered.order_of(tree).0 {
        let (way, tier) = next[step.label as usize];
        put(step.node as usize, usize::from(way), usize::from(tier));
        next[step.label as usize] = (way, tier + 1);
        next[step.right as usize] = (way | 1 << tier, tier + 1);
    }
    next
}

/// The leaf behind every way through a tree, tuft after tuft: first by the turns in the first tiers, then by those behind them.
fn behind(lowered: &Lowered<'_>, tree: usize, depth: usize, first: usize) -> Vec<usize> {
    let ways = ways(lowered, tree, |_, _, _| {});
    let mut leaves = vec![0; 1 << depth];
    for (leaf, &label) in lowered.order_of(tree).1.iter().enumerate() {
        let (way, tier) = ways[label as usize];
        for way in (usize::from(way)..1 << depth).step_by(1 << tier) {
            let before = way & ((1 << first) - 1);
            leaves[before << (depth - first) | way >> first] = leaf;
        }
    }
    leaves
}

impl Tiers {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, processor: Processor) -> Option<Self> {
        if processor == Processor::Portable {
            return None;
        }
        let last = tufts::tiers(processor);
        let tiers = tiers(lowered)?.max(last);
        let coder = |parts| {
            let coder = Ranked::new(lowered, ranks::BYTES, parts, processor)?;
            (coder.slots().count() <= CODES).then_some(coder)
        };
        let coder = coder(Parts::ALL).or_else(|| coder(Parts { second: false, ..Parts::ALL }))?;
        let ranges = !coder.parts().second && lowered.numbers.first().is_some_and(Number::both);
        let mut laid = Self {
            coder: Arc::new(coder),
            processor,
            depth: tiers,
            tufts: Tufts::new(lowered.forest.trees().len(), tiers - last, processor),
            ranges,
            lines: slab::room(0),
            trees: lowered.forest.trees().len(),
        };
        let group = laid.group();
        // Slot 0 holds a code below every limit but 0.
        laid.lines.resize(lowered.forest.trees().len().div_ceil(SIDE) * group, Line([0; LINE]));
        for first in (0..lowered.forest.trees().len().div_ceil(SIDE)).map(|at| at * group) {
            for tier in 0..laid.first_tiers() {
                let limits = first + laid.kinds(tier)[1];
                laid.lines[limits..][..1 << tier].fill(Line([1; LINE]));
            }
        }
        for tree in 0..lowered.forest.trees().len() {
            laid.put(lowered, tree);
        }
        if processor != Processor::Vbmi {
            laid.change();
        }
        Some(laid)
    }

    /// Makes numbers changes of numbers: what a row picks becomes the exclusive or of all lines whose way goes right only where its own
    /// does, and picking by one turn takes an `and` and an exclusive or, for which processors have more room than for a blend.
    fn change(&mut self) {
        let (group, kinds, tiers) = (self.group(), self.numbers(), self.first_tiers());
        for lines in self.lines.chunks_exact_mut(group.max(1)) {
            let mut first = 0;
            for tier in 0..tiers {
                for lines in lines[first..][..kinds << tier].chunks_exact_mut(1 << tier) {
                    for turn in 0..tier {
                        for way in (0..1 << tier).filter(|way| way >> turn & 1 == 1) {
                            let left = lines[way ^ 1 << turn].0;
                            lines[way].0.iter_mut().zip(left).for_each(|(number, left)| *number ^= left);
                        }
                    }
                }
                first += kinds << tier;
            }
        }
    }

    /// Kinds of numbers that a node has.
    #[inline]
    fn numbers(&self) -> usize {
        if self.ranges { 3 } else { 2 }
    }

    /// Where the slots, the limits and the bases of a tier begin in the lines of a group.
    #[inline]
    pub(super) fn kinds(&self, tier: usize) -> [usize; 3] {
        let first = self.numbers() * ((1 << tier) - 1);
        [0, 1, 2].map(|kind| first + (kind << tier))
    }

    /// Tiers of which 64 trees lie side by side.
    #[inline]
    pub(super) fn first_tiers(&self) -> usize {
        self.tufts.first()
    }

    /// Lines of a group.
    #[inline]
    fn group(&self) -> usize {
        self.kinds(self.first_tiers())[0]
    }

    /// Puts a tree in its place.
    fn put(&mut self, lowered: &Lowered<'_>, tree: usize) {
        let first = tree / SIDE * self.group();
        let tests = lowered.tests(tree);
        ways(lowered, tree, |node, way, tier| {
            let (slot, limit, base) = self.coder.range(lowered, tests[node]);
            let numbers = [super::narrow(slot), limit, base];
            if tier < self.first_tiers() {
                for (kind, number) in self.kinds(tier).into_iter().zip(numbers).take(self.numbers()) {
                    self.lines[first + kind + way].0[tree % SIDE] = number;
                }
            } else {
                self.tufts.put(tree, way, tier, numbers);
            }
        });
    }

    /// The sums of the leaves, each known by a way that leads to it; tufts take the values of float32 along.
    pub fn sums(&mut self, lowered: &Lowered<'_>) -> Sums {
        let first = self.first_tiers();
        let sums = Sums::new(lowered, |tree| behind(lowered, tree, self.depth, first));
        if let Some(plain) = sums.plain().filter(|plain| plain.sum == Precision::F32) {
            for (tree, values) in plain.values.chunks_exact(1 << self.depth).enumerate() {
                self.tufts.values(tree, values);
            }
        }
        sums
    }

    /// Trees.
    #[inline]
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<u8>> {
        &self.coder
    }

    /// The last tiers.
    #[inline]
    pub(super) fn tufts(&self) -> &Tufts {
        &self.tufts
    }

    /// The lines of each group.
    #[inline]
    pub(super) fn groups(&self) -> impl Iterator<Item = *const Bytes> {
        let (first, group) = (self.lines.as_ptr(), self.group());
        (0..self.trees.div_ceil(SIDE)).map(move |at| first.wrapping_add(at * group))
    }
}

/// One row's codes, and the forest they go through.
#[derive(Clone, Copy)]
struct Look<'a> {
    tiers: &'a Tiers,
    codes: &'a [Bytes],
}

impl Leaves for Look<'_> {
    #[inline]
    fn each<S: Sink>(&self, sink: S) -> S {
        let (tiers, codes) = (self.tiers, self.codes);
        // SAFETY: a processor is only chosen where it is.
        unsafe {
            match (tiers.processor, tiers.coder.slots().count(), tiers.ranges) {
                (Processor::Vbmi, ..=64, false) => tiers.each_vbmi::<1, false, S>(codes, sink),
                (Processor::Vbmi, ..=64, true) => tiers.each_vbmi::<1, true, S>(codes, sink),
                (Processor::Vbmi, ..=128, false) => tiers.each_vbmi::<2, false, S>(codes, sink),
                (Processor::Vbmi, ..=128, true) => tiers.each_vbmi::<2, true, S>(codes, sink),
                (Processor::Vbmi, _, false) => tiers.each_vbmi::<4, false, S>(codes, sink),
                (Processor::Vbmi, _, true) => tiers.each_vbmi::<4, true, S>(codes, sink),
                (_, count, ranges) => {
                    macro_rules! go {
                        ($parts:literal) => {
                            if ranges {
                                tiers.each_avx2::<$parts, true, S>(codes, sink)
                            } else {
                                tiers.each_avx2::<$parts, false, S>(codes, sink)
                            }
                        };
                    }
                    by_parts!(count, go)
                }
            }
        }
    }
}

impl Rowwise for Tiers {
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> impl Leaves + 'a {
        let codes = scratch.codes.room::<u8>(CODES);
        self.coder.code(row, codes, &mut scratch.keys);
        Look { tiers: self, codes: scratch.codes.room::<Bytes>(CODES / LINE) }
    }
}

impl Kernel for Tiers {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        self.add_each(rows, sums, out, stride, scratch);
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        self.leaves_each(rows, scratch, put);
    }

    fn bytes(&self) -> usize {
        self.coder.bytes() + size_of_val(self.lines.as_slice()) + self.tufts.bytes()
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        super::warm(&self.lines);
        self.tufts.prefetch();
    }
}
