//! Codes of many rows by AVX-512, column behind column.
//!
//! Sixteen rows by sixteen columns of keys are turned round in registers. The bounds of a column then stand in registers as a table for
//! each level of a binary search, in which a permute and a comparison lead sixteen rows to the next one.
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

/// The entry of the second level's table that holds the first level's only bound.
const FIRST: usize = LANES - 1;

/// The bounds of every column, as 32 bits of their keys: for each level of a binary search those that it may ask for. Where the search went
/// up on level `l`, bit `l` of a place in the tables of the following levels is set; so a place needs one addition per level, and the
/// place at the end is the code with its bits in reverse.
#[derive(Debug)]
pub struct Columns {
    lines: Vec<Words>,
    /// For each column its first line and its levels.
    tables: Vec<(u32, u8)>,
    /// The code of a missing value in each column that has a second version.
    missing: Vec<u8>,
}

/// The line at which the table of a level begins, behind the lines of the levels before it.
const fn line(level: usize) -> usize {
    if level < 6 { level - 1 } else { 2 + (1 << (level - 4)) }
}

impl Columns {
    /// The tables of columns whose codes are bytes; the first `second` of them have codes for missing values.
    pub fn new(ranks: &Ranks, second: usize) -> Self {
        let mut columns = Self { lines: Vec::new(), tables: Vec::new(), missing: Vec::new() };
        for column in 0..ranks.columns() {
            let bounds: Vec<i32> = ranks.sorted(column).collect();
            let levels = (bounds.len() + 1).next_power_of_two().trailing_zeros().max(2) as usize;
            let first = columns.lines.len();
            columns.tables.push((super::narrow(first), super::narrow(levels)));
            columns.lines.resize(first + line(levels), Line([i32::MAX; LANES]));
            let lines = &mut columns.lines[first..];
            for level in 0..levels {
                for place in 0..1usize << level {
                    let below: usize = (0..level).map(|at| (place >> at & 1) << (levels - 1 - at)).sum();
                    let bound = bounds.get(below + (1 << (levels - 1 - level)) - 1);
                    let (line, place) =
                        if level == 0 { (0, FIRST) } else { (line(level) + place / LANES, place % LANES) };
                    lines[line].0[place] = bound.copied().unwrap_or(i32::MAX);
                }
            }
        }
        columns.missing.extend((0..second).map(|column| ranks.missing::<u8>(column)));
        columns
    }

    /// Bytes of the tables.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice()) + self.tables.len() * 9
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
        let keys = keys.room::<[Words; TILE]>(LANES);
        for first in (0..size).step_by(VECTOR) {
            if first >= rows.count() {
                break;
            }
            let parts = (rows.count() - first).div_ceil(LANES).min(TILE);
            for group in &slots.groups.all {
                for part in 0..parts {
                    let mut tile = slots.tile(group, rows, first + part * LANES);
                    turn(&mut tile);
                    for (keys, column) in keys.iter_mut().zip(tile) {
                        // SAFETY: a line is 64 bytes that begin at a multiple of 64.
                        unsafe { _mm512_store_si512((&raw mut keys[part]).cast(), column) };
                    }
                }
                for (&column, keys) in group.columns.iter().zip(&*keys).filter(|at| *at.0 != NONE) {
                    let column = column as usize;
                    let codes = &mut codes[(1 + column) * size + first..];
                    let codes = codes.first_chunk_mut().unwrap_or_else(|| unreachable!("codes of {VECTOR} rows"));
                    let equal = self.look_up(column, ranks.is_exact(), parts, keys, codes);
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
        let columns = self.tables.len();
        let (first, second) = codes[size..].split_at_mut(columns * size);
        let pairs = first.chunks_exact(size).zip(second.chunks_exact_mut(size));
        for ((first, second), &missing) in pairs.zip(&self.missing) {
            for (second, &first) in second.iter_mut().zip(first) {
                *second = if first == missing { 0 } else { first };
            }
        }
    }

    /// Codes of 64 keys, of which the first `parts` times sixteen count; a bit for each of them that equals a bound, if `exact`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
    fn look_up(&self, column: usize, exact: bool, parts: usize, keys: &[Words; TILE], codes: &mut [u8; VECTOR]) -> u64 {
        let (first, levels) = self.tables[column];
        let lines = &self.lines[first as usize..];
        macro_rules! go {
            ($levels:literal) => {
                match (exact, parts > TILE / 2) {
                    (true, true) => search::<$levels, true, TILE>(lines, keys, codes),
                    (true, false) => search::<$levels, true, { TILE / 2 }>(lines, keys, codes),
                    (false, true) => search::<$levels, false, TILE>(lines, keys, codes),
                    (false, false) => search::<$levels, false, { TILE / 2 }>(lines, keys, codes),
                }
            };
        }
        match levels {
            2 => go!(2),
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
    codes: &mut [u8; VECTOR],
) {
    let lanes = (0..VECTOR).filter(|lane| equal >> lane & 1 == 1);
    for lane in lanes.take_while(|lane| first + lane < rows.count()) {
        let key = slots.key64(rows.row(first + lane), column);
        codes[lane] = super::narrow(ranks.refine(column, usize::from(codes[lane]), key));
    }
}

/// Leads the first `PARTS` times sixteen of 64 keys through so many levels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn search<const LEVELS: usize, const EXACT: bool, const PARTS: usize>(
    lines: &[Words],
    keys: &[Words; TILE],
    codes: &mut [u8; VECTOR],
) -> u64 {
    let lines = &lines[..line(LEVELS)];
    let mut weight = _mm512_set1_epi32(1);
    // A compiler that knows this number makes three instructions of one masked addition.
    // SAFETY: no instruction at all.
    unsafe { std::arch::asm!("/* {0} */", inout(zmm_reg) weight, options(pure, nomem, nostack, preserves_flags)) };
    let keys: [__m512i; PARTS] = std::array::from_fn(|part| load(&keys[part]));
    let mut places = [_mm512_setzero_si512(); TILE];
    // The last bound that a search did not go above: the first one that is not below its key.
    let mut next = [_mm512_set1_epi32(i32::MAX); PARTS];
    let mut above = [[0; PARTS]; LEVELS];
    let two = |first: usize, place| _mm512_permutex2var_epi32(load(&lines[first]), place, load(&lines[first + 1]));
    for level in 0..LEVELS {
        for part in 0..PARTS {
            let place = places[part];
            // The last table that one permute does not look up is four or eight times as long: earlier comparisons say in which part.
            let either = |first: usize, apart| {
                _mm512_mask_blend_epi32(above[5][part], two(first, place), two(first + apart, place))
            };
            let bound = match level {
                0 => _mm512_set1_epi32(lines[0].0[FIRST]),
                1..=4 => _mm512_permutexvar_epi32(place, load(&lines[line(level)])),
                5 => two(line(5), place),
                6 => either(line(6), 2),
                _ => _mm512_mask_blend_epi32(above[6][part], either(line(7), 2), either(line(7) + 4, 2)),
            };
            let up = _mm512_cmpgt_epi32_mask(keys[part], bound);
            if EXACT {
                next[part] = _mm512_mask_blend_epi32(up, bound, next[part]);
            }
            places[part] = _mm512_mask_add_epi32(place, up, place, weight);
            above[level][part] = up;
        }
        weight = _mm512_add_epi32(weight, weight);
    }
    let codes = codes.as_mut_ptr();
    // SAFETY: 64 bytes.
    unsafe { _mm512_storeu_si512(codes.cast(), in_reverse::<LEVELS>(places)) };
    let equal = |part: usize| u64::from(_mm512_cmpeq_epi32_mask(keys[part], next[part])) << (part * LANES);
    if EXACT { (0..PARTS).fold(0, |all, part| all | equal(part)) } else { 0 }
}

/// The numbers of `BITS` bits in the bytes of sixteen numbers each, all bits of each in reverse, one byte for each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn in_reverse<const BITS: usize>(numbers: [__m512i; TILE]) -> __m512i {
    let [a, b, c, d] = numbers;
    let low = _mm512_or_si512(a, _mm512_slli_epi32::<8>(b));
    let high = _mm512_or_si512(_mm512_slli_epi32::<16>(c), _mm512_slli_epi32::<24>(d));
    let bytes = _mm512_or_si512(low, high);
    // Half a byte in reverse, at the place it has then.
    let reverse = |shift: usize| {
        let bytes: [u8; 16] = std::array::from_fn(|half| {
            let byte = (super::narrow::<u8>(half) << shift).reverse_bits();
            byte >> (8 - BITS)
        });
        // SAFETY: sixteen bytes.
        _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
    };
    let half = _mm512_set1_epi8(15);
    let first = _mm512_shuffle_epi8(reverse(0), _mm512_and_si512(bytes, half));
    let second = _mm512_shuffle_epi8(reverse(4), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), half));
    // Byte `4 n + p` is number `n` of part `p`.
    let apart = _mm512_set4_epi32(0x0f0b_0703, 0x0e0a_0602, 0x0d09_0501, 0x0c08_0400);
    let together = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(together, _mm512_shuffle_epi8(_mm512_or_si512(first, second), apart))
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
