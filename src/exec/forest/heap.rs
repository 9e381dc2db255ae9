//! Trees of few levels as heaps: the children of node `i` are nodes `2 i` and `2 i + 1`, so that no node says where they are.
//!
//! A node is a slot and what its limit lacks of the next power of two; the carry of its sum with the row's code is the way to take
//! (`entry`). Where a branch ends early, nodes that every row leaves to the left lead on to the last level, so that all walks are
//! equally long: nothing depends on data but addresses.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::kernel::{Kernel, Rowwise};
use super::lines::{Buffer, Plain};
use super::lowered::{Lowered, Test};
use super::processor::Processor;
use super::scratch::Scratch;
use super::slab::{self, Slab};
use super::slots::Code;
use super::sums::{Leaves, Sink, Sums};
use crate::ir::forest::Place;
use std::sync::Arc;

/// Trees at once.
const LANES: usize = 12;
/// Levels of the deepest tree: its leaves are bytes.
const LEVELS: usize = 8;
/// How many times the nodes and leaves that there are a heap may take.
const ROOM: usize = 4;

/// A node.
pub trait Node: Plain + Send + Sync + std::fmt::Debug + 'static {
    /// The type of the codes it compares.
    type Code: Code;
    /// Slots that it can name.
    const SLOTS: usize;

    /// A node whose limit is not 0.
    fn new(slot: usize, limit: usize) -> Self;
    /// A code as nodes take it.
    fn word(code: Self::Code) -> Self;
    /// Where its code stands.
    fn slot(self) -> usize;
    /// Whether a row with this word goes right.
    fn goes_right(self, word: Self) -> bool;
}

macro_rules! nodes {
    ($($node:ty: $code:ty, $bits:literal;)*) => { $(impl Node for $node {
        type Code = $code;
        const SLOTS: usize = 1 << $bits;

        fn new(slot: usize, limit: usize) -> Self {
            super::narrow::<$node>((1 << $bits) - limit) << $bits | super::narrow::<$node>(slot)
        }

        #[inline(always)]
        fn word(code: $code) -> Self {
            <$node>::from(code) << $bits
        }

        #[inline(always)]
        fn slot(self) -> usize {
            (self & ((1 << $bits) - 1)) as usize
        }

        #[inline(always)]
        fn goes_right(self, word: Self) -> bool {
            self.overflowing_add(word).1
        }
    })* };
}
nodes! {
    u16: u8, 8;
    u32: u16, 16;
}

/// A forest of heaps.
#[derive(Debug)]
pub struct Heap<N: Node> {
    coder: Arc<Ranked<N::Code>>,
    /// Of every tree `2^levels` nodes, the first of them unused; so many trees that no lane is without one.
    nodes: Slab<N>,
    /// The label of the leaf behind every way through a tree.
    labels: Slab<u8>,
    /// For each tree its first leaf among all leaves.
    leaves: Vec<u32>,
    levels: usize,
    processor: Processor,
}

/// Instructions of a row, an estimate; `None` where levels are many.
#[allow(clippy::cast_precision_loss)]
pub fn cost(lowered: &Lowered<'_>) -> Option<f64> {
    const STEP: f64 = 4.5;
    const TREE: f64 = 4.0;
    let trees = lowered.forest.trees().len() as f64;
    levels(lowered).map(|levels| trees * (levels as f64 * STEP + TREE))
}

/// Levels of the trees, where they are few and most of their places are taken.
fn levels(lowered: &Lowered<'_>) -> Option<usize> {
    let trees = lowered.forest.trees();
    let levels = lowered.depth().max(1);
    let there: usize = trees.iter().map(|tree| tree.nodes.len() + 1).sum();
    (levels <= LEVELS && trees.len() << levels <= ROOM * there).then_some(levels)
}

impl<N: Node> Heap<N> {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, coder: Option<Arc<Ranked<N::Code>>>, processor: Processor) -> Option<Self> {
        let coder = coder?;
        let levels = levels(lowered)?;
        let trees = lowered.forest.trees();
        // One more slot holds a code that no limit but 0 is above.
        let always = coder.slots().count();
        if always >= N::SLOTS {
            return None;
        }
        let padded = trees.len().next_multiple_of(LANES);
        // Slot 0 holds the least code.
        let mut nodes = slab::filled(N::new(0, 1), padded << levels);
        let mut labels = slab::filled(0, trees.len() << levels);
        let mut waiting = Vec::new();
        for (index, tree) in trees.iter().enumerate() {
            let nodes = &mut nodes[index << levels..];
            let labels = &mut labels[index << levels..];
            let (tests, own) = (lowered.tests(index), lowered.labels(index));
            waiting.push((tree.root().place(), 1usize, 0));
            while let Some((place, at, level)) = waiting.pop() {
                match place {
                    Place::Leaf(leaf) => {
                        let first = (at << (levels - level)) - (1 << levels);
                        labels[first..][..1 << (levels - level)].fill(super::narrow(own[leaf] as usize));
                    }
                    Place::Node(node) => {
                        nodes[at] = Self::node(lowered, &coder, tests[node], always);
                        let node = &tree.nodes[node];
                        waiting.push((node.left.place(), 2 * at, level + 1));
                        waiting.push((node.right.place(), 2 * at + 1, level + 1));
                    }
                }
            }
        }
        Some(Self { coder, nodes, labels, leaves: lowered.leaves.clone(), levels, processor })
    }

    fn node(lowered: &Lowered<'_>, coder: &Ranked<N::Code>, test: Test, always: usize) -> N {
        let (slot, limit) = coder.place(lowered, test);
        if limit == N::Code::LEAST { N::new(always, 1) } else { N::new(slot, limit.number()) }
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<N::Code>> {
        &self.coder
    }

    #[inline]
    fn words<'a>(&self, codes: &[N::Code], room: &'a mut Buffer) -> &'a [N] {
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Avx2 | Processor::Avx512 | Processor::Vbmi => unsafe { Self::words_avx2(codes, room) },
            _ => Self::words_here(codes, room),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn words_avx2<'a>(codes: &[N::Code], room: &'a mut Buffer) -> &'a [N] {
        Self::words_here(codes, room)
    }

    #[inline(always)]
    fn words_here<'a>(codes: &[N::Code], room: &'a mut Buffer) -> &'a [N] {
        let words = room.room::<N>(codes.len());
        words.iter_mut().zip(codes).for_each(|(word, &code)| *word = N::word(code));
        words
    }

    /// Hands the leaves that a row reaches to a sink.
    ///
    /// # Safety
    /// There is a word for every slot that a node names, and the trees have so many levels.
    #[inline(always)]
    unsafe fn each<const LEVELS: usize, S: Sink>(&self, words: &[N], sink: &mut S) {
        let words = words.as_ptr();
        for (first, leaves) in (0..).step_by(LANES).zip(self.leaves.chunks(LANES)) {
            debug_assert!((first + LANES) << LEVELS <= self.nodes.len());
            let nodes = self.nodes.as_ptr().wrapping_add(first << LEVELS);
            let mut at = [1usize; LANES];
            for _ in 0..LEVELS {
                for (lane, at) in at.iter_mut().enumerate() {
                    // SAFETY: a tree has `2^LEVELS` nodes, and there is one for every lane; slots have words, as promised.
                    let right = unsafe {
                        let node = *nodes.add((lane << LEVELS) + *at);
                        node.goes_right(*words.add(node.slot()))
                    };
                    *at = 2 * *at + usize::from(right);
                }
            }
            let labels = self.labels.as_ptr().wrapping_add(first << LEVELS);
            for (lane, (&leaf, at)) in leaves.iter().zip(at).enumerate() {
                // SAFETY: a tree has a label for each of its `2^LEVELS` ways, and that is one of its leaves.
                unsafe {
                    let label = *labels.add(((lane << LEVELS) + at) - (1 << LEVELS));
                    sink.put(first + lane, leaf + u32::from(label));
                }
            }
        }
    }
}

/// One row's codes, and the forest they go through.
#[derive(Clone, Copy)]
struct Ways<'a, N: Node> {
    heap: &'a Heap<N>,
    /// For every slot of the coder, and the one that always goes right.
    words: &'a [N],
}

impl<N: Node> Ways<'_, N> {
    #[inline(always)]
    fn here<S: Sink>(&self, sink: &mut S) {
        macro_rules! go {
            ($($levels:literal)*) => {
                match self.heap.levels {
                    // SAFETY: the words are those of all slots; the levels are those of the forest.
                    $($levels => unsafe { self.heap.each::<$levels, S>(self.words, sink) },)*
                    _ => unreachable!("trees of up to {LEVELS} levels"),
                }
            };
        }
        go!(1 2 3 4 5 6 7 8);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn avx2<S: Sink>(&self, sink: &mut S) {
        self.here(sink);
    }
}

impl<N: Node> Leaves for Ways<'_, N> {
    #[inline]
    fn each<S: Sink>(&self, mut sink: S) -> S {
        match self.heap.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Avx2 | Processor::Avx512 | Processor::Vbmi => unsafe { self.avx2(&mut sink) },
            _ => self.here(&mut sink),
        }
        sink
    }
}

impl<N: Node> Rowwise for Heap<N> {
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> impl Leaves + 'a {
        let slots = self.coder.slots().count();
        let codes = scratch.codes.room::<N::Code>((slots + 1).next_multiple_of(64));
        self.coder.code(row, codes, &mut scratch.keys);
        codes[slots] = N::Code::ONE;
        Ways { heap: self, words: self.words(&codes[..=slots], &mut scratch.words) }
    }
}

impl<N: Node> Kernel for Heap<N> {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        self.add_each(rows, sums, out, stride, scratch);
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        self.leaves_each(rows, scratch, put);
    }

    fn bytes(&self) -> usize {
        self.coder.bytes() + size_of_val(&*self.nodes) + self.labels.len() + size_of_val(self.leaves.as_slice())
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        super::warm(&self.nodes);
        super::warm(&self.labels);
        super::warm(&self.leaves);
    }
}
