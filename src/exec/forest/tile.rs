//! Tiles of rows by AVX2, whose codes are there: labels of trees, and what becomes of them.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::linear::Linear;
use super::lines::Plain as Number;
use super::sums::Sums;
use super::tiled::{LANES, MOST, Node, SIDE, TREES, Tiled, Tree, tiles};
use std::arch::x86_64::*;

/// Rows whose codes are there.
pub struct Block<'a> {
    /// The forest.
    pub tiled: &'a Tiled,
    /// Tile after tile `slots` columns of codes.
    pub codes: &'a mut [u8],
    /// Columns of codes.
    pub slots: usize,
}

impl Block<'_> {
    /// The labels of the trees of a group, tree behind tree, for a tile.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn label(&mut self, group: usize, (first, size): (usize, usize), labels: &mut [u8]) {
        let codes = &mut self.codes[self.slots * first..][..self.slots * size];
        match (size / LANES, self.tiled.symmetric) {
            (1, false) => label::<1, false>(self.tiled, group, codes, labels),
            (1, true) => label::<1, true>(self.tiled, group, codes, labels),
            (2, false) => label::<2, false>(self.tiled, group, codes, labels),
            (2, true) => label::<2, true>(self.tiled, group, codes, labels),
            (_, false) => label::<4, false>(self.tiled, group, codes, labels),
            (_, true) => label::<4, true>(self.tiled, group, codes, labels),
        }
    }

    /// Leaves of several values, functions in leaves, or sums that are rounded after each tree.
    #[target_feature(enable = "avx2")]
    pub fn others<T: Value>(
        &mut self,
        sums: &Sums,
        rows: Rows<'_, T>,
        labels: &mut [u8],
        out: &mut [f64],
        stride: usize,
    ) {
        let outputs = sums.layout().base.len();
        for groups in self.tiled.chunks() {
            for (first, size) in tiles(rows.count()) {
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

    /// Hands the margins of all rows to `add`, one behind the other.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn margins<F: Float, T: Value>(
        &mut self,
        rows: Rows<'_, T>,
        room: &mut [F],
        out: &mut [f64],
        stride: usize,
        add: impl FnOnce(&mut Self, &mut [F]),
    ) {
        let size = rows.count() + MOST;
        for (target, sums) in room.chunks_exact_mut(size).enumerate() {
            for (sum, out) in sums.iter_mut().zip(out.chunks_exact(stride)) {
                *sum = F::of(out[target]);
            }
        }
        add(self, room);
        for (target, sums) in room.chunks_exact(size).enumerate() {
            for (sum, out) in sums.iter().zip(out.chunks_exact_mut(stride)) {
                out[target] = sum.widen();
            }
        }
    }

    /// One value per leaf.
    #[target_feature(enable = "avx2")]
    pub fn plain<F: Float>(&mut self, values: &[F], rows: usize, labels: &mut [u8], room: &mut [F]) {
        let size = rows + MOST;
        for groups in self.tiled.chunks() {
            for (first, tile) in tiles(rows) {
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
    }

    /// Functions in the leaves.
    #[target_feature(enable = "avx2")]
    pub fn functions<T: Value>(
        &mut self,
        linear: &Linear,
        sums: &Sums,
        rows: Rows<'_, T>,
        labels: &mut [u8],
        values: &mut [f64],
        room: &mut [f64],
    ) {
        let size = rows.count() + MOST;
        for groups in self.tiled.chunks() {
            for (first, tile) in tiles(rows.count()) {
                let rows = rows.range(first, tile.min(rows.count() - first));
                linear.read(sums.layout(), rows, values);
                for group in groups.clone() {
                    self.label(group, (first, tile), labels);
                    let trees = &self.tiled.trees[self.tiled.groups[group].trees.clone()];
                    for (tree, labels) in trees.iter().zip(labels.chunks_exact(tile)) {
                        let tree = tree.index as usize;
                        let margins = &mut room[linear.target(tree) * size + first..][..rows.count()];
                        linear.add(sums, tree, labels, rows, values, margins);
                    }
                }
            }
        }
    }
}

/// The labels of the trees of a group for a tile of `V` registers.
#[inline]
#[target_feature(enable = "avx2")]
fn label<const V: usize, const SYMMETRIC: bool>(tiled: &Tiled, group: usize, codes: &mut [u8], labels: &mut [u8]) {
    let mut first = group.checked_sub(1).map_or(0, |before| tiled.groups[before].end());
    let pairs = (TREES / SIDE * group..).zip(&tiled.groups[group].ends);
    let labels = labels.chunks_exact_mut(SIDE * V * LANES).take(tiled.groups[group].pairs());
    for ((pair, &end), labels) in pairs.zip(labels) {
        if let Some(members) = &tiled.members {
            members.look_up::<V>(pair, codes);
        }
        let nodes = &tiled.nodes[first..end as usize];
        first = end as usize;
        let found = walk::<V, SYMMETRIC>(nodes, codes);
        for (label, out) in found.iter().flatten().zip(labels.chunks_exact_mut(LANES)) {
            // SAFETY: thirty-two bytes.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *label) };
        }
    }
}

/// The labels of `V * 32` rows for two trees at once: a step waits for the one before it.
#[inline]
#[target_feature(enable = "avx2")]
fn walk<const V: usize, const SYMMETRIC: bool>(nodes: &[[Node; SIDE]], codes: &[u8]) -> [[__m256i; V]; SIDE] {
    let mut labels = [[_mm256_setzero_si256(); V]; SIDE];
    let codes = codes.as_ptr();
    for nodes in nodes {
        for (node, labels) in nodes.iter().zip(&mut labels) {
            // SAFETY: there are codes of `V * 32` rows for every slot.
            let column = unsafe { codes.add(node.slot as usize * V * LANES) };
            let limit = _mm256_set1_epi8(node.limit);
            let own = _mm256_set1_epi8(node.label);
            let right = _mm256_set1_epi8(node.right);
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
pub trait Float: Number {
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
