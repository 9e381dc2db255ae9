//! Trees whose nodes ask the same on each level: a row's leaf is a number of which every level gives one bit.
//!
//! Sixty-four trees go side by side, level by level. With AVX-512 VBMI, byte permutes fetch what their nodes compare from a table of up to
//! 256 codes in registers, and one comparison decides a level of all of them; AVX2 does the same for 32 trees with tables of sixteen codes.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::kernel::Kernel;
use super::lines::{Bytes, Line};
use super::lowered::Lowered;
use super::processor::Processor;
use super::ranks;
use super::scratch::Scratch;
use super::slots::Parts;
use super::sums::{Leaves, Sink, Sums, blocks};
use std::sync::Arc;

/// Trees side by side.
const SIDE: usize = 64;
/// Slots of codes that a node can name.
const CODES: usize = 256;
/// Levels of the deepest tree: its leaves are bytes.
const LEVELS: usize = 8;

/// Up to 64 trees.
#[derive(Debug)]
struct Group {
    /// Slots and limits, level by level; a tree that is less deep goes left on the others.
    levels: Vec<[Bytes; 2]>,
    /// The first leaf of each tree among all leaves.
    leaves: Vec<u32>,
}

/// A forest of such trees.
#[derive(Debug)]
pub struct Symmetric {
    coder: Arc<Ranked<u8>>,
    processor: Processor,
    groups: Vec<Group>,
    trees: usize,
}

impl Symmetric {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, processor: Processor) -> Option<Self> {
        let trees = lowered.levels.as_ref()?;
        let coder = Ranked::new(lowered, ranks::BYTES, Parts::ALL, processor)?;
        if coder.slots().count() > CODES || trees.iter().any(|levels| levels.len() > LEVELS) {
            return None;
        }
        let groups = trees.chunks(SIDE).zip(lowered.leaves.chunks(SIDE)).map(|(trees, leaves)| {
            let depth = trees.iter().map(Vec::len).max().unwrap_or(0);
            // Slot 0 holds a code below every limit but 0.
            let mut levels = vec![[Line([0; SIDE]), Line([1; SIDE])]; depth];
            for (tree, tests) in trees.iter().enumerate() {
                for (level, &test) in levels.iter_mut().zip(tests) {
                    let (slot, limit) = coder.place(lowered, test);
                    level[0].0[tree] = super::narrow(slot);
                    level[1].0[tree] = limit;
                }
            }
            Group { levels, leaves: leaves.to_vec() }
        });
        Some(Self { groups: groups.collect(), coder: Arc::new(coder), processor, trees: trees.len() })
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<u8>> {
        &self.coder
    }

    /// The leaves of a row.
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> Look<'a> {
        let codes = scratch.codes.room::<u8>(CODES);
        self.coder.code(row, codes, &mut scratch.keys);
        Look { forest: self, codes: scratch.codes.room::<Bytes>(CODES / 64) }
    }
}

/// One row's codes, and the forest they go through.
#[derive(Clone, Copy)]
struct Look<'a> {
    forest: &'a Symmetric,
    codes: &'a [Bytes],
}

impl Leaves for Look<'_> {
    #[inline]
    fn each<S: Sink>(&self, sink: &mut S) {
        match self.forest.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Vbmi => unsafe { self.forest.each_vbmi(self.codes, sink) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Avx2 | Processor::Avx512 => unsafe { self.forest.each_avx2(self.codes, sink) },
            _ => self.forest.each(self.codes, sink),
        }
    }
}

impl Symmetric {
    fn each<S: Sink>(&self, codes: &[Bytes], sink: &mut S) {
        let mut all = [0u8; CODES];
        all.chunks_exact_mut(64).zip(codes).for_each(|(all, line)| all.copy_from_slice(&line.0));
        let codes = all;
        for (first, group) in (0..).step_by(SIDE).zip(&self.groups) {
            let mut own = [0u8; SIDE];
            for (bit, [slots, limits]) in group.levels.iter().enumerate() {
                let found: [u8; SIDE] = std::array::from_fn(|tree| codes[usize::from(slots.0[tree])]);
                for ((own, code), limit) in own.iter_mut().zip(found).zip(limits.0) {
                    *own |= u8::from(code >= limit) << bit;
                }
            }
            for ((tree, &leaf), own) in (first..).zip(&group.leaves).zip(own) {
                // SAFETY: a tree has a leaf for each number of its levels, and only its levels set bits.
                unsafe { sink.put(tree, leaf + u32::from(own)) };
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn each_avx2<S: Sink>(&self, codes: &[Bytes], sink: &mut S) {
        use super::nibbles::Table;
        use std::arch::x86_64::*;
        let table = Table::new(codes, self.coder.slots().count());
        for (first, group) in (0..).step_by(SIDE).zip(&self.groups) {
            let mut own = [0u8; SIDE];
            for (half, own) in own.chunks_exact_mut(32).enumerate().take(group.leaves.len().div_ceil(32)) {
                let mut label = _mm256_setzero_si256();
                let mut bit = _mm256_set1_epi8(1);
                for [slots, limits] in &group.levels {
                    // SAFETY: a line is 64 bytes.
                    let [slots, limits] = [slots, limits]
                        .map(|line| unsafe { _mm256_load_si256(std::ptr::from_ref(line).cast::<__m256i>().add(half)) });
                    let code = table.look_up(slots);
                    let fails = _mm256_cmpeq_epi8(_mm256_max_epu8(code, limits), code);
                    label = _mm256_or_si256(label, _mm256_and_si256(fails, bit));
                    bit = _mm256_add_epi8(bit, bit);
                }
                // SAFETY: 32 bytes.
                unsafe { _mm256_storeu_si256(own.as_mut_ptr().cast(), label) };
            }
            for ((tree, &leaf), own) in (first..).zip(&group.leaves).zip(own) {
                // SAFETY: a tree has a leaf for each number of its levels, and only its levels set bits.
                unsafe { sink.put(tree, leaf + u32::from(own)) };
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
    fn each_vbmi<S: Sink>(&self, codes: &[Bytes], sink: &mut S) {
        use super::registers::{Table, load};
        use std::arch::x86_64::*;
        let table: Table<4> = Table(std::array::from_fn(|at| load(&codes[at])));
        for (first, group) in (0..).step_by(SIDE).zip(&self.groups) {
            let mut own = _mm512_setzero_si512();
            let mut bit = _mm512_set1_epi8(1);
            for [slots, limits] in &group.levels {
                let fails = _mm512_cmpge_epu8_mask(table.look_up(load(slots)), load(limits));
                own = _mm512_mask_add_epi8(own, fails, own, bit);
                bit = _mm512_add_epi8(bit, bit);
            }
            let mut bytes = [0u8; SIDE];
            // SAFETY: 64 bytes.
            unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), own) };
            for ((tree, &leaf), own) in (first..).zip(&group.leaves).zip(bytes) {
                // SAFETY: a tree has a leaf for each number of its levels, and only its levels set bits.
                unsafe { sink.put(tree, leaf + u32::from(own)) };
            }
        }
    }
}

impl Kernel for Symmetric {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        let outputs = sums.layout().base.len();
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(stride)) {
            sums.add_row(&self.look(row, scratch), row, &mut out[..outputs]);
        }
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        for (index, row) in rows.iter().enumerate() {
            blocks(&self.look(row, scratch), |first, leaves| {
                for (tree, &leaf) in (first..).zip(leaves) {
                    put(index, tree, leaf);
                }
            });
        }
    }

    fn bytes(&self) -> usize {
        let levels: usize = self.groups.iter().map(|group| group.levels.len()).sum();
        self.coder.bytes() + levels * size_of::<[Bytes; 2]>() + self.trees * size_of::<u32>()
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        for group in &self.groups {
            super::warm(&group.levels);
            super::warm(&group.leaves);
        }
    }
}
