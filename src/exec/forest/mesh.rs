//! What the columns of a row leave possible in many trees at once.
//!
//! Every tree has a label with one bit for each of its leaves, and labels lie side by side in vectors of a cache line, a group of trees in
//! each. A node strikes out the leaves on the side that a row does not take. What all nodes of a group that ask a column strike out together
//! depends on the column's code alone, so that it is one vector for each interval of codes, and a row costs a group one look-up and
//! one `and` per column. One leaf is left in each label.
//!
//! These are the bit vectors of QuickScorer (Lucchese et al., SIGIR 2015) with both sides of every node in them; its loop over the
//! thresholds below a value is replaced by what it ends with.
#![allow(unsafe_code)]

use super::super::Number as Value;
use super::condition::Conditions;
use super::lines::{Buffer, Line};
use super::processor::Processor;
use super::slab::Slab;
use super::slots::{Code, Slots};

/// Labels side by side.
pub type Vector = Line<[u64; 8]>;

/// Bits of a vector.
pub const BITS: usize = 8 * size_of::<Vector>();
/// What [`Mesh::ways`] counts: an eighth of a vector, since an instruction can multiply by 8.
pub const UNIT: usize = size_of::<Vector>() / 8;
/// As many trees as a vector has labels.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its first vector, in which every leaf is possible; those of its columns follow.
    pub first: u32,
    /// One past its last column among those that are asked.
    pub end: u32,
}

/// A forest in such vectors.
#[derive(Debug)]
pub struct Mesh {
    /// Bits of a label.
    pub(super) bits: usize,
    pub(super) trees: usize,
    pub(super) groups: Vec<Group>,
    /// The columns that each group asks, group after group, in fours; none where every group looks all columns up.
    pub(super) asked: Vec<u16>,
    /// What they leave possible.
    pub(super) vectors: Slab<Vector>,
    /// Which vector that is, in [`UNIT`]s from the first one of the group on: a row for each code of each column, in it a place for each
    /// group.
    pub(super) ways: Slab<u16>,
    /// For each slot from 1 on, which is a column, the place of the row of its least code.
    pub(super) slots: Vec<u32>,
    /// For each column of categories, which come behind them, the place of the row of its first state.
    pub(super) states: Vec<u32>,
    /// What makes states of categories.
    pub(super) categories: Conditions,
    pub(super) processor: Processor,
}

impl Mesh {
    /// Bytes of all tables.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.vectors)
            + size_of_val(self.ways.as_slice())
            + size_of_val(self.asked.as_slice())
            + size_of_val(self.groups.as_slice())
    }

    /// Reads all tables.
    pub fn prefetch(&self) {
        super::warm(&self.vectors);
        super::warm(&self.ways);
        super::warm(&self.asked);
        super::warm(&self.slots);
        super::warm(&self.groups);
    }

    /// The labels of all trees for a row with these codes; the buffers are working memory.
    ///
    /// # Panics
    /// When there are fewer codes than slots.
    #[inline]
    pub fn labels<'a, T: Value, C: Code>(
        &self,
        slots: &Slots,
        row: &[T],
        codes: &[C],
        points: &mut Buffer,
        labels: &'a mut Buffer,
    ) -> Labels<'a> {
        let columns = self.slots.len() + self.states.len();
        let points = points.room::<u32>(columns.next_multiple_of(4));
        slots.states(&self.categories, row, |column, state| {
            points[self.slots.len() + column] = self.point(self.states[column], state);
        });
        let labels = labels.room::<Vector>(self.groups.len());
        assert!(codes.len() > self.slots.len());
        let codes = &codes[1..=self.slots.len()];
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is; the codes are those of all slots, the points of categories are there.
            Processor::Avx2 => unsafe { self.look_avx2(codes, points, labels) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Avx512 | Processor::Vbmi => unsafe { self.look_avx512(codes, points, labels) },
            // SAFETY: as above.
            _ => unsafe { self.look_here(codes, points, labels) },
        }
        Labels { vectors: labels, bits: self.bits, trees: self.trees }
    }

    /// The place among the ways of a code or a state of a column whose ways begin at `first`.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // places of all codes are 32 bits
    fn point(&self, first: u32, code: usize) -> u32 {
        first + code as u32 * self.groups.len() as u32
    }

    /// What is left possible in each group; `load` reads a vector, `both` keeps what is in both of two, `store` writes one.
    ///
    /// # Safety
    /// There are a code for every slot and room for a point of every column, in fours, where those of categories are.
    #[inline(always)]
    unsafe fn look<C: Code, V: Copy>(
        &self,
        codes: &[C],
        points: &mut [u32],
        labels: &mut [Vector],
        load: impl Fn(&Vector) -> V,
        both: impl Fn(V, V) -> V,
        store: impl Fn(&mut Vector, V),
    ) {
        for ((point, &first), code) in points.iter_mut().zip(&self.slots).zip(codes) {
            *point = self.point(first, code.number());
        }
        let columns = self.slots.len() + self.states.len();
        // What is looked up twice changes nothing.
        if let Some(&last) = points[..columns].last() {
            points[columns..].fill(last);
        }
        let mut asked = self.asked.as_slice();
        let mut start = 0;
        for (index, (group, label)) in self.groups.iter().zip(labels).enumerate() {
            let (own, rest) = asked.split_at((group.end - start) as usize);
            (asked, start) = (rest, group.end);
            // SAFETY: a group has its vectors, and ways lead to them; the rest is as promised.
            unsafe {
                let first = self.vectors.as_ptr().add(group.first as usize);
                let ways = self.ways.as_ptr().add(index);
                let mut left = load(&*first);
                let mut look = |point: u32| {
                    let way = *ways.add(point as usize);
                    left = both(left, load(&*first.byte_add(usize::from(way) * 8)));
                };
                if self.asked.is_empty() {
                    points.as_chunks::<4>().0.iter().flatten().for_each(|&point| look(point));
                } else {
                    let columns = own.as_chunks::<4>().0.iter().flatten();
                    columns.for_each(|&column| look(*points.get_unchecked(usize::from(column))));
                }
                store(label, left);
            }
        }
    }

    /// # Safety
    /// As [`Self::look`].
    unsafe fn look_here<C: Code>(&self, codes: &[C], points: &mut [u32], labels: &mut [Vector]) {
        let both = |a: Vector, b: Vector| Line(std::array::from_fn(|at| a.0[at] & b.0[at]));
        // SAFETY: as promised.
        unsafe { self.look(codes, points, labels, |vector| *vector, both, |label, left| *label = left) };
    }

    /// # Safety
    /// As [`Self::look`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn look_avx2<C: Code>(&self, codes: &[C], points: &mut [u32], labels: &mut [Vector]) {
        use std::arch::x86_64::*;
        // SAFETY: a line is twice 32 bytes at a multiple of 64; the rest is as promised.
        unsafe {
            self.look(
                codes,
                points,
                labels,
                |vector| {
                    let halves = std::ptr::from_ref(vector).cast::<__m256i>();
                    [_mm256_load_si256(halves), _mm256_load_si256(halves.add(1))]
                },
                |[a, b], [c, d]| [_mm256_and_si256(a, c), _mm256_and_si256(b, d)],
                |label, [low, high]| {
                    let halves = std::ptr::from_mut(label).cast::<__m256i>();
                    _mm256_store_si256(halves, low);
                    _mm256_store_si256(halves.add(1), high);
                },
            );
        }
    }

    /// # Safety
    /// As [`Self::look`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn look_avx512<C: Code>(&self, codes: &[C], points: &mut [u32], labels: &mut [Vector]) {
        use std::arch::x86_64::*;
        // SAFETY: a line is 64 bytes at a multiple of 64; the rest is as promised.
        unsafe {
            self.look(
                codes,
                points,
                labels,
                |vector| _mm512_load_si512(std::ptr::from_ref(vector).cast()),
                |a, b| _mm512_and_si512(a, b),
                |label, left| _mm512_store_si512(std::ptr::from_mut(label).cast(), left),
            );
        }
    }
}

/// The labels of a row.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    vectors: &'a [Vector],
    bits: usize,
    trees: usize,
}

impl Labels<'_> {
    /// Trees.
    #[inline(always)]
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// Calls `put` with every tree and the label of the leaf that is left.
    #[inline(always)]
    pub fn each(&self, put: impl FnMut(usize, u32)) {
        match self.bits {
            8 => self.each_of::<u8>(put),
            16 => self.each_of::<u16>(put),
            32 => self.each_of::<u32>(put),
            _ => self.each_of::<u64>(put),
        }
    }

    #[inline(always)]
    fn each_of<L: Label>(&self, mut put: impl FnMut(usize, u32)) {
        debug_assert!(self.trees <= self.vectors.len() * (BITS / (8 * size_of::<L>())));
        let labels = self.vectors.as_ptr().cast::<L>();
        for tree in 0..self.trees {
            // SAFETY: every tree has a label, and nodes leave the bit of the leaf that a row reaches.
            let bit = unsafe { (*labels.add(tree)).bit() };
            put(tree, bit);
        }
    }
}

/// A label.
trait Label: Copy {
    /// Its lowest bit.
    ///
    /// # Safety
    /// It has one.
    unsafe fn bit(self) -> u32;
}

macro_rules! labels {
    ($($label:ty),*) => { $(impl Label for $label {
        #[inline(always)]
        unsafe fn bit(self) -> u32 {
            // SAFETY: as promised.
            unsafe { std::num::NonZero::new_unchecked(self) }.trailing_zeros()
        }
    })* };
}
labels!(u8, u16, u32, u64);
