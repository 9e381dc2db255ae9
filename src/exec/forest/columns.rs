//! Codes of many rows by AVX-512, column behind column.
//!
//! Sixteen rows by sixteen columns of keys are turned round in registers. The bounds of a column then stand in registers as a binary
//! tree, through which a permute per level leads sixteen rows at once.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::groups::{LANES, NONE};
use super::labels::VECTOR;
use super::lines::{Buffer, Line, Words};
use super::ranks::Ranks;
use super::slots::Slots;
use std::arch::x86_64::*;

/// Rows of a column that are looked up together.
const TILE: usize = VECTOR / LANES;

/// The bounds of every column as a binary tree of keys of 32 bits: the children of entry `i` are `2 i` and `2 i + 1`.
#[derive(Debug)]
pub struct Columns {
    lines: Vec<Words>,
    /// For each column its first line and its levels.
    trees: Vec<(u32, u8)>,
    /// The code of a missing value in each column that has a second version.
    missing: Vec<u8>,
}

impl Columns {
    /// The trees of columns whose codes are bytes; the first `second` of them have codes for missing values.
    pub fn new(ranks: &Ranks, second: usize) -> Self {
        let mut columns = Self { lines: Vec::new(), trees: Vec::new(), missing: Vec::new() };
        for column in 0..ranks.columns() {
            let bounds: Vec<i32> = ranks.sorted(column).collect();
            let levels = (bounds.len() + 1).next_power_of_two().trailing_zeros();
            let mut tree = vec![i32::MAX; (1 << levels).max(LANES)];
            let mut bounds = bounds.iter().copied();
            fill(&mut tree, &mut bounds, 1, 1 << levels);
            columns.trees.push((super::narrow(columns.lines.len()), super::narrow(levels as usize)));
            columns.lines.extend(tree.chunks_exact(LANES).map(|line| Line(std::array::from_fn(|at| line[at]))));
        }
        columns.missing.extend((0..second).map(|column| ranks.missing::<u8>(column)));
        columns
    }

    /// Bytes of the trees.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice()) + self.trees.len() * 9
    }
}

/// Fills a tree of `count - 1` entries below `at` with ascending numbers.
fn fill(tree: &mut [i32], bounds: &mut impl Iterator<Item = i32>, at: usize, count: usize) {
    if at < count {
        fill(tree, bounds, 2 * at, count);
        tree[at] = bounds.next().unwrap_or(i32::MAX);
        fill(tree, bounds, 2 * at + 1, count);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Words) -> __m512i {
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Turns sixteen rows of sixteen numbers into columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn turn(rows: &mut [__m512i; LANES]) {
    let mut half = [_mm512_setzero_si512(); LANES];
    for at in 0..LANES / 2 {
        half[2 * at] = _mm512_unpacklo_epi32(rows[2 * at], rows[2 * at + 1]);
        half[2 * at + 1] = _mm512_unpackhi_epi32(rows[2 * at], rows[2 * at + 1]);
    }
    for at in 0..LANES / 4 {
        let [a, b, c, d] = [half[4 * at], half[4 * at + 1], half[4 * at + 2], half[4 * at + 3]];
        rows[4 * at] = _mm512_unpacklo_epi64(a, c);
        rows[4 * at + 1] = _mm512_unpackhi_epi64(a, c);
        rows[4 * at + 2] = _mm512_unpacklo_epi64(b, d);
        rows[4 * at + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // Now register `4 r + c` holds, in lane `l` of 128 bits, column `4 l + c` of rows `4 r` to `4 r + 3`.
    for column in 0..4 {
        let [a, b, c, d] = [rows[column], rows[4 + column], rows[8 + column], rows[12 + column]];
        half[column] = _mm512_shuffle_i32x4::<0b01_00_01_00>(a, b);
        half[4 + column] = _mm512_shuffle_i32x4::<0b11_10_11_10>(a, b);
        half[8 + column] = _mm512_shuffle_i32x4::<0b01_00_01_00>(c, d);
        half[12 + column] = _mm512_shuffle_i32x4::<0b11_10_11_10>(c, d);
    }
    for column in 0..4 {
        rows[column] = _mm512_shuffle_i32x4::<0b10_00_10_00>(half[column], half[8 + column]);
        rows[4 + column] = _mm512_shuffle_i32x4::<0b11_01_11_01>(half[column], half[8 + column]);
        rows[8 + column] = _mm512_shuffle_i32x4::<0b10_00_10_00>(half[4 + column], half[12 + column]);
        rows[12 + column] = _mm512_shuffle_i32x4::<0b11_01_11_01>(half[4 + column], half[12 + column]);
    }
}

impl Columns {
    /// Fills in the codes of a block of `size` rows, of which `rows` are asked for; those behind them are copies of the last one.
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    pub fn fill<T: Value>(
        &self,
        slots: &Slots,
        ranks: &Ranks,
        rows: Rows<'_, T>,
        codes: &mut [u8],
        size: usize,
        keys: &mut Buffer,
    ) {
        assert!(codes.len() >= slots.count() * size && size.is_multiple_of(VECTOR) && rows.count() > 0);
        let keys = keys.room::<Words>(LANES * TILE);
        for first in (0..size).step_by(VECTOR) {
            if first >= rows.count() {
                break;
            }
            let parts = (rows.count() - first).div_ceil(LANES).min(TILE);
            for group in &slots.groups.groups {
                for part in 0..parts {
                    let mut tile = [_mm512_setzero_si512(); LANES];
                    for (lane, keys) in tile.iter_mut().enumerate() {
                        let row = first + part * LANES + lane;
                        *keys = slots.group_keys(group, rows.row(row.min(rows.count() - 1)));
                        group.prefetch(rows.row((row + VECTOR).min(rows.count() - 1)));
                    }
                    turn(&mut tile);
                    for (column, keys_of) in tile.iter().enumerate() {
                        // SAFETY: a line is 64 bytes that begin at a multiple of 64.
                        unsafe { _mm512_store_si512((&raw mut keys[column * TILE + part]).cast(), *keys_of) };
                    }
                }
                for (&column, keys) in group.columns.iter().zip(keys.chunks_exact(TILE)).filter(|at| *at.0 != NONE) {
                    let column = column as usize;
                    let codes = &mut codes[(1 + column) * size + first..][..VECTOR];
                    let equal = self.look_up(column, ranks.is_exact(), &keys[..parts], codes);
                    if equal != 0 {
                        refine(slots, ranks, rows, first, column, equal, codes);
                    }
                }
            }
        }
        self.second(codes, size);
        for (index, row) in rows.iter().enumerate() {
            slots.presences(row, |slot, present| codes[slot * size + index] = u8::from(present));
        }
    }

    /// The second versions of columns, in which missing values have the least code.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn second(&self, codes: &mut [u8], size: usize) {
        let columns = self.trees.len();
        let (first, second) = codes[size..].split_at_mut(columns * size);
        let pairs = first.chunks_exact(size).zip(second.chunks_exact_mut(size));
        for ((first, second), &missing) in pairs.zip(&self.missing) {
            for (second, &first) in second.iter_mut().zip(first) {
                *second = if first == missing { 0 } else { first };
            }
        }
    }

    /// Codes of 64 keys; a bit for each of them that equals a bound, if `exact`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
    fn look_up(&self, column: usize, exact: bool, keys: &[Words], codes: &mut [u8]) -> u64 {
        let (line, levels) = self.trees[column];
        let lines = &self.lines[line as usize..];
        macro_rules! go {
            ($levels:literal) => {
                if exact {
                    search::<$levels, true>(lines, keys, codes)
                } else {
                    search::<$levels, false>(lines, keys, codes)
                }
            };
        }
        match levels {
            ..=2 => go!(2),
            3 => go!(3),
            4 => go!(4),
            5 => go!(5),
            6 => go!(6),
            7 => go!(7),
            _ => go!(8),
        }
    }
}

/// Where keys that equal the upper half of a bound belong.
#[cold]
fn refine<T: Value>(
    slots: &Slots,
    ranks: &Ranks,
    rows: Rows<'_, T>,
    first: usize,
    column: usize,
    equal: u64,
    codes: &mut [u8],
) {
    let lanes = (0..VECTOR).filter(|lane| equal >> lane & 1 == 1);
    for lane in lanes.take_while(|lane| first + lane < rows.count()) {
        let key = slots.key64(rows.row(first + lane), column);
        codes[lane] = super::narrow(ranks.refine(column, usize::from(codes[lane]), key));
    }
}

/// Leads 64 keys through a tree of so many levels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn search<const LEVELS: usize, const EXACT: bool>(lines: &[Words], keys: &[Words], codes: &mut [u8]) -> u64 {
    let lines = &lines[..((1 << LEVELS) / LANES).max(1)];
    let codes: &mut [u8; VECTOR] = codes.try_into().unwrap_or_else(|_| unreachable!("codes of {VECTOR} rows"));
    let mut one = _mm512_set1_epi32(1);
    // A compiler that knows this number makes three instructions of one masked addition.
    // SAFETY: no instruction at all.
    unsafe { std::arch::asm!("/* {0} */", inout(zmm_reg) one, options(pure, nomem, nostack, preserves_flags)) };
    let mut equal = 0;
    for (part, key) in keys.iter().enumerate() {
        let key = load(key);
        let mut at = one;
        let mut same = 0;
        for level in 0..LEVELS {
            let bound = match level {
                0..=3 => _mm512_permutexvar_epi32(at, load(&lines[0])),
                4 => _mm512_permutexvar_epi32(at, load(&lines[1])),
                5 => _mm512_permutex2var_epi32(load(&lines[2]), at, load(&lines[3])),
                6 => {
                    let upper = _mm512_test_epi32_mask(at, _mm512_set1_epi32(32));
                    let low = _mm512_permutex2var_epi32(load(&lines[4]), at, load(&lines[5]));
                    _mm512_mask_blend_epi32(upper, low, _mm512_permutex2var_epi32(load(&lines[6]), at, load(&lines[7])))
                }
                _ => {
                    let odd = _mm512_test_epi32_mask(at, _mm512_set1_epi32(32));
                    let upper = _mm512_test_epi32_mask(at, _mm512_set1_epi32(64));
                    let first = _mm512_permutex2var_epi32(load(&lines[8]), at, load(&lines[9]));
                    let second = _mm512_permutex2var_epi32(load(&lines[10]), at, load(&lines[11]));
                    let third = _mm512_permutex2var_epi32(load(&lines[12]), at, load(&lines[13]));
                    let fourth = _mm512_permutex2var_epi32(load(&lines[14]), at, load(&lines[15]));
                    let low = _mm512_mask_blend_epi32(odd, first, second);
                    _mm512_mask_blend_epi32(upper, low, _mm512_mask_blend_epi32(odd, third, fourth))
                }
            };
            let above = _mm512_cmpgt_epi32_mask(key, bound);
            if EXACT {
                same |= _mm512_cmpeq_epi32_mask(key, bound);
            }
            at = _mm512_add_epi32(at, at);
            at = _mm512_mask_add_epi32(at, above, at, one);
        }
        let codes = &mut codes[part * LANES..][..LANES];
        // The lowest byte of a place is its code: a place is `2^LEVELS` and the code.
        let code = _mm512_cvtepi32_epi8(_mm512_and_si512(at, _mm512_set1_epi32((1 << LEVELS) - 1)));
        // SAFETY: sixteen bytes.
        unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), code) };
        equal |= u64::from(same) << (part * LANES);
    }
    equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::forest::Processor;

    #[test]
    fn rows_turn_into_columns() {
        #[target_feature(enable = "avx512f")]
        fn turned(rows: &mut [Words; LANES]) {
            let mut tile = rows.map(|row| load(&row));
            turn(&mut tile);
            for (row, turned) in rows.iter_mut().zip(tile) {
                // SAFETY: a line is 64 bytes that begin at a multiple of 64.
                unsafe { _mm512_store_si512(std::ptr::from_mut(row).cast(), turned) };
            }
        }
        if !Processor::Avx512.is_here() {
            return;
        }
        let mut rows: [Words; LANES] =
            std::array::from_fn(|row| Line(std::array::from_fn(|column| i32::try_from(row * 16 + column).unwrap())));
        // SAFETY: the processor has AVX-512.
        unsafe { turned(&mut rows) };
        for (column, line) in rows.iter().enumerate() {
            for (row, &value) in line.0.iter().enumerate() {
                assert_eq!(usize::try_from(value).unwrap(), row * 16 + column);
            }
        }
    }
}
