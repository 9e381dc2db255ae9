//! Many rows by AVX-512: labels in registers, 64 rows each, and values by planes of bytes.
//!
//! The values of a tree's leaves are taken apart into bytes; one permute per byte looks a plane up for 64 rows, and interleaving the
//! planes makes numbers of them again. That leaves the rows of a vector in an order of its own, in which the margins are kept until the
//! last tree. Without VBMI, values are gathered.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::columns::Columns;
use super::labels::{Labels, Node, SIDE, Tree, VECTOR};
use super::lines::{Bytes, Line, Plain};
use super::processor::Processor;
use super::scratch::Scratch;
use super::sums::Sums;
use crate::ir::Precision;
use std::arch::x86_64::*;

/// What AVX-512 needs besides the labels.
#[derive(Debug)]
pub struct Wide {
    columns: Columns,
    /// The bytes of all values: for each tree one plane after the other, of 1, 2 or 4 lines; empty where values are not looked up so.
    planes: Vec<Bytes>,
    /// Bytes of a value.
    bytes: usize,
}

/// Bytes that planes may take in any case: most of the second cache.
const FREE_BYTES: usize = 1 << 20;
/// How many times the values planes may take beside that. A tree of one leaf takes 64 times its value: a small file of many such trees
/// would become a large model.
const WORTH: usize = 16;

/// Lines of a plane of so many leaves.
fn lines(leaves: u16) -> usize {
    usize::from(leaves).div_ceil(VECTOR).next_power_of_two()
}

impl Wide {
    /// Prepares the values and the tables of a forest.
    #[allow(clippy::cast_possible_truncation)] // values are float32 where they are taken for such
    pub fn new(labels: &Labels, coder: &Ranked<u8>, sums: &Sums, processor: Processor) -> Self {
        let (ranks, second) = (coder.ranks(), coder.slots().second());
        let mut wide = Self { columns: Columns::new(ranks, second), planes: Vec::new(), bytes: 0 };
        let Some(plain) = sums.plain().filter(|_| processor == Processor::Vbmi) else { return wide };
        let bytes = if plain.sum == Precision::F32 { 4 } else { 8 };
        let planes = bytes * labels.trees.iter().map(|tree| lines(tree.leaves)).sum::<usize>();
        if size_of::<Bytes>() * planes > FREE_BYTES + WORTH * size_of_val(plain.values) {
            return wide;
        }
        wide.bytes = bytes;
        wide.planes.reserve_exact(planes);
        for tree in &labels.trees {
            let values = &plain.values[tree.leaf as usize..][..usize::from(tree.leaves)];
            for byte in 0..wide.bytes {
                let first = wide.planes.len();
                wide.planes.resize(first + lines(tree.leaves), Line([0; 64]));
                for (leaf, &value) in values.iter().enumerate() {
                    let bytes = match plain.sum {
                        Precision::F32 => u64::from((value as f32).to_bits()),
                        Precision::F64 => value.to_bits(),
                    };
                    wide.planes[first + leaf / VECTOR].0[leaf % VECTOR] = bytes.to_le_bytes()[byte];
                }
            }
        }
        wide
    }

    /// Bytes of values and tables.
    pub fn bytes(&self) -> usize {
        size_of_val(self.planes.as_slice()) + self.columns.bytes()
    }

    /// Adds the trees to the margins of the rows of a block of `size`.
    #[allow(clippy::too_many_arguments)]
    pub fn add_block<T: Value>(
        &self,
        labels: &Labels,
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
        let outputs = sums.layout().base.len();
        let block = Block { wide: self, labels, codes, sums, stride };
        macro_rules! go {
            ($vectors:literal, $trees:literal) => {
                // SAFETY: planes are only made for a processor with VBMI; the others need what this one has.
                unsafe {
                    match self.bytes {
                        4 => {
                            block.planes::<$vectors, $trees, f32>(rows.count(), out, scratch.sums.room(outputs * size))
                        }
                        8 => {
                            block.planes::<$vectors, $trees, f64>(rows.count(), out, scratch.sums.room(outputs * size))
                        }
                        _ => block.others::<$vectors, $trees, T>(rows, out, scratch.labels.room(size)),
                    }
                }
            };
        }
        match size / VECTOR {
            1 => go!(1, 8),
            2 => go!(2, 4),
            4 => go!(4, 2),
            _ => go!(8, 1),
        }
    }
}

/// A line in a register.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Bytes) -> __m512i {
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Rows whose codes are there.
struct Block<'a> {
    wide: &'a Wide,
    labels: &'a Labels,
    codes: &'a [u8],
    sums: &'a Sums,
    stride: usize,
}

impl Block<'_> {
    /// The labels of `V * 64` rows for `TREES` of eight trees, from one of them on. A step waits for the one before it, hence several
    /// trees at once where there are few rows.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn label<const V: usize, const TREES: usize, const SYMMETRIC: bool>(
        &self,
        nodes: &[[Node; SIDE]],
        first: usize,
    ) -> [[__m512i; V]; TREES] {
        let mut labels = [[_mm512_setzero_si512(); V]; TREES];
        let codes = self.codes.as_ptr();
        for nodes in nodes {
            let nodes: &[Node; TREES] = nodes[first..].first_chunk().unwrap_or_else(|| unreachable!("eight trees"));
            for (node, labels) in nodes.iter().zip(&mut labels) {
                // SAFETY: codes hold `V * 64` rows for every slot.
                let column = unsafe { codes.add(usize::from(node.slot) * V * VECTOR) };
                let limit = _mm512_set1_epi8(node.limit.cast_signed());
                let own = _mm512_set1_epi8(node.label.cast_signed());
                let right = _mm512_set1_epi8(node.right.cast_signed());
                for (vector, label) in labels.iter_mut().enumerate() {
                    // SAFETY: as above; columns begin at lines.
                    let codes = unsafe { _mm512_load_si512(column.add(vector * VECTOR).cast()) };
                    let mut fails = _mm512_cmpge_epu8_mask(codes, limit);
                    *label = if SYMMETRIC {
                        _mm512_mask_add_epi8(*label, fails, *label, right)
                    } else {
                        // What does not wait for the label comes first; the compiler would turn it round.
                        // SAFETY: no instruction at all.
                        unsafe {
                            std::arch::asm!("/* {0} */", inout(kreg) fails, options(pure, nomem, nostack, preserves_flags));
                        };
                        _mm512_mask_mov_epi8(*label, _mm512_mask_cmpeq_epi8_mask(fails, *label, own), right)
                    };
                }
            }
        }
        labels
    }

    /// Calls `put` with the labels of tree after tree.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn each<const V: usize, const TREES: usize>(&self, mut put: impl FnMut(usize, Tree, &[__m512i; V])) {
        for (first, nodes) in self.labels.groups() {
            let trees = &self.labels.trees[first..];
            for side in (0..SIDE.min(trees.len())).step_by(TREES) {
                let labels = if self.labels.symmetric {
                    self.label::<V, TREES, true>(nodes, side)
                } else {
                    self.label::<V, TREES, false>(nodes, side)
                };
                for ((&tree, labels), index) in trees[side..].iter().zip(&labels).zip(first + side..) {
                    put(index, tree, labels);
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
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn planes<const V: usize, const TREES: usize, F: Float>(&self, rows: usize, out: &mut [f64], room: &mut [F]) {
        let outputs = self.sums.layout().base.len();
        let size = V * VECTOR;
        let targets = self.sums.plain().and_then(|plain| plain.targets);
        let sums = &mut room[..outputs * size];
        for (target, sums) in sums.chunks_exact_mut(size).enumerate() {
            for (place, sum) in sums.iter_mut().enumerate() {
                *sum = F::of(out[F::row(place).min(rows - 1) * self.stride + target]);
            }
        }
        let mut first = 0;
        self.each::<V, TREES>(|index, tree, labels| {
            let target = targets.map_or(0, |targets| targets[index] as usize);
            let sums = &mut sums[target * size..][..size];
            let planes = &self.wide.planes[first..first + size_of::<F>() * lines(tree.leaves)];
            first += planes.len();
            match lines(tree.leaves) {
                1 => add_all::<V, 1, F>(planes, labels, sums),
                2 => add_all::<V, 2, F>(planes, labels, sums),
                _ => add_all::<V, 4, F>(planes, labels, sums),
            }
        });
        for (target, sums) in sums.chunks_exact(size).enumerate() {
            for (place, &sum) in sums.iter().enumerate().filter(|(place, _)| F::row(*place) < rows) {
                out[F::row(place) * self.stride + target] = sum.widen();
            }
        }
    }
}

/// Adds the values of the leaves of a tree to the margins of all rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn add_all<const V: usize, const LINES: usize, F: Float>(planes: &[Bytes], labels: &[__m512i; V], sums: &mut [F]) {
    let planes = &planes[..size_of::<F>() * LINES];
    for (label, sums) in labels.iter().zip(sums.chunks_exact_mut(VECTOR)) {
        let upper = _mm512_movepi8_mask(*label);
        let mut bytes = [_mm512_setzero_si512(); 8];
        for (byte, plane) in bytes.iter_mut().zip(planes.chunks_exact(LINES)).take(size_of::<F>()) {
            *byte = match LINES {
                1 => _mm512_permutexvar_epi8(*label, load(&plane[0])),
                2 => _mm512_permutex2var_epi8(load(&plane[0]), *label, load(&plane[1])),
                _ => {
                    let low = _mm512_permutex2var_epi8(load(&plane[0]), *label, load(&plane[1]));
                    let high = _mm512_permutex2var_epi8(load(&plane[2]), *label, load(&plane[3]));
                    _mm512_mask_blend_epi8(upper, low, high)
                }
            };
        }
        // SAFETY: the processor has AVX-512 BW, as this function needs.
        unsafe { F::add(&bytes, sums) };
    }
}

/// A type of margins.
trait Float: Plain {
    /// The row, within 64, of a place in the order that interleaving gives; places from 64 on belong to the next vectors.
    fn row(place: usize) -> usize;

    /// From a margin of float64.
    fn of(value: f64) -> Self;

    /// As a margin of float64.
    fn widen(self) -> f64;

    /// Makes numbers of their bytes and adds them to 64 margins.
    ///
    /// # Safety
    /// The processor has AVX-512 BW.
    unsafe fn add(bytes: &[__m512i; 8], sums: &mut [Self]);
}

impl Float for f64 {
    fn row(place: usize) -> usize {
        let (vector, within) = (place / VECTOR, place % VECTOR);
        vector * VECTOR + within % 8 / 2 * 16 + within / 8 * 2 + within % 2
    }

    fn of(value: f64) -> Self {
        value
    }

    fn widen(self) -> f64 {
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add(bytes: &[__m512i; 8], sums: &mut [Self]) {
        let [a, b, c, d, e, f, g, h] = *bytes;
        let words = [
            [_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)],
            [_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)],
            [_mm512_unpacklo_epi8(e, f), _mm512_unpackhi_epi8(e, f)],
            [_mm512_unpacklo_epi8(g, h), _mm512_unpackhi_epi8(g, h)],
        ];
        for half in 0..2 {
            let [a, b, c, d] = words.map(|pair| pair[half]);
            let halves = [
                (_mm512_unpacklo_epi16(a, b), _mm512_unpacklo_epi16(c, d)),
                (_mm512_unpackhi_epi16(a, b), _mm512_unpackhi_epi16(c, d)),
            ];
            for (quarter, (low, high)) in halves.into_iter().enumerate() {
                let values = [_mm512_unpacklo_epi32(low, high), _mm512_unpackhi_epi32(low, high)];
                for (eighth, value) in values.into_iter().enumerate() {
                    // SAFETY: there are 64 margins, 8 for each of 8 vectors.
                    unsafe {
                        let place = sums.as_mut_ptr().add(half * 32 + quarter * 16 + eighth * 8);
                        let sum = _mm512_add_pd(_mm512_loadu_pd(place), _mm512_castsi512_pd(value));
                        _mm512_storeu_pd(place, sum);
                    }
                }
            }
        }
    }
}

impl Float for f32 {
    fn row(place: usize) -> usize {
        let (vector, within) = (place / VECTOR, place % VECTOR);
        vector * VECTOR + within % 16 / 4 * 16 + within / 16 * 4 + within % 4
    }

    #[allow(clippy::cast_possible_truncation)] // margins of float32
    fn of(value: f64) -> Self {
        value as f32
    }

    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add(bytes: &[__m512i; 8], sums: &mut [Self]) {
        let [a, b, c, d, ..] = *bytes;
        let halves = [
            (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d)),
            (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d)),
        ];
        for (half, (low, high)) in halves.into_iter().enumerate() {
            let values = [_mm512_unpacklo_epi16(low, high), _mm512_unpackhi_epi16(low, high)];
            for (quarter, value) in values.into_iter().enumerate() {
                // SAFETY: there are 64 margins, 16 for each of 4 vectors.
                unsafe {
                    let place = sums.as_mut_ptr().add(half * 32 + quarter * 16);
                    let sum = _mm512_add_ps(_mm512_loadu_ps(place), _mm512_castsi512_ps(value));
                    _mm512_storeu_ps(place, sum);
                }
            }
        }
    }
}
