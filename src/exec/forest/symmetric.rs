//! Trees whose nodes ask the same on each level: a row's leaf is a number of which every level gives one bit.
//!
//! Sixty-four trees go side by side, level by level. With AVX-512 VBMI, byte permutes fetch what their nodes compare from a table of up to
//! 256 codes in registers, and one comparison decides a level of all of them; AVX2 does the same for 32 trees with tables of sixteen codes.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::choice::Choice;
use super::coder::{Coder, Ranked};
use super::handover::{Handover, SIDE};
use super::kernel::{Kernel, Rowwise};
use super::lines::{Bytes, Line};
use super::lowered::Lowered;
#[cfg(target_arch = "x86_64")]
use super::nibbles::by_parts;
use super::processor::Processor;
use super::ranks;
use super::scratch::Scratch;
use super::slots::Parts;
use super::sums::{Leaves, Sink, Sums};
use std::sync::Arc;

/// Slots of codes that a node can name.
const CODES: usize = 256;
/// Groups of 64 trees whose leaves are found before any of them is handed over.
#[cfg(target_arch = "x86_64")]
const APART: usize = 8;
/// Leaves that are handed over while a level is decided: all of 64 trees, almost, in six levels.
#[cfg(target_arch = "x86_64")]
const MEANWHILE: usize = 10;
/// Levels of the deepest tree: its leaves are bytes.
const LEVELS: usize = 8;

/// A forest of such trees.
#[derive(Debug)]
pub struct Symmetric {
    coder: Arc<Ranked<u8>>,
    processor: Processor,
    /// Whether leaves are found before they are handed over, or meanwhile.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    apart: bool,
    /// For each 64 trees slots and limits, level by level; a tree that is less deep goes left on the others.
    groups: Vec<Vec<[Bytes; 2]>>,
    /// The first leaf of each tree among all leaves.
    leaves: Vec<u32>,
}

impl Symmetric {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, choice: &Choice) -> Option<Self> {
        let trees: Vec<_> =
            (0..lowered.forest.trees().len()).map(|tree| lowered.levels(tree)).collect::<Option<_>>()?;
        let coder = Ranked::new(lowered, ranks::BYTES, Parts::ALL, choice.processor)?;
        if coder.slots().count() > CODES || trees.iter().any(|levels| levels.len() > LEVELS) {
            return None;
        }
        let groups = trees.chunks(SIDE).map(|trees| {
            let depth = trees.iter().map(|levels| levels.len()).max().unwrap_or(0);
            // Slot 0 holds a code below every limit but 0.
            let mut levels = vec![[Line([0; SIDE]), Line([1; SIDE])]; depth];
            for (tree, &tests) in trees.iter().enumerate() {
                for (level, &test) in levels.iter_mut().zip(tests) {
                    let (slot, limit) = coder.place(lowered, test);
                    level[0].0[tree] = super::narrow(slot);
                    level[1].0[tree] = limit;
                }
            }
            levels
        });
        Some(Self {
            groups: groups.collect(),
            coder: Arc::new(coder),
            processor: choice.processor,
            apart: choice.intel,
            leaves: lowered.leaves.clone(),
        })
    }

    /// What makes its codes.
    pub fn coder(&self) -> &Arc<Ranked<u8>> {
        &self.coder
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
    fn each<S: Sink>(&self, sink: S) -> S {
        match self.forest.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Vbmi if self.forest.apart => unsafe { self.forest.each_apart(self.codes, sink) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Vbmi => unsafe { self.forest.each_vbmi(self.codes, sink) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Avx2 | Processor::Avx512 => unsafe {
                macro_rules! go {
                    ($parts:literal) => {
                        self.forest.each_avx2::<$parts, S>(self.codes, sink)
                    };
                }
                by_parts!(self.forest.coder.slots().count(), go)
            },
            _ => self.forest.each(self.codes, sink),
        }
    }
}

// A tree has a leaf for each number of its levels, and only its levels set bits: that is what is promised to a handover.
impl Symmetric {
    fn each<S: Sink>(&self, codes: &[Bytes], sink: S) -> S {
        let mut all = [0u8; CODES];
        all.chunks_exact_mut(64).zip(codes).for_each(|(all, line)| all.copy_from_slice(&line.0));
        let codes = all;
        let (mut own, mut handover) = ([0; SIDE], Handover::new(sink, &self.leaves));
        for levels in &self.groups {
            // SAFETY: as above.
            unsafe { handover.turn(&own, SIDE) };
            own = [0; SIDE];
            for (bit, [slots, limits]) in levels.iter().enumerate() {
                let found: [u8; SIDE] = std::array::from_fn(|tree| codes[usize::from(slots.0[tree])]);
                for ((own, code), limit) in own.iter_mut().zip(found).zip(limits.0) {
                    *own |= u8::from(code >= limit) << bit;
                }
            }
        }
        // SAFETY: as above.
        unsafe { handover.end(&own) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn each_avx2<const PARTS: usize, S: Sink>(&self, codes: &[Bytes], mut sink: S) -> S {
        use super::nibbles::{self, Table};
        use std::arch::x86_64::*;
        let table = Table::<PARTS>::new(codes);
        // The leaves of the last 64 trees, and how many trees there are before these.
        let (mut last, mut before) = ([0u32; SIDE], 0);
        // SAFETY: a number, and a tree that there is; volatile, so that it is one load: the compiler would take registers of them apart.
        let hand = |sink: &mut S, last: &[u32; SIDE], before: usize, at: usize| unsafe {
            sink.put(before + at, (&raw const last[at]).read_volatile());
        };
        for (group, (levels, leaves)) in self.groups.iter().zip(self.leaves.chunks(SIDE)).enumerate() {
            let mut labels = [_mm256_setzero_si256(); 2];
            let mut bit = _mm256_set1_epi8(1);
            let mut handed = 0;
            for [slots, limits] in levels {
                let slots = nibbles::load(&slots.0);
                // SAFETY: the processor has AVX2.
                let codes = unsafe {
                    if group > 0 && handed + MEANWHILE <= SIDE {
                        let first = handed;
                        handed += MEANWHILE;
                        table.look_up(slots, |part| {
                            (part * MEANWHILE / PARTS..(part + 1) * MEANWHILE / PARTS)
                                .for_each(|number| hand(&mut sink, &last, before, first + number));
                        })
                    } else {
                        table.look_up(slots, |_| ())
                    }
                };
                for ((label, code), limit) in labels.iter_mut().zip(codes).zip(nibbles::load(&limits.0)) {
                    let fails = _mm256_cmpeq_epi8(_mm256_max_epu8(code, limit), code);
                    *label = _mm256_or_si256(*label, _mm256_and_si256(fails, bit));
                }
                bit = _mm256_add_epi8(bit, bit);
            }
            if group > 0 {
                (handed..SIDE).for_each(|at| hand(&mut sink, &last, before, at));
                before += SIDE;
            }
            let mut own = [0; SIDE];
            nibbles::store(labels, &mut own);
            last.iter_mut().zip(leaves).zip(own).for_each(|((last, leaf), own)| *last = leaf + u32::from(own));
        }
        (before..self.leaves.len()).for_each(|tree| hand(&mut sink, &last, before, tree - before));
        sink
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
    fn each_vbmi<S: Sink>(&self, codes: &[Bytes], sink: S) -> S {
        use super::registers::{Table, load};
        use std::arch::x86_64::*;
        let table: Table<4> = Table(std::array::from_fn(|at| load(&codes[at])));
        let (mut own, mut handover) = ([0; SIDE], Handover::new(sink, &self.leaves));
        for levels in &self.groups {
            let found = labels(&table, levels, || {
                // SAFETY: as above.
                unsafe {
                    handover.some(&own);
                    handover.some(&own);
                }
            });
            // SAFETY: as above; there are 64 bytes.
            unsafe {
                handover.turn(&own, SIDE);
                _mm512_storeu_si512(own.as_mut_ptr().cast(), found);
            }
        }
        // SAFETY: as above.
        unsafe { handover.end(&own) }
    }

    /// The same for processors that add slowly while vectors of 64 bytes are at work: many leaves are found before any is handed over.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn each_apart<S: Sink>(&self, codes: &[Bytes], mut sink: S) -> S {
        use super::registers::{Table, load, store_for_parts};
        let table: Table<4> = Table(std::array::from_fn(|at| load(&codes[at])));
        let mut own = Line([[0u8; SIDE]; APART]);
        let mut tree = 0;
        for (groups, leaves) in self.groups.chunks(APART).zip(self.leaves.chunks(APART * SIDE)) {
            for (own, levels) in own.0.iter_mut().zip(groups) {
                // SAFETY: there are 64 bytes.
                unsafe { store_for_parts(own, labels(&table, levels, || {})) };
            }
            for (own, leaf) in own.0.as_flattened().iter().zip(leaves) {
                // SAFETY: as above.
                unsafe { sink.put(tree, leaf + u32::from(*own)) };
                tree += 1;
            }
        }
        sink
    }
}

/// The labels of the leaves that a row reaches in 64 trees; `meanwhile` is called between two levels.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn labels(
    table: &super::registers::Table<4>,
    levels: &[[Bytes; 2]],
    mut meanwhile: impl FnMut(),
) -> std::arch::x86_64::__m512i {
    use super::registers::load;
    use std::arch::x86_64::*;
    let mut labels = _mm512_setzero_si512();
    let mut bit = _mm512_set1_epi8(1);
    for [slots, limits] in levels {
        let fails = _mm512_cmpge_epu8_mask(table.look_up(load(slots)), load(limits));
        labels = _mm512_mask_add_epi8(labels, fails, labels, bit);
        bit = _mm512_add_epi8(bit, bit);
        meanwhile();
    }
    labels
}

impl Rowwise for Symmetric {
    #[inline]
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> impl Leaves + 'a {
        let codes = scratch.codes.room::<u8>(CODES);
        self.coder.code(row, codes, &mut scratch.keys);
        Look { forest: self, codes: scratch.codes.room::<Bytes>(CODES / 64) }
    }
}

impl Kernel for Symmetric {
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        self.add_each(rows, sums, out, stride, scratch);
    }

    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        self.leaves_each(rows, scratch, put);
    }

    fn bytes(&self) -> usize {
        let levels: usize = self.groups.iter().map(Vec::len).sum();
        self.coder.bytes() + levels * size_of::<[Bytes; 2]>() + size_of_val(self.leaves.as_slice())
    }

    fn prefetch(&self) {
        self.coder.prefetch();
        self.groups.iter().for_each(|levels| super::warm(levels));
        super::warm(&self.leaves);
    }
}
