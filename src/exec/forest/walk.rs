//! The general kernel with its codes, for one row and for many.

use super::super::{Number as Value, Rows};
use super::coder::Coder;
use super::entry::Entry;
use super::grove::{Grove, LANES};
use super::kernel::Kernel;
use super::lowered::Lowered;
use super::processor::Processor;
use super::scratch::Scratch;
use super::sums::Sums;

/// The most walks that begin together.
const WALKS: usize = 512;
/// Bytes of codes that such rows may take: they are read over and over.
const CODES: usize = 256 << 10;
/// Rows from which on trees come first and rows within them.
const MANY: usize = 24;
/// Bytes of nodes from which on that pays: they do not stay in the second cache from one row to the next.
const LARGE: usize = 1 << 20;

/// Instructions of a row, an estimate.
#[allow(clippy::cast_precision_loss)]
pub fn cost(lowered: &Lowered<'_>) -> f64 {
    // Most of what counting finds above the plan of the legs are registers that do not suffice.
    const REALLY: f64 = 1.4;
    REALLY * lowered.legs().cost() + lowered.conditions.count as f64
}

/// A forest in one layout.
#[derive(Debug)]
pub struct Walk<C, E> {
    coder: C,
    grove: Grove<E>,
}

impl<C: Coder, E: Entry<Code = C::Code>> Walk<C, E> {
    /// Lays a forest out; `None` when it does not fit this kind of node.
    pub fn new(lowered: &Lowered<'_>, coder: C, processor: Processor) -> Option<Self> {
        let grove = Grove::new(lowered, coder.slots().count(), processor, |test| coder.place(lowered, test))?;
        Some(Self { coder, grove })
    }

    /// What makes its codes.
    pub fn coder(&self) -> &C {
        &self.coder
    }

    /// Calls `put` with block after block of trees: the first tree, and the leaves that the row reaches from there on.
    #[inline]
    fn each_block<T: Value>(&self, row: &[T], trees: usize, scratch: &mut Scratch, mut put: impl FnMut(usize, &[u32])) {
        let codes = scratch.codes.room(self.stride());
        self.coder.code(row, codes, &mut scratch.keys);
        let words = self.grove.words(&codes[..self.grove.slots()], &mut scratch.words);
        for first in (0..trees).step_by(WALKS) {
            let count = WALKS.min(trees - first);
            let leaves = scratch.labels.room(count);
            self.grove.row(words, first, leaves, scratch.waiting.room(count + 2 * LANES));
            put(first, leaves);
        }
    }

    /// Rows of codes begin at cache lines.
    fn stride(&self) -> usize {
        self.grove.slots().next_multiple_of(64 / size_of::<C::Code>())
    }

    /// Calls `put` with tree after tree and the leaves that the rows reach in it.
    #[inline]
    fn each_tree<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, mut put: impl FnMut(usize, &[u32])) {
        let stride = self.stride();
        let codes = scratch.codes.room(stride * rows.count());
        for (row, codes) in rows.iter().zip(codes.chunks_exact_mut(stride)) {
            self.coder.code(row, codes, &mut scratch.keys);
        }
        let words = self.grove.words(codes, &mut scratch.words);
        let leaves = scratch.labels.room(rows.count());
        let waiting = scratch.waiting.room(rows.count() + 2 * LANES);
        for tree in 0..self.grove.trees() {
            self.grove.rows(words, stride, tree, leaves, waiting);
            put(tree, leaves);
        }
    }
}

impl<C: Coder, E: Entry<Code = C::Code>> Kernel for Walk<C, E> {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        let outputs = sums.layout().base.len();
        if rows.count() >= MANY && self.grove.bytes() > LARGE {
            let size = (CODES / (self.stride() * size_of::<E::Word>())).clamp(MANY, WALKS);
            for (block, out) in rows.blocks(size).zip(out.chunks_mut(size * stride)) {
                self.each_tree(block, scratch, |tree, leaves| {
                    sums.add_rows(tree, leaves.iter().copied(), block, out, stride);
                });
            }
            return;
        }
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
            self.each_block(row, sums.trees(), scratch, |first, leaves| {
                sums.add(first, leaves, row, &mut out[..outputs]);
            });
        }
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        for (index, row) in rows.iter().enumerate() {
            self.each_block(row, self.grove.trees(), scratch, |first, leaves| {
                for (tree, &leaf) in (first..).zip(leaves) {
                    put(index, tree, leaf);
                }
            });
        }
    }

    fn bytes(&self) -> usize {
        self.coder.bytes() + self.grove.bytes()
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        self.grove.prefetch();
    }
}
