//! Many rows by AVX2: labels in registers, 32 rows each.
//!
//! Rows come in tiles, whose codes stay in the first cache, and trees in chunks, whose nodes stay in the second: a chunk goes over all
//! tiles of a block before the next one does. A node takes four operations per register. The labels of some trees are kept, then the
//! values of their leaves are added up row by row, so that a margin is read and written once for all of them. Trees of the same margin
//! follow each other, in their order.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::labels::Labels;
use super::lanes::Lanes;
use super::linear::Linear;
use super::lowered::Lowered;
use super::members::{self, Members};
use super::scratch::Scratch;
use super::slab::{self, Slab};
use super::sums::Sums;
use super::tile::Block;
use crate::ir::Precision;
use std::ops::Range;

/// Rows of a register.
pub const LANES: usize = 32;
/// The fewest rows of a tile.
const FEWEST: usize = LANES;
/// The most rows of a tile: more take no less time per row, and their codes more of the first cache.
pub const MOST: usize = 128;
/// The most rows of a block.
const BLOCK: usize = 512;
/// Trees whose nodes lie side by side.
pub const SIDE: usize = 2;
/// Trees whose labels are kept before their values are added.
pub const TREES: usize = 8;
/// Bytes of nodes that go over all tiles before the next do.
const NODES: usize = 32 << 10;

/// A node or, in a symmetric tree, a level.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Where its codes stand.
    pub slot: u32,
    /// What is greater than the codes that go right.
    pub limit: i8,
    /// Its label.
    pub label: i8,
    /// The label of its right child, or the bit of the level.
    pub right: i8,
}

impl Node {
    /// A node that no row fails.
    const NOTHING: Self = Self { slot: 0, limit: i8::MIN, label: 0, right: 0 };

    fn new(node: super::labels::Node, slot: usize) -> Self {
        // Every row fails the least limit, of a column that holds the least codes there are.
        let limit = if node.limit == 0 { i8::MAX } else { 0x80u8.wrapping_sub(node.limit).cast_signed() };
        Self { slot: super::narrow(slot), limit, label: node.label.cast_signed(), right: node.right.cast_signed() }
    }
}

/// A tree.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    /// Its number among all trees.
    pub index: u32,
    /// Its first leaf among all leaves.
    pub leaf: u32,
    /// Its margin.
    pub target: u32,
}

/// Trees whose labels are kept together.
#[derive(Debug, Clone)]
pub struct Group {
    pub trees: Range<usize>,
    /// One past the last nodes of every two trees.
    pub ends: [u32; TREES / SIDE],
}

/// A forest for many rows.
#[derive(Debug)]
pub struct Tiled {
    lanes: Lanes,
    /// The nodes of two trees side by side.
    pub nodes: Slab<[Node; SIDE]>,
    /// In the order of their margins.
    pub trees: Vec<Tree>,
    /// Trees that follow each other.
    pub groups: Vec<Group>,
    /// One past the last group of every chunk.
    chunks: Vec<usize>,
    /// Whether nodes are levels of symmetric trees.
    pub symmetric: bool,
    /// The conditions on categories.
    pub members: Option<Members>,
    /// The values of all leaves, where their sums are of float32.
    singles: Slab<f32>,
    /// The functions of leaves.
    linear: Option<Linear>,
}

impl Tiled {
    /// Lays a forest out; `None` when its categories are too many.
    #[allow(clippy::cast_possible_truncation)] // values are float32 where they are taken for such
    pub fn new(lowered: &Lowered<'_>, labels: &Labels, coder: &Ranked<u8>, sums: &Sums) -> Option<Self> {
        let plain = sums.plain();
        let target = |tree: usize| plain.and_then(|plain| plain.targets).map_or(0, |targets| targets[tree]);
        let mut order: Vec<usize> = (0..labels.trees.len()).collect();
        order.sort_by_key(|&tree| target(tree));
        let longer = |pair: &[usize]| pair.iter().map(|&tree| labels.nodes_of(tree).count()).max().unwrap_or(0);
        let mut tiled = Self {
            lanes: Lanes::new(coder.slots(), coder.ranks()),
            nodes: slab::room(order.chunks(SIDE).map(longer).sum()),
            trees: Vec::with_capacity(order.len()),
            groups: Vec::new(),
            chunks: Vec::new(),
            symmetric: labels.symmetric,
            members: if lowered.conditions.count > 0 { Some(Members::new(lowered, coder.slots())?) } else { None },
            singles: plain
                .filter(|plain| plain.sum == Precision::F32)
                .map_or_else(|| slab::room(0), |plain| slab::collected(plain.values.iter().map(|&value| value as f32))),
            linear: Linear::new(sums),
        };
        let mut first = 0;
        for group in order.chunks(TREES) {
            let start = tiled.trees.len();
            let mut ends = [0; TREES / SIDE];
            for (pair, end) in group.chunks(SIDE).zip(&mut ends) {
                let begin = tiled.nodes.len();
                for (side, &tree) in pair.iter().enumerate() {
                    let nodes: Vec<_> = labels.nodes_of(tree).map(|node| tiled.node(lowered, node)).collect();
                    if tiled.nodes.len() < begin + nodes.len() {
                        tiled.nodes.resize(begin + nodes.len(), [Node::NOTHING; SIDE]);
                    }
                    for (place, node) in tiled.nodes[begin..].iter_mut().zip(nodes) {
                        place[side] = node;
                    }
                    tiled.trees.push(Tree {
                        index: super::narrow(tree),
                        leaf: labels.trees[tree].leaf,
                        target: target(tree),
                    });
                }
                *end = super::narrow(tiled.nodes.len());
                if let Some(members) = &mut tiled.members {
                    members.end();
                }
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
        Some(tiled)
    }

    /// A node of the two trees whose conditions are gathered.
    fn node(&mut self, lowered: &Lowered<'_>, node: super::labels::Node) -> Node {
        let members = self.members.as_mut();
        match members.and_then(|members| members.add(lowered, usize::from(node.slot))) {
            None => Node::new(node, usize::from(node.slot)),
            Some(slot) => Node { limit: members::LIMIT, ..Node::new(node, slot) },
        }
    }

    /// Bytes of nodes, trees and values.
    pub fn bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice())
            + size_of_val(self.trees.as_slice())
            + size_of_val(self.groups.as_slice())
            + size_of_val(self.singles.as_slice())
            + self.linear.as_ref().map_or(0, Linear::bytes)
            + self.members.as_ref().map_or(0, Members::bytes)
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
        let count = self.members.as_ref().map_or_else(|| slots.count(), Members::slots);
        for (rows, out) in rows.blocks(BLOCK).zip(out.chunks_mut(BLOCK * stride)) {
            let room = rows.count() + MOST;
            let codes = scratch.codes.room::<u8>(count * room);
            for (first, size) in tiles(rows.count()) {
                let tile = rows.range(first, size.min(rows.count() - first));
                let codes = &mut codes[count * first..][..count * size];
                self.lanes.fill(slots, coder.ranks(), tile, codes, size, &mut scratch.keys);
                if let Some(members) = &self.members {
                    members.fill(slots, tile, codes, size);
                }
            }
            let mut block = Block { tiled: self, codes, slots: count };
            let labels = scratch.labels.room(TREES * MOST);
            let outputs = sums.layout().base.len();
            match (sums.plain(), &self.linear) {
                (Some(plain), _) if plain.sum == Precision::F32 => {
                    let room = scratch.sums.room::<f32>(outputs * room);
                    block.margins(rows, room, out, stride, |block, room| {
                        block.plain(&self.singles, rows.count(), labels, room);
                    });
                }
                (Some(plain), _) => {
                    let room = scratch.sums.room::<f64>(outputs * room);
                    block.margins(rows, room, out, stride, |block, room| {
                        block.plain(plain.values, rows.count(), labels, room);
                    });
                }
                (None, Some(linear)) => {
                    let room = scratch.sums.room::<f64>(outputs * room);
                    let values = scratch.waiting.room::<f64>(MOST * linear.width());
                    block.margins(rows, room, out, stride, |block, room| {
                        block.functions(linear, sums, rows, labels, values, room);
                    });
                }
                (None, None) => block.others(sums, rows, labels, out, stride),
            }
        }
    }
}

impl Tiled {
    /// The groups of every chunk.
    pub fn chunks(&self) -> impl Iterator<Item = Range<usize>> {
        let mut first = 0;
        self.chunks.iter().map(move |&end| {
            let groups = first..end;
            first = end;
            groups
        })
    }
}

impl Group {
    /// Pairs of trees; the last one may be half of one.
    #[inline]
    pub fn pairs(&self) -> usize {
        self.trees.len().div_ceil(SIDE)
    }

    /// One past its last nodes.
    #[inline]
    pub fn end(&self) -> usize {
        self.ends[self.pairs() - 1] as usize
    }
}

/// The first row and the size of every tile of a block; the last one may have room for more rows than there are.
pub fn tiles(count: usize) -> impl Iterator<Item = (usize, usize)> {
    // What would be hardly more than half full becomes two.
    let size = |left: usize| if left > 96 { MOST } else { left.next_power_of_two().clamp(FEWEST, MOST / 2) };
    std::iter::successors(Some((0, size(count))), move |&(first, last)| {
        let first = first + last;
        (first < count).then(|| (first, size(count - first)))
    })
}
