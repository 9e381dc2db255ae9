//! Pointer jumping in registers: all 64 nodes of a chunk are decided at once, without a branch.
//!
//! What happens in a chunk stands in `registers`; this is how trees become chunks of memory, and how one row goes through all of them.
#![allow(unsafe_code)]

use super::chunk::{Chunks, Exit, ROOTS, SLOTS};
use super::lines::{Bytes, Line};
use super::lowered::{Lowered, Test};
use super::processor::Processor;
use super::ranks::Ranks;
use super::registers::{BYTES, RANGES, Row, WORDS, by_kind};
use super::sets::Sets;
use super::slab::{self, Slab};
use super::slots::Slots;
use super::sums::{Leaves, Sink};
use super::trail::{self, At, Trail};

/// Slots of codes that the tables hold.
pub const CODES: usize = 256;
/// An exit that leads to another chunk has this bit; the others are leaves.
pub const FURTHER: u32 = 1 << 31;

/// What a node compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Codes of 8 bits.
    Bytes,
    /// Codes of 8 bits after a node's own base is taken from them, so that missing values may go to either side.
    Ranges,
    /// Codes of 16 bits, of which the tables hold the halves.
    Words,
}

impl Width {
    /// Lines of a chunk: features, limits, left and right, and what else the width needs.
    pub fn lines(self) -> usize {
        if self == Width::Bytes { 4 } else { 5 }
    }
}

/// A forest in chunks, ready for registers.
#[derive(Debug)]
pub struct Jump {
    pub(super) width: Width,
    /// How maps are permuted.
    pub(super) masked: bool,
    /// Registers that the codes take: 1, 2 or 4.
    pub(super) tables: usize,
    /// Chunk behind chunk: slots of codes, limits, left and right children; then bases, or the upper halves of the limits.
    pub(super) lines: Slab<Bytes>,
    /// For each chunk in which trees begin, the first of them, and behind the last one the number of trees.
    pub(super) heads: Vec<u32>,
    /// For each of these chunks the leaf of exit 0; where every tree is in one chunk, exits are leaves in their order.
    pub(super) leaves: Vec<u32>,
    /// For each chunk its exits: leaves, or chunk and slot with [`FURTHER`]; empty where every tree is in one chunk.
    pub(super) exits: Vec<[u32; SLOTS]>,
    /// The first so many chunks hold two whole trees each.
    pairs: usize,
    /// Whether every tree has a chunk of its own.
    lone: bool,
    /// Conditions on categories.
    sets: Option<Sets>,
    /// Doublings that lead through chunks in which trees begin, and through the others.
    pub(super) doublings: [u32; 2],
}

impl Jump {
    /// Lays a forest out; `None` when it does not fit the tables.
    pub fn new(lowered: &Lowered<'_>, width: Width, masked: bool, slots: &Slots, ranks: &Ranks) -> Option<Self> {
        if slots.count() > CODES || !Processor::Vbmi.is_here() {
            return None;
        }
        let Chunks { chunks, heads } = Chunks::new(lowered);
        let whole = chunks.len() == heads;
        let lone = whole && chunks.iter().all(|chunk| chunk.roots == 1);
        let doublings = |range: std::ops::Range<usize>| {
            let depth = chunks[range].iter().map(|chunk| chunk.depth).max().unwrap_or(1);
            trail::doublings(depth, if whole && !lone { STEPS_OF_PAIRS } else { STEPS })
        };
        let mut jump = Self {
            width,
            masked,
            tables: match slots.count() {
                0..=64 => 1,
                65..=128 => 2,
                _ => 4,
            },
            lines: slab::room(chunks.len() * width.lines()),
            heads: Vec::with_capacity(heads + 1),
            leaves: Vec::new(),
            exits: Vec::new(),
            pairs: if whole { chunks.iter().take_while(|chunk| chunk.roots == 2).count() } else { 0 },
            lone,
            sets: None,
            doublings: [doublings(0..heads), doublings(heads..chunks.len())],
        };
        if lowered.conditions.count > 0 {
            let bytes = chunks.len() * width.lines() * size_of::<Bytes>();
            jump.sets = Some(Sets::new(&lowered.conditions, chunks.len(), bytes)?);
        }
        let next = |next: u8| if usize::from(next) < SLOTS { 0x80 | next } else { next };
        let mut tree = 0;
        for (index, chunk) in chunks.iter().enumerate() {
            // A slot without a node compares the code that is below every limit; nobody asks where it leads.
            let mut lines = [[0u8; SLOTS]; 5];
            lines[1] = [1; SLOTS];
            for (at, slot) in chunk.slots.iter().enumerate() {
                let test = slot.node.map(|node| lowered.tests(slot.tree)[node]);
                if let (Some(Test::Condition(condition)), Some(sets)) = (test, &mut jump.sets) {
                    sets.node(lowered, condition as usize, index, at);
                }
                let (place, limit, base) = test.map_or((0, 1, 0), |test| jump.node(lowered, slots, ranks, test));
                let [low, high] = limit.to_le_bytes();
                lines[0][at] = super::narrow(place);
                lines[1][at] = low;
                lines[2][at] = next(slot.left);
                lines[3][at] = next(slot.right);
                lines[4][at] = if width == Width::Words { high } else { base };
            }
            jump.lines.extend(lines[..width.lines()].iter().map(|line| Line(*line)));
            if index < heads {
                jump.heads.push(tree);
                tree += super::narrow::<u32>(chunk.roots);
            }
            let exit = |exit: &Exit| match *exit {
                Exit::Leaf(leaf) => leaf,
                Exit::Piece(chunk, slot) => FURTHER | super::narrow::<u32>(chunk * SLOTS + slot),
            };
            if whole {
                jump.leaves.push(exit(&chunk.exits[0]));
            } else {
                let mut exits = [0; SLOTS];
                exits.iter_mut().zip(&chunk.exits).for_each(|(to, from)| *to = exit(from));
                jump.exits.push(exits);
            }
        }
        jump.heads.push(tree);
        (chunks.len() * SLOTS < FURTHER as usize).then_some(jump)
    }

    /// Slot, limit and base of a test.
    fn node(&self, lowered: &Lowered<'_>, slots: &Slots, ranks: &Ranks, test: Test) -> (usize, u16, u8) {
        // No number passes a node that asks for a category.
        let test = if let Test::Condition(_) = test { Test::Never } else { test };
        if self.width == Width::Ranges {
            let (slot, limit, base) = slots.range(lowered, ranks, test);
            return (slot, limit.into(), base);
        }
        let (slot, limit) = slots.place(test, |_, limit| super::narrow::<u16>(limit as usize));
        (slot, limit, 0)
    }

    /// Bytes of chunks and exits.
    pub fn bytes(&self) -> usize {
        self.sets.as_ref().map_or(0, Sets::bytes)
            + size_of_val(self.lines.as_slice())
            + size_of_val(self.exits.as_slice())
            + size_of_val(self.heads.as_slice())
            + size_of_val(self.leaves.as_slice())
    }

    /// Reads everything.
    pub fn prefetch(&self) {
        super::warm(&self.lines);
        self.sets.iter().for_each(Sets::prefetch);
        super::warm(&self.exits);
        super::warm(&self.heads);
        super::warm(&self.leaves);
    }
}

/// Chunks that hold whole trees and go together.
const AHEAD: usize = 4;
/// Chunks of one row whose trees are followed to their leaves together.
const BLOCK: usize = 32;
/// Steps of ways, of which the first one from a tree's first node comes with the map.
const STEPS: usize = 4;
/// Those behind the first one.
pub const FURTHER_STEPS: usize = STEPS - 1;
/// The same where the trees of a chunk are several: a step is a load for each of them, a doubling is none.
const STEPS_OF_PAIRS: usize = 2;
const FURTHER_STEPS_OF_PAIRS: usize = STEPS_OF_PAIRS - 1;

/// One row's codes, and the forest they go through.
#[derive(Debug, Clone, Copy)]
pub struct Leap<'a> {
    jump: &'a Jump,
    codes: &'a [Bytes],
    masks: &'a [u64],
}

impl Jump {
    /// Conditions on categories, of which there may be none.
    pub fn sets(&self) -> Option<&Sets> {
        self.sets.as_ref()
    }

    /// Lines of a row's codes.
    pub fn codes(&self) -> usize {
        if self.width == Width::Words { 2 * self.tables } else { self.tables }
    }

    /// The leaves of a row, whose codes fill as many lines as the tables; `masks` are those of its sets.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn leap<'a>(&'a self, codes: &'a [Bytes], masks: &'a [u64]) -> Leap<'a> {
        assert!(codes.len() >= self.codes());
        assert!(masks.len() == self.sets.as_ref().map_or(0, Sets::count));
        Leap { jump: self, codes, masks }
    }
}

impl Leaves for Leap<'_> {
    #[inline]
    fn each<S: Sink>(&self, mut sink: S) -> S {
        macro_rules! go {
            ($tables:literal, $width:ident, $masked:literal) => {
                // SAFETY: a forest is only laid out like this where the processor has VBMI.
                unsafe {
                    if self.masks.is_empty() {
                        self.jump.row::<$tables, $width, false, $masked, S>(self.codes, self.masks, &mut sink)
                    } else {
                        self.jump.row::<$tables, $width, true, $masked, S>(self.codes, self.masks, &mut sink)
                    }
                }
            };
        }
        by_kind!(self.jump, go);
        sink
    }
}

impl Jump {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn row<const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool, S: Sink>(
        &self,
        codes: &[Bytes],
        masks: &[u64],
        sink: &mut S,
    ) {
        let row = Row::<N, WIDTH, SETS, MASKED>::new(codes, masks);
        if !self.exits.is_empty() {
            self.parts(&row, sink);
        } else if self.lone {
            self.lone(&row, sink);
        } else {
            self.whole(&row, sink);
        }
    }

    /// Leaves of trees each of which has a chunk of its own.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn lone<const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool, S: Sink>(
        &self,
        row: &Row<'_, N, WIDTH, SETS, MASKED>,
        sink: &mut S,
    ) {
        let doublings = self.doublings[0];
        let mut put = |tree: usize, at: At| {
            // SAFETY: an exit of a whole tree is one of its leaves.
            unsafe { sink.put(tree, self.leaves.get_unchecked(tree) + trail::exit(at)) };
        };
        let trees = self.leaves.len();
        let some = trees / AHEAD * AHEAD;
        let mut trail = Trail::<AHEAD>::new();
        for first in (0..some).step_by(AHEAD) {
            // SAFETY: these trees are in these chunks, so they exist.
            let ends = unsafe {
                let ways = trail.take(row.jumps(self, first, doublings)).map(|ways| [trail::way(ways, 0)]);
                trail.go::<1, FURTHER_STEPS>(ways)
            };
            (first..).zip(ends).for_each(|(tree, [at])| put(tree, at));
        }
        let mut trail = Trail::<1>::new();
        for tree in some..trees {
            // SAFETY: as above.
            unsafe {
                let [ways] = trail.take(row.jumps(self, tree, doublings));
                let [[at]] = trail.go::<1, FURTHER_STEPS>([[trail::way(ways, 0)]]);
                put(tree, at);
            }
        }
    }

    /// Leaves of trees that lie in one chunk each, together with others.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn whole<const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool, S: Sink>(
        &self,
        row: &Row<'_, N, WIDTH, SETS, MASKED>,
        sink: &mut S,
    ) {
        let doublings = self.doublings[0];
        let mut put = |chunk: usize, tree: usize, at: At| {
            // SAFETY: an exit of a whole tree is one of its leaves.
            unsafe { sink.put(tree, self.leaves.get_unchecked(chunk) + trail::exit(at)) };
        };
        let some = self.pairs / AHEAD * AHEAD;
        let mut trail = Trail::<AHEAD>::new();
        for first in (0..some).step_by(AHEAD) {
            // SAFETY: trees begin in these chunks, so they exist.
            let ends = unsafe {
                let ways = trail.take(row.jumps(self, first, doublings));
                trail.go::<2, FURTHER_STEPS_OF_PAIRS>(ways.map(|ways| [trail::way(ways, 0), trail::way(ways, 1)]))
            };
            for (chunk, [one, other]) in (first..).zip(ends) {
                put(chunk, 2 * chunk, one);
                put(chunk, 2 * chunk + 1, other);
            }
        }
        let mut trail = Trail::<1>::new();
        for (chunk, heads) in self.heads.windows(2).enumerate().skip(some) {
            // SAFETY: as above.
            let [ways] = unsafe { trail.take(row.jumps(self, chunk, doublings)) };
            for (root, tree) in (heads[0] as usize..heads[1] as usize).enumerate() {
                // SAFETY: a tree begins in each of these slots.
                let [[at]] = unsafe { trail.go::<1, FURTHER_STEPS_OF_PAIRS>([[trail::way(ways, root)]]) };
                put(chunk, tree, at);
            }
        }
    }

    /// Leaves of trees that lie in several chunks: first all chunks in which they begin, then those that they lead to, and so on, so
    /// that no chunk waits for another.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn parts<const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool, S: Sink>(
        &self,
        row: &Row<'_, N, WIDTH, SETS, MASKED>,
        sink: &mut S,
    ) {
        let mut leaves = [0u32; BLOCK * ROOTS];
        let mut waiting = [0u32; BLOCK * ROOTS];
        let mut trail = Trail::<1>::new();
        let heads = self.heads.len() - 1;
        for first in (0..heads).step_by(BLOCK) {
            let mut count = 0;
            let mut trees = 0;
            for at in first..(first + BLOCK).min(heads) {
                // SAFETY: trees begin in this chunk, so it exists.
                let [ways] = unsafe { trail.take(row.jumps(self, at, self.doublings[0])) };
                for root in 0..(self.heads[at + 1] - self.heads[at]) as usize {
                    // SAFETY: a tree begins in each of these slots.
                    let [[end]] = unsafe { trail.go::<1, FURTHER_STEPS>([[trail::way(ways, root)]]) };
                    let exit = self.exits[at][trail::exit(end) as usize];
                    leaves[trees] = exit;
                    waiting[count] = super::narrow(trees);
                    count += (exit >> 31) as usize;
                    trees += 1;
                }
            }
            while count > 0 {
                let mut left = 0;
                for at in 0..count {
                    let tree = waiting[at];
                    let place = (leaves[tree as usize] & !FURTHER) as usize;
                    let (chunk, slot) = (place / SLOTS, place % SLOTS);
                    // SAFETY: an exit leads to it, so it exists.
                    let end = unsafe { self.follow(row, &mut trail, chunk, slot, self.doublings[1]) };
                    let exit = self.exits[chunk][trail::exit(end) as usize];
                    leaves[tree as usize] = exit;
                    waiting[left] = tree;
                    left += (exit >> 31) as usize;
                }
                count = left;
            }
            let tree = self.heads[first] as usize;
            for (tree, &leaf) in (tree..).zip(&leaves[..trees]) {
                // SAFETY: what is no exit to another chunk is a leaf.
                unsafe { sink.put(tree, leaf) };
            }
        }
    }

    /// The exit that the way from a slot of a chunk ends at.
    ///
    /// # Safety
    /// There is such a slot, and the doublings lead through the chunk.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    pub unsafe fn follow<const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool>(
        &self,
        row: &Row<'_, N, WIDTH, SETS, MASKED>,
        trail: &mut Trail<1>,
        chunk: usize,
        slot: usize,
        doublings: u32,
    ) -> At {
        // SAFETY: as promised.
        let [[at]] = unsafe {
            trail.take(row.jumps(self, chunk, doublings));
            trail.go::<1, STEPS>([[trail::slot(slot)]])
        };
        at
    }
}
