//! Many rows by AVX-512: labels in registers, 64 rows each, tree after tree.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::columns::Columns;
use super::labels::{Labels, Node, SIDE, Tree, VECTOR};
use super::planes::{Float, Planes};
use super::processor::Processor;
use super::scratch::Scratch;
use super::slab;
use super::sums::Sums;
use super::trios::Trios;
use crate::ir::Precision;
use std::arch::x86_64::*;

/// A forest for many rows.
#[derive(Debug)]
pub struct Wide {
    columns: Columns,
    /// The trees, and the levels of symmetric ones.
    labels: Labels,
    /// The steps of others.
    trios: Option<Trios>,
    /// The values of leaves that are looked up by their labels.
    planes: Option<Planes>,
}

impl Wide {
    /// Prepares the steps, the values and the tables of a forest.
    pub fn new(mut labels: Labels, coder: &Ranked<u8>, sums: &Sums, processor: Processor) -> Self {
        let planes = Planes::new(&labels, sums, processor);
        let trios = (!labels.symmetric).then(|| Trios::new(&labels));
        if trios.is_some() {
            labels.nodes = slab::room(0);
        }
        Self { columns: Columns::new(coder.ranks(), coder.slots().second()), labels, trios, planes }
    }

    /// Bytes of steps, values and tables.
    pub fn bytes(&self) -> usize {
        self.columns.bytes()
            + self.labels.bytes()
            + self.trios.as_ref().map_or(0, Trios::bytes)
            + self.planes.as_ref().map_or(0, Planes::bytes)
    }

    /// Adds the trees to the margins of the rows of a block of `size`.
    #[allow(clippy::too_many_arguments)]
    pub fn add_block<T: Value>(
        &self,
        coder: &Ranked<u8>,
        rows: Rows<'_, T>,
        size: usize,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        let slots = coder.slots();
        let codes = scratch.codes.room::<u8>(slots.count() * size);
        // SAFETY: this is only made for a processor with AVX-512.
        unsafe { self.columns.fill(slots, coder.ranks(), rows, codes, size, &mut scratch.keys) };
        let room = sums.layout().base.len() * size;
        let block = Block { wide: self, codes, sums, stride };
        macro_rules! go {
            ($vectors:literal, $trees:literal) => {
                // SAFETY: planes are only made for a processor that has what they need; the others need what this one has.
                unsafe {
                    match &self.planes {
                        Some(planes) if planes.sum == Precision::F32 => {
                            block.planes::<$vectors, $trees, f32>(planes, rows.count(), out, scratch.sums.room(room))
                        }
                        Some(planes) => {
                            block.planes::<$vectors, $trees, f64>(planes, rows.count(), out, scratch.sums.room(room))
                        }
                        None => block.others::<$vectors, $trees, T>(rows, out, scratch.labels.room(size)),
                    }
                }
            };
        }
        match size / VECTOR {
            1 => go!(1, 4),
            2 => go!(2, 2),
            4 => go!(4, 1),
            _ => go!(8, 1),
        }
    }
}

/// Rows whose codes are there.
struct Block<'a> {
    wide: &'a Wide,
    codes: &'a [u8],
    sums: &'a Sums,
    stride: usize,
}

impl Block<'_> {
    /// The labels of `V * 64` rows for `TREES` of eight symmetric trees, from one of them on. A step waits for the one before it, hence
    /// several trees at once where there are few rows.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn levels<const V: usize, const TREES: usize>(
        &self,
        levels: &[[Node; SIDE]],
        first: usize,
    ) -> [[__m512i; V]; TREES] {
        let mut labels = [[_mm512_setzero_si512(); V]; TREES];
        let codes = self.codes.as_ptr();
        for levels in levels {
            let levels: &[Node; TREES] = levels[first..].first_chunk().unwrap_or_else(|| unreachable!("eight trees"));
            for (level, labels) in levels.iter().zip(&mut labels) {
                // SAFETY: codes hold `V * 64` rows for every slot.
                let column = unsafe { codes.add(usize::from(level.slot) * V * VECTOR) };
                let limit = _mm512_set1_epi8(level.limit.cast_signed());
                let right = _mm512_set1_epi8(level.right.cast_signed());
                for (vector, label) in labels.iter_mut().enumerate() {
                    // SAFETY: as above; columns begin at lines.
                    let codes = unsafe { _mm512_load_si512(column.add(vector * VECTOR).cast()) };
                    *label = _mm512_mask_add_epi8(*label, _mm512_cmpge_epu8_mask(codes, limit), *label, right);
                }
            }
        }
        labels
    }

    /// Calls `put` with the labels of tree after tree.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn each<const V: usize, const TREES: usize>(&self, mut put: impl FnMut(usize, Tree, &[__m512i; V])) {
        let all = self.wide.labels.trees.as_slice();
        let mut put_all = |first: usize, labels: &[[__m512i; V]; TREES]| {
            for ((&tree, labels), index) in all[first..].iter().zip(labels).zip(first..) {
                put(index, tree, labels);
            }
        };
        if let Some(trios) = &self.wide.trios {
            for first in (0..all.len()).step_by(TREES) {
                put_all(first, &trios.label(first, self.codes));
            }
        } else {
            for (first, levels) in self.wide.labels.groups() {
                for side in (0..SIDE.min(all.len() - first)).step_by(TREES) {
                    put_all(first + side, &self.levels(levels, side));
                }
            }
        }
    }

    /// Leaves of several values, or none that are looked up by planes.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn others<const V: usize, const TREES: usize, T: Value>(
        &self,
        rows: Rows<'_, T>,
        out: &mut [f64],
        room: &mut [u8],
    ) {
        self.each::<V, TREES>(|index, tree, labels| {
            for (label, room) in labels.iter().zip(room.chunks_exact_mut(VECTOR)) {
                // SAFETY: 64 bytes.
                unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), *label) };
            }
            let leaves = room[..rows.count()].iter().map(|&label| tree.leaf + u32::from(label));
            self.sums.add_rows(index, leaves, rows, out, self.stride);
        });
    }

    /// One value per leaf, looked up by planes.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn planes<const V: usize, const TREES: usize, F: Float>(
        &self,
        planes: &Planes,
        rows: usize,
        out: &mut [f64],
        room: &mut [F],
    ) {
        let size = V * VECTOR;
        let targets = self.sums.plain().and_then(|plain| plain.targets);
        let order = if planes.narrow { &F::NARROW } else { &F::ORDER };
        // The row of every margin of a vector that begins with row `first`.
        let rows_from = |first: usize| order.iter().map(move |&row| first + usize::from(row));
        for (target, sums) in room.chunks_exact_mut(size).enumerate() {
            for (sums, first) in sums.chunks_exact_mut(VECTOR).zip((0..).step_by(VECTOR)) {
                for (sum, row) in sums.iter_mut().zip(rows_from(first)) {
                    *sum = F::of(out[row.min(rows - 1) * self.stride + target]);
                }
            }
        }
        let mut first = 0;
        self.each::<V, TREES>(|index, tree, labels| {
            let target = targets.map_or(0, |targets| targets[index] as usize);
            let sums = &mut room[target * size..][..size];
            // SAFETY: planes are only made for a processor that has what they need.
            first = unsafe { planes.add(first, tree.leaves, labels, sums) };
        });
        for (target, sums) in room.chunks_exact(size).enumerate() {
            for (sums, first) in sums.chunks_exact(VECTOR).zip((0..).step_by(VECTOR)) {
                for (sum, row) in sums.iter().zip(rows_from(first)).filter(|(_, row)| *row < rows) {
                    out[row * self.stride + target] = sum.widen();
                }
            }
        }
    }
}
