//! Conditions on categories, for many rows by AVX2.
//!
//! The category of a row in a column is one of up to 224 states: a place among the 32 bytes of a set, and one of seven bits of that byte.
//! Before two trees are walked, the codes of their conditions are made: one or two permutes look the places up, and what is left of the
//! bits is 0 where a condition holds, so that [`LIMIT`] is greater.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::condition::Conditions;
use super::lowered::{Lowered, Test};
use super::slots::Slots;
use std::arch::x86_64::*;

/// Bits of a byte that are used: the uppermost would be a sign.
const BITS: usize = 7;
/// States of a category that one permute tells apart.
const STATES: usize = 16 * BITS;
/// What is added to a place, so that a permute by it gives nothing for those from 16 on.
const ABOVE: u8 = 0x70;
/// Rows of a register.
const LANES: usize = 32;

/// What is greater than the codes of a condition where it holds.
pub const LIMIT: i8 = 1;

/// The states in which a condition does not hold.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
struct Set {
    bits: [[u8; 16]; 2],
    /// Where the places of its column stand.
    slot: u32,
}

/// The conditions of a forest.
#[derive(Debug)]
pub struct Members {
    columns: Conditions,
    /// The slot of the places of the first column; its bits are next. Codes of single rows have the first condition there.
    first: usize,
    sets: Vec<Set>,
    /// One past the last sets of every two trees.
    ends: Vec<u32>,
    /// The most sets of two trees.
    most: usize,
    /// Whether a column has more states than one permute tells apart.
    wide: bool,
}

impl Members {
    /// None of the conditions yet; `None` where a column has too many states.
    pub fn new(lowered: &Lowered<'_>, slots: &Slots) -> Option<Self> {
        let mut wide = false;
        for column in &lowered.conditions.columns {
            let states = column.states().filter(|&states| states <= 2 * STATES)?;
            wide |= states > STATES;
        }
        Some(Self {
            columns: lowered.conditions.some(0..lowered.conditions.columns.len()),
            first: slots.place(Test::Condition(0), |_, _| 0u8).0,
            sets: Vec::new(),
            ends: Vec::new(),
            most: 0,
            wide,
        })
    }

    /// The slot where a node of the next two trees finds its code, if it asks for the condition of a slot.
    pub fn add(&mut self, lowered: &Lowered<'_>, slot: usize) -> Option<usize> {
        let condition = slot.checked_sub(self.first).filter(|&index| index < lowered.conditions.count)?;
        let columns = &lowered.conditions.columns;
        let (column, _) = lowered.conditions.column(condition);
        let mut set = Set { bits: [[0; 16]; 2], slot: super::narrow(self.first + 2 * column) };
        let mut fails = [0u64; (2 * STATES).div_ceil(64)];
        let states = columns[column].states()?;
        lowered.each_word(condition, |first, holds| {
            fails[first / 64] = !holds & u64::MAX >> (64 - (states - first).min(64));
        });
        let [first, second, third, fourth] = fails.map(u128::from);
        let halves = [
            first | second << 64,
            (first | second << 64) >> STATES | third << (128 - STATES) | fourth << (192 - STATES),
        ];
        for (bits, mut fails) in set.bits.iter_mut().zip(halves) {
            for byte in &mut bits[..STATES / BITS] {
                *byte = fails.to_le_bytes()[0] & ((1 << BITS) - 1);
                fails >>= BITS;
            }
        }
        self.sets.push(set);
        let begin = self.ends.last().map_or(0, |&end| end as usize);
        Some(self.first + 2 * columns.len() + self.sets.len() - 1 - begin)
    }

    /// Ends the sets of two trees.
    pub fn end(&mut self) {
        let begin = self.ends.last().map_or(0, |&end| end as usize);
        self.most = self.most.max(self.sets.len() - begin);
        self.ends.push(super::narrow(self.sets.len()));
    }

    /// Bytes of all sets.
    pub fn bytes(&self) -> usize {
        size_of_val(self.sets.as_slice()) + size_of_val(self.ends.as_slice())
    }

    /// All slots: those before, those of columns, and those of the conditions of two trees.
    pub fn slots(&self) -> usize {
        self.first + 2 * self.columns.columns.len() + self.most
    }

    /// Fills in the columns of `rows`, whose codes are `size` rows of each slot.
    pub fn fill<T: Value>(&self, slots: &Slots, rows: Rows<'_, T>, codes: &mut [u8], size: usize) {
        for (index, row) in rows.iter().enumerate() {
            slots.states(&self.columns, row, |column, state| {
                let slot = self.first + 2 * column;
                codes[slot * size + index] = (state / BITS).to_le_bytes()[0] + ABOVE;
                codes[(slot + 1) * size + index] = 1 << (state % BITS);
            });
        }
    }

    /// Fills in the codes of the conditions of two trees, for `V * 32` rows.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn look_up<const V: usize>(&self, pair: usize, codes: &mut [u8]) {
        let begin = pair.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let sets = &self.sets[begin..self.ends[pair] as usize];
        let (columns, out) = codes.split_at_mut((self.first + 2 * self.columns.columns.len()) * V * LANES);
        if self.wide {
            look_up::<V, true>(sets, columns, out);
        } else {
            look_up::<V, false>(sets, columns, out);
        }
    }
}

/// The codes of sets, from columns of places and bits.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up<const V: usize, const WIDE: bool>(sets: &[Set], columns: &[u8], out: &mut [u8]) {
    let size = V * LANES;
    for (set, out) in sets.iter().zip(out.chunks_exact_mut(size)) {
        let column = &columns[set.slot as usize * size..][..2 * size];
        // SAFETY: sixteen bytes each.
        let halves = set.bits.each_ref().map(|half| unsafe { _mm_loadu_si128(half.as_ptr().cast()) });
        let [low, high] = halves.map(|half| _mm256_broadcastsi128_si256(half));
        for vector in 0..V {
            // SAFETY: a column has `V * 32` places, and as many bits behind them.
            let (places, bit) = unsafe {
                let places = column.as_ptr().add(vector * LANES);
                (_mm256_loadu_si256(places.cast()), _mm256_loadu_si256(places.add(size).cast()))
            };
            let mut byte = _mm256_shuffle_epi8(low, places);
            if WIDE {
                let others = _mm256_xor_si256(places, _mm256_set1_epi8(i8::MIN));
                byte = _mm256_or_si256(byte, _mm256_shuffle_epi8(high, others));
            }
            // SAFETY: room for `V * 32` codes.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(vector * LANES).cast(), _mm256_and_si256(byte, bit)) };
        }
    }
}
