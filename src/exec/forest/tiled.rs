//! Many rows by AVX2: labels in registers, 32 rows each.
//!
//! Rows come in tiles, whose codes stay in the first cache, and trees in chunks, whose nodes stay in the second: a chunk goes over all
//! tiles of a block before the next one does. A node takes four operations per register, for which its numbers stand four times in its
//! words. The labels of some trees are kept, then the values of their leaves are added up row by row, so that a margin is read and
//! written once for all of them. Trees of the same margin follow each other, in their order.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::labels::Labels;
use super::lanes::Lanes;
use super::lines::Plain as Number;
use super::scratch::Scratch;
use super::sums::{Plain, Sums};
use crate::ir::Precision;
use std::arch::x86_64::*;
use std::ops::Range;

/// Rows of a register.
const LANES: usize = 32;
/// The fewest rows of a tile.
const FEWEST: usize = 64;
/// The most rows of a block.
const BLOCK: usize = 512;
/// Trees whose nodes lie side by side.
const SIDE: usize = 2;
/// Trees whose labels are kept before their values are added.
const TREES: usize = 8;
/// Bytes of codes that a tile may take: what leaves room for nodes and values in the first cache.
const CODES: usize = 20 << 10;
/// Bytes of nodes that go over all tiles before the next do.
const NODES: usize = 128 << 10;

/// A node or, in a symmetric tree, a level: every byte four times.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
struct Node {
    /// What is greater than the codes that go right.
    limit: u32,
    /// Its label.
    label: u32,
    /// The label of its right child, or the bit of the level.
    right: u32,
    /// Where its codes stand.
    slot: u32,
}

impl Node {
    /// A node that no row fails.
    const NOTHING: Self = Self { limit: 0x8080_8080, label: 0, right: 0, slot: 0 };

    fn new(node: super::labels::Node) -> Self {
        let four = |byte: u8| u32::from_ne_bytes([byte; 4]);
        // Every row fails the least limit, of a column that holds the least codes there are.
        let limit = if node.limit == 0 { 0x7f } else { 0x80u8.wrapping_sub(node.limit) };
        Self { limit: four(limit), label: four(node.label), right: four(node.right), slot: u32::from(node.slot) }
    }
}

/// A tree.
#[derive(Debug, Clone, Copy)]
struct Tree {
    /// Its number among all trees.
    index: u32,
    /// Its first leaf among all leaves.
    leaf: u32,
    /// Its margin.
    target: u32,
}

/// Trees whose labels are kept together.
#[derive(Debug, Clone)]
struct Group {
    trees: Range<usize>,
    /// One past the last nodes of every two trees.
    ends: [u32; TREES / SIDE],
}

/// A forest for many rows.
#[derive(Debug)]
pub struct Tiled {
    lanes: Lanes,
    nodes: Vec<[Node; SIDE]>,
    trees: Vec<Tree>,
    groups: Vec<Group>,
    /// One past the last group of every chunk.
    chunks: Vec<usize>,
    symmetric: bool,
    /// The values of all leaves, where their sums are of float32.
    singles: Vec<f32>,
    /// The most rows of a tile.
    tile: usize,
}

impl Tiled {
    /// Lays a forest out.
    #[allow(clippy::cast_possible_truncation)] // values are float32 where they are taken for such
    pub fn new(labels: &Labels, coder: &Ranked<u8>, sums: &Sums) -> Self {
        let plain = sums.plain();
        let target = |tree: usize| plain.and_then(|plain| plain.targets).map_or(0, |targets| targets[tree]);
        let mut order: Vec<usize> = (0..labels.trees.len()).collect();
        order.sort_by_key(|&tree| target(tree));
        let slots = coder.slots().count();
        let mut tiled = Self {
            lanes: Lanes::new(coder.slots(), coder.ranks()),
            nodes: Vec::new(),
            trees: Vec::with_capacity(order.len()),
            groups: Vec::new(),
            chunks: Vec::new(),
            symmetric: labels.symmetric,
            singles: plain
                .filter(|plain| plain.sum == Precision::F32)
                .map_or_else(Vec::new, |plain| plain.values.iter().map(|&value| value as f32).collect()),
            tile: if slots * 256 <= CODES {
                256
            } else if slots * 128 <= CODES {
                128
            } else {
                FEWEST
            },
        };
        let mut first = 0;
        for group in order.chunks(TREES) {
            let start = tiled.trees.len();
            let mut ends = [0; TREES / SIDE];
            for (pair, end) in group.chunks(SIDE).zip(&mut ends) {
                let begin = tiled.nodes.len();
                for (side, &tree) in pair.iter().enumerate() {
                    let nodes: Vec<_> = labels.nodes_of(tree).collect();
                    if tiled.nodes.len() < begin + nodes.len() {
                        tiled.nodes.resize(begin + nodes.len(), [Node::NOTHING; SIDE]);
                    }
                    for (place, node) in tiled.nodes[begin..].iter_mut().zip(nodes) {
                        place[side] = Node::new(node);
                    }
                    tiled.trees.push(Tree {
                        index: super::narrow(tree),
                        leaf: labels.trees[tree].leaf,
                        target: target(tree),
                    });
                }
                *end = super::narrow(tiled.nodes.len());
            }
            tiled.groups.push(Group { trees: start..tiled.trees.len(), ends });
            if (tiled.nodes.len() - first) * size_of::<[Node; SIDE]>() > NODES {
                tiled.chunks.push(tiled.groups.len());
                first = tiled.nodes.len();
            }
        }
        if tiled.chunks.last().copied().unwrap_or(0) < tiled.groups.len() {
            tiled.chunks.push(tiled.groups.len());
        }
        tiled.nodes.shrink_to_fit();
        tiled
    }

    /// Bytes of nodes, trees and values.
    pub fn bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice())
            + size_of_val(self.trees.as_slice())
            + size_of_val(self.groups.as_slice())
            + size_of_val(self.singles.as_slice())
            + self.lanes.bytes()
    }

    /// Adds the trees to the margins of every row, `stride` numbers apart.
    ///
    /// # Safety
    /// The processor has AVX2 and what comes with it.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub unsafe fn add<T: Value>(
        &self,
        coder: &Ranked<u8>,
        rows: Rows<'_, T>,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        let slots = coder.slots();
        for (rows, out) in rows.blocks(BLOCK).zip(out.chunks_mut(BLOCK * stride)) {
            let room = rows.count() + self.tile;
            let codes = scratch.codes.room::<u8>(slots.count() * room);
            for (first, size) in self.tiles(rows.count()) {
                let tile = rows.range(first, size.min(rows.count() - first));
                let codes = &mut codes[slots.count() * first..][..slots.count() * size];
                self.lanes.fill(slots, coder.ranks(), tile, codes, size, &mut scratch.keys);
            }
            let block = Block { tiled: self, codes, slots: slots.count() };
            let labels = scratch.labels.room(TREES * self.tile);
            match sums.plain() {
                None => block.others(sums, rows, labels, out, stride),
                Some(plain) => {
                    let outputs = sums.layout().base.len();
                    match plain.sum {
                        Precision::F32 => {
                            let room = scratch.sums.room::<f32>(outputs * room);
                            block.plain(plain, &self.singles, rows.count(), labels, room, out, stride, outputs);
                        }
                        Precision::F64 => {
                            let room = scratch.sums.room::<f64>(outputs * room);
                            block.plain(plain, plain.values, rows.count(), labels, room, out, stride, outputs);
                        }
                    }
                }
            }
        }
    }

    /// The first row and the size of every tile of a block; the last one may have room for more rows than there are.
    fn tiles(&self, count: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let most = self.tile;
        let size = move |left: usize| {
            let full = left.next_power_of_two().clamp(FEWEST, most);
            // A tile that is hardly more than half full is two.
            if full > FEWEST && left * 4 <= full * 3 { full / 2 } else { full }
        };
        std::iter::successors(Some((0, size(count))), move |&(first, last)| {
            let first = first + last;
            (first < count).then(|| (first, size(count - first)))
        })
    }
}

/// Rows whose codes are there.
struct Block<'a> {
    tiled: &'a Tiled,
    codes: &'a [u8],
    slots: usize,
}

impl Block<'_> {
    /// The labels of the trees of a group, tree behind tree, for a tile.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn label(&self, group: usize, (first, size): (usize, usize), labels: &mut [u8]) {
        let codes = &self.codes[self.slots * first..][..self.slots * size];
        match (size / LANES, self.tiled.symmetric) {
            (2, false) => self.group::<2, 2, false>(group, codes, labels),
            (4, false) => self.group::<4, 2, false>(group, codes, labels),
            (_, false) => self.group::<8, 1, false>(group, codes, labels),
            (2, true) => self.group::<2, 2, true>(group, codes, labels),
            (4, true) => self.group::<4, 2, true>(group, codes, labels),
            (_, true) => self.group::<8, 1, true>(group, codes, labels),
        }
    }

    /// The same for `V` registers, `ABREAST` trees at once: a step waits for the one before it.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn group<const V: usize, const ABREAST: usize, const SYMMETRIC: bool>(
        &self,
        group: usize,
        codes: &[u8],
        labels: &mut [u8],
    ) {
        assert!(codes.len() == self.slots * V * LANES);
        let tiled = self.tiled;
        let start = group.checked_sub(1).map_or(0, |before| tiled.end(before));
        let group = &tiled.groups[group];
        let pairs = group.trees.len().div_ceil(SIDE);
        let labels = &mut labels[..pairs * SIDE * V * LANES];
        let mut first = start;
        for (&end, labels) in group.ends.iter().zip(labels.chunks_exact_mut(SIDE * V * LANES)) {
            let nodes = &tiled.nodes[first..end as usize];
            first = end as usize;
            for (side, labels) in (0..SIDE).step_by(ABREAST).zip(labels.chunks_exact_mut(ABREAST * V * LANES)) {
                let found = walk::<V, ABREAST, SYMMETRIC>(nodes, side, codes);
                for (label, out) in found.iter().flatten().zip(labels.chunks_exact_mut(LANES)) {
                    // SAFETY: thirty-two bytes.
                    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *label) };
                }
            }
        }
    }

    /// Leaves of several values, functions in leaves, or sums that are rounded after each tree.
    #[target_feature(enable = "avx2")]
    fn others<T: Value>(&self, sums: &Sums, rows: Rows<'_, T>, labels: &mut [u8], out: &mut [f64], stride: usize) {
        let outputs = sums.layout().base.len();
        for groups in self.tiled.chunks() {
            for (first, size) in self.tiled.tiles(rows.count()) {
                for group in groups.clone() {
                    self.label(group, (first, size), labels);
                    let trees = &self.tiled.trees[self.tiled.groups[group].trees.clone()];
                    let rows = rows.range(first, size.min(rows.count() - first));
                    let out = out[first * stride..].chunks_exact_mut(stride);
                    for ((at, row), out) in rows.iter().enumerate().zip(out) {
                        let mut leaves = [0; TREES];
                        for ((leaf, tree), labels) in leaves.iter_mut().zip(trees).zip(labels.chunks_exact(size)) {
                            *leaf = tree.leaf + u32::from(labels[at]);
                        }
                        sums.add(trees[0].index as usize, &leaves[..trees.len()], row, &mut out[..outputs]);
                    }
                }
            }
        }
    }

    /// One value per leaf.
    #[target_feature(enable = "avx2")]
    #[allow(clippy::too_many_arguments)]
    fn plain<F: Float>(
        &self,
        plain: Plain<'_>,
        values: &[F],
        rows: usize,
        labels: &mut [u8],
        room: &mut [F],
        out: &mut [f64],
        stride: usize,
        outputs: usize,
    ) {
        debug_assert_eq!(values.len(), plain.values.len());
        let size = room.len() / outputs;
        for (target, sums) in room.chunks_exact_mut(size).enumerate() {
            for (sum, out) in sums.iter_mut().zip(out.chunks_exact(stride)) {
                *sum = F::of(out[target]);
            }
        }
        for groups in self.tiled.chunks() {
            for (first, tile) in self.tiled.tiles(rows) {
                for group in groups.clone() {
                    self.label(group, (first, tile), labels);
                    let trees = &self.tiled.trees[self.tiled.groups[group].trees.clone()];
                    let mut labels = &labels[..];
                    for trees in trees.chunk_by(|a, b| a.target == b.target) {
                        let sums = &mut room[trees[0].target as usize * size + first..][..tile];
                        add_up(trees, values, &labels[..trees.len() * tile], sums);
                        labels = &labels[trees.len() * tile..];
                    }
                }
            }
        }
        for (target, sums) in room.chunks_exact(size).enumerate() {
            for (sum, out) in sums.iter().zip(out.chunks_exact_mut(stride)) {
                out[target] = sum.widen();
            }
        }
    }
}

impl Tiled {
    /// The groups of every chunk.
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> {
        let mut first = 0;
        self.chunks.iter().map(move |&end| {
            let groups = first..end;
            first = end;
            groups
        })
    }

    /// One past the last nodes of a group.
    #[inline]
    fn end(&self, group: usize) -> usize {
        let group = &self.groups[group];
        group.ends[group.trees.len().div_ceil(SIDE) - 1] as usize
    }
}

/// The labels of `V * 32` rows for some of two trees, from one of them on.
#[inline]
#[target_feature(enable = "avx2")]
fn walk<const V: usize, const ABREAST: usize, const SYMMETRIC: bool>(
    nodes: &[[Node; SIDE]],
    side: usize,
    codes: &[u8],
) -> [[__m256i; V]; ABREAST] {
    let mut labels = [[_mm256_setzero_si256(); V]; ABREAST];
    let codes = codes.as_ptr();
    for nodes in nodes {
        let nodes: &[Node; ABREAST] = nodes[side..].first_chunk().unwrap_or_else(|| unreachable!("two trees"));
        for (node, labels) in nodes.iter().zip(&mut labels) {
            // SAFETY: there are codes of `V * 32` rows for every slot.
            let column = unsafe { codes.add(node.slot as usize * V * LANES) };
            let all = |word: u32| _mm256_set1_epi32(word.cast_signed());
            let (limit, own, right) = (all(node.limit), all(node.label), all(node.right));
            for (vector, label) in labels.iter_mut().enumerate() {
                // SAFETY: as above; columns begin at lines.
                let codes = unsafe { _mm256_load_si256(column.add(vector * LANES).cast()) };
                let fails = _mm256_cmpgt_epi8(limit, codes);
                *label = if SYMMETRIC {
                    _mm256_or_si256(*label, _mm256_and_si256(fails, right))
                } else {
                    let moves = _mm256_and_si256(fails, _mm256_cmpeq_epi8(*label, own));
                    _mm256_blendv_epi8(*label, right, moves)
                };
            }
        }
    }
    labels
}

/// Adds the values of trees of one margin to that margin of every row of a tile; labels come tree behind tree.
#[inline]
#[target_feature(enable = "avx2")]
fn add_up<F: Float>(trees: &[Tree], values: &[F], labels: &[u8], sums: &mut [F]) {
    const ROWS: usize = 8;
    let size = sums.len();
    assert!(labels.len() == trees.len() * size && size.is_multiple_of(ROWS));
    for (first, sums) in (0..).step_by(ROWS).zip(sums.chunks_exact_mut(ROWS)) {
        let mut own: [F; ROWS] = std::array::from_fn(|row| sums[row]);
        let mut at = first;
        for tree in trees {
            // SAFETY: there is a label for each tree and row, and a value for each label of a tree.
            unsafe {
                let labels = labels.as_ptr().add(at);
                let values = values.as_ptr().add(tree.leaf as usize);
                for (row, own) in own.iter_mut().enumerate() {
                    *own = own.plus(*values.add(usize::from(*labels.add(row))));
                }
            }
            at += size;
        }
        sums.copy_from_slice(&own);
    }
}

/// A type of margins.
trait Float: Number {
    /// From a margin of float64.
    fn of(value: f64) -> Self;
    /// As a margin of float64.
    fn widen(self) -> f64;
    /// The sum of two.
    fn plus(self, other: Self) -> Self;
}

macro_rules! float {
    ($($type:ty),*) => { $(impl Float for $type {
        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_lossless)] // margins of float32 are float32
        fn of(value: f64) -> Self {
            value as $type
        }

        #[inline(always)]
        #[allow(clippy::cast_lossless)]
        fn widen(self) -> f64 {
            self as f64
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            self + other
        }
    })* };
}
float!(f32, f64);
