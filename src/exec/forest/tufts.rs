//! The last tiers of trees side by side (`tiers`): what a row may still meet of a tree lies in one cache line.
//!
//! A tuft is what a way through the tiers further up leads to: with AVX-512 VBMI three tiers, seven nodes and eight leaves with their values
//! in 64 bytes, with AVX2 two tiers, three nodes and four leaves in 32, since there a look-up costs more and a pick among nodes less. The
//! nodes of eight tufts fill a register, are decided by one look-up and one comparison, and a table says which leaf the decisions of a tuft
//! lead to. What does so is in `turns`.
#![allow(unsafe_code)]

use super::lines::{Bytes, Line};
use super::processor::Processor;
use super::slab::{self, Slab};

/// Bytes of a line.
const LINE: usize = size_of::<Bytes>();
/// Bytes of a value.
const VALUE: usize = size_of::<f32>();

/// The most trees whose tufts are decided at once; there are tufts for a multiple of them.
pub const TOGETHER: usize = 16;

/// Tiers of a tuft for AVX-512 VBMI.
pub const VBMI: usize = 3;
/// Tiers of a tuft for AVX2.
pub const AVX2: usize = 2;

/// Tiers of a tuft.
pub fn tiers(processor: Processor) -> usize {
    if processor == Processor::Vbmi { VBMI } else { AVX2 }
}

/// Bytes of a tuft of so many leaves.
pub const fn size(width: usize) -> usize {
    VALUE * width + KINDS * width
}

/// Where the numbers of one kind begin in a tuft of so many leaves: slots, limits, bases. The values of its leaves come first.
pub const fn kind(width: usize, kind: usize) -> usize {
    VALUE * width + kind * width
}

/// Kinds of numbers, one of them unused.
const KINDS: usize = 4;

/// For each set of nodes of a tuft where a row goes right, the way through it: the turn at its first node is the lowest bit. Nodes are
/// counted tier by tier, and within a tier by the way that leads to them.
#[allow(clippy::cast_possible_truncation)] // ways are less than eight
pub static WAYS: [u8; 256] = {
    let mut ways = [0; 256];
    let mut fails: usize = 0;
    while fails < ways.len() {
        let (mut way, mut tier) = (0, 0);
        while tier < VBMI {
            let node = (1 << tier) - 1 + way;
            way |= (fails >> node & 1) << tier;
            tier += 1;
        }
        ways[fails] = way as u8;
        fails += 1;
    }
    ways
};

/// The tufts of a forest: for each tree one behind every way through its first tiers.
#[derive(Debug)]
pub struct Tufts {
    lines: Slab<Bytes>,
    /// Tiers further up.
    first: usize,
    /// Leaves of a tuft.
    width: usize,
}

impl Tufts {
    /// The tufts of so many trees, whose first tiers are so many, all of whose nodes every row leaves to the left.
    pub fn new(trees: usize, first: usize, processor: Processor) -> Self {
        let width = 1 << tiers(processor);
        let count = trees.next_multiple_of(TOGETHER) << first;
        // Slot 0 holds a code below every limit but 0.
        let mut nothing = Line([0; LINE]);
        for tuft in nothing.0.chunks_exact_mut(size(width)) {
            tuft[kind(width, 1)..][..width].fill(1);
        }
        Self { lines: slab::filled(nothing, (count * size(width)).div_ceil(LINE)), first, width }
    }

    /// Puts a node in its place: slot, limit and base of the one that a way of as many turns as there are tiers further up leads to.
    pub fn put(&mut self, tree: usize, way: usize, tier: usize, numbers: [u8; 3]) {
        let before = (1 << (tier - self.first)) - 1;
        let (tuft, way) = self.tuft(tree, way);
        for (at, number) in numbers.into_iter().enumerate() {
            *self.byte(tuft + kind(self.width, at) + before + way) = number;
        }
    }

    /// Puts the values of a tree's leaves in their places: tuft after tuft those behind all ways through it.
    #[allow(clippy::cast_possible_truncation)] // values are float32
    pub fn values(&mut self, tree: usize, values: &[f64]) {
        for (leaf, value) in values.iter().enumerate() {
            let tuft = ((tree << self.first) + leaf / self.width) * size(self.width);
            for (at, byte) in (*value as f32).to_ne_bytes().into_iter().enumerate() {
                *self.byte(tuft + leaf % self.width * VALUE + at) = byte;
            }
        }
    }

    /// Where the tuft begins that a way leads to, in bytes, and the rest of the way.
    fn tuft(&self, tree: usize, way: usize) -> (usize, usize) {
        let before = way & ((1 << self.first) - 1);
        (((tree << self.first) + before) * size(self.width), way >> self.first)
    }

    fn byte(&mut self, at: usize) -> &mut u8 {
        &mut self.lines[at / LINE].0[at % LINE]
    }

    /// Bytes of all tufts.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
    }

    /// Reads all tufts.
    pub fn prefetch(&self) {
        super::warm(&self.lines);
    }

    /// Tiers further up.
    #[inline]
    pub fn first(&self) -> usize {
        self.first
    }

    /// The tufts of a tree, each of `size(WIDTH)` bytes.
    #[inline(always)]
    pub fn of<const WIDTH: usize>(&self, tree: usize) -> *const f32 {
        self.lines.as_ptr().cast::<f32>().wrapping_byte_add((tree << self.first) * size(WIDTH))
    }

    /// The first leaf of a tree, all leaves counted tuft after tuft.
    #[inline(always)]
    pub fn leaf<const WIDTH: usize>(&self, tree: usize) -> usize {
        (tree << self.first) * WIDTH
    }
}
