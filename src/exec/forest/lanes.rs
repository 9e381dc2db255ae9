//! Codes of many rows by AVX2, column behind column.
//!
//! The keys of a column are made for eight rows at once. Where a column has few bounds, eight keys are compared with one bound after the
//! other; where it has many, each key goes through the table of sixteen numbers per node, whose first node stays in registers. Of
//! float64 only the upper halves of keys are read; what they leave open is looked at again.
//!
//! The codes are kept as `127 - code`, signed: a row fails a limit when `128 - limit` is greater than that.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::lines::{Buffer, Words};
use super::ranks::Ranks;
use super::slots::Slots;
use crate::ir::Precision;
use std::arch::x86_64::*;

/// Rows that a register of keys holds.
const LANES: usize = 8;
/// The most bounds of a column that are compared one by one.
const FEW: usize = 32;
/// The key of a missing value, at most: the largest one fills tables up.
const MISSING: i32 = i32::MAX - 1;

/// A code as the kernels compare it.
pub const fn turned(code: u8) -> u8 {
    code ^ 0x7f
}

/// What is needed of a column of numbers.
#[derive(Debug, Clone, Copy)]
struct Column {
    feature: u32,
    /// The first line of its table.
    line: u32,
    /// The first line of its bounds.
    bounds: u32,
    /// Its bounds, with that of missing values; more than [`FEW`] are looked up in the table.
    count: u16,
    /// Whether the numbers around 0 are missing.
    band: bool,
    /// The key of a missing value.
    replace: i32,
}

/// The columns of a forest whose codes are bytes.
#[derive(Debug)]
pub struct Lanes {
    columns: Vec<Column>,
    /// The code of a missing value in each column that has a second version.
    missing: Vec<u8>,
}

impl Lanes {
    /// The columns of these tables, whose codes are bytes.
    pub fn new(slots: &Slots, ranks: &Ranks) -> Self {
        let column = |column: usize| {
            let (replace, band) = slots.stand_in(column);
            Column {
                feature: slots.features[column],
                line: ranks.starts()[column][0],
                bounds: super::narrow(ranks.leaves(column)),
                count: super::narrow(ranks.sorted(column).count()),
                band,
                replace: replace.min(MISSING),
            }
        };
        Self {
            columns: (0..ranks.columns()).map(column).collect(),
            missing: (0..slots.second()).map(|column| ranks.missing::<u8>(column)).collect(),
        }
    }

    /// Bytes of its lists.
    pub fn bytes(&self) -> usize {
        size_of_val(self.columns.as_slice()) + self.missing.len()
    }

    /// Fills in the codes of up to `size` rows; those behind them hold anything.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn fill<T: Value>(
        &self,
        slots: &Slots,
        ranks: &Ranks,
        rows: Rows<'_, T>,
        codes: &mut [u8],
        size: usize,
        keys: &mut Buffer,
    ) {
        assert!(rows.columns() >= slots.width() && rows.count() <= size && size.is_multiple_of(64));
        // Fails every limit, and only nodes that nothing passes ask for it.
        codes[..size].fill(0x80);
        let there = rows.count().next_multiple_of(LANES);
        let keys = &mut keys.room::<Words>(size / 16)[..];
        // SAFETY: a line is sixteen numbers.
        let keys = unsafe { std::slice::from_raw_parts_mut(keys.as_mut_ptr().cast::<i32>(), size) };
        let keys = &mut keys[..there];
        for (index, column) in self.columns.iter().enumerate() {
            raw(slots.input(), rows, column.feature as usize, keys);
            if !self.keys(slots, column, keys) {
                for (key, row) in keys.iter_mut().zip(rows.iter()) {
                    *key = upper(slots.key64(row, index)).min(MISSING);
                }
            }
            let (before, own) = codes.split_at_mut((1 + index) * size);
            let _ = before;
            let out = &mut own[..there];
            let equal = match (usize::from(column.count) <= FEW, ranks.is_exact()) {
                (true, true) => few::<true>(column, ranks, keys, out),
                (true, false) => few::<false>(column, ranks, keys, out),
                (false, true) => many::<true>(column, ranks, keys, out),
                (false, false) => many::<false>(column, ranks, keys, out),
            };
            if equal {
                refine(slots, ranks, rows, index, out);
            }
            finish(out, |code| turned(code));
        }
        self.second(codes, size, there);
        for (index, row) in rows.iter().enumerate() {
            slots.presences(row, |slot, present| codes[slot * size + index] = turned(u8::from(present)));
        }
    }

    /// The second versions of columns, in which missing values have the least code.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn second(&self, codes: &mut [u8], size: usize, there: usize) {
        let columns = self.columns.len();
        let (first, second) = codes[size..].split_at_mut(columns * size);
        for ((first, second), &missing) in first.chunks_exact(size).zip(second.chunks_exact_mut(size)).zip(&self.missing) {
            let missing = turned(missing);
            for (second, &first) in second[..there].iter_mut().zip(first) {
                *second = if first == missing { turned(0) } else { first };
            }
        }
    }

    /// Makes keys of numbers; false where upper halves do not tell which of them are missing.
    #[inline]
    #[target_feature(enable = "avx2")]
    #[allow(clippy::unused_self, clippy::cast_possible_truncation)] // keys of 32 bits
    fn keys(&self, slots: &Slots, column: &Column, keys: &mut [i32]) -> bool {
        let single = slots.input() == Precision::F32;
        let infinity = _mm256_set1_epi32(if single { 0x7f80_0000 } else { 0x7ff0_0000 });
        let band = slots.band().filter(|_| column.band).map(|(_, high)| if single { high as i32 } else { upper(high) });
        let near = _mm256_set1_epi32(band.unwrap_or(-1));
        let replace = _mm256_set1_epi32(column.replace);
        let most = _mm256_set1_epi32(i32::MAX);
        let mut open = _mm256_setzero_si256();
        for keys in keys.chunks_exact_mut(LANES) {
            let place: *mut __m256i = keys.as_mut_ptr().cast();
            // SAFETY: eight numbers.
            let bits = unsafe { _mm256_loadu_si256(place) };
            let size = _mm256_and_si256(bits, most);
            let key = _mm256_xor_si256(bits, _mm256_and_si256(_mm256_srai_epi32::<31>(bits), most));
            let inside = _mm256_cmpgt_epi32(near, size);
            let edge = _mm256_cmpeq_epi32(near, size);
            let mut missing = _mm256_or_si256(_mm256_cmpgt_epi32(size, infinity), inside);
            if single {
                missing = _mm256_or_si256(missing, edge);
            } else {
                open = _mm256_or_si256(open, _mm256_or_si256(edge, _mm256_cmpeq_epi32(size, infinity)));
            }
            // SAFETY: eight numbers.
            unsafe { _mm256_storeu_si256(place, _mm256_blendv_epi8(key, replace, missing)) };
        }
        _mm256_testz_si256(open, open) == 1
    }
}

/// The upper half of a key of 64 bits.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn upper(key: i64) -> i32 {
    (key >> 32) as i32
}

/// Changes every code.
#[inline]
#[target_feature(enable = "avx2")]
fn finish(codes: &mut [u8], change: impl Fn(u8) -> u8) {
    codes.iter_mut().for_each(|code| *code = change(*code));
}

/// The bits of a feature of all rows, of float64 their upper halves.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::cast_possible_truncation)] // a float64 is rounded on purpose
fn raw<T: Value>(input: Precision, rows: Rows<'_, T>, feature: usize, keys: &mut [i32]) {
    let values = rows.data().get(feature..).unwrap_or_default().iter().step_by(rows.columns());
    match input {
        Precision::F32 => {
            for (key, value) in keys.iter_mut().zip(values) {
                *key = (value.widen() as f32).to_bits().cast_signed();
            }
        }
        Precision::F64 => {
            for (key, value) in keys.iter_mut().zip(values) {
                *key = upper(value.widen().to_bits().cast_signed());
            }
        }
    }
}

/// Compares keys with one bound after the other; whether one of them equals a bound, where that matters.
#[inline]
#[target_feature(enable = "avx2")]
fn few<const EXACT: bool>(column: &Column, ranks: &Ranks, keys: &[i32], codes: &mut [u8]) -> bool {
    const STEP: usize = 4 * LANES;
    let count = usize::from(column.count);
    let lines = &ranks.lines()[column.bounds as usize..][..count.div_ceil(16)];
    let mut equal = _mm256_setzero_si256();
    // Lanes of whole registers come out of two packs in this order.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let mut first = 0;
    while first < keys.len() {
        // The last rows go along with some that are done already.
        first = first.min(keys.len().saturating_sub(STEP));
        let there = (keys.len() - first).min(STEP) / LANES;
        let mut own = [_mm256_set1_epi32(i32::MIN); 4];
        for (own, keys) in own.iter_mut().zip(keys[first..].chunks_exact(LANES)).take(there) {
            // SAFETY: eight numbers.
            *own = unsafe { _mm256_loadu_si256(keys.as_ptr().cast()) };
        }
        let mut below = [_mm256_setzero_si256(); 4];
        for bound in lines.iter().flat_map(|line| &line.0).take(count) {
            let bound = _mm256_set1_epi32(*bound);
            for (below, own) in below.iter_mut().zip(&own) {
                *below = _mm256_sub_epi32(*below, _mm256_cmpgt_epi32(*own, bound));
                if EXACT {
                    equal = _mm256_or_si256(equal, _mm256_cmpeq_epi32(*own, bound));
                }
            }
        }
        let halves = [_mm256_packus_epi32(below[0], below[1]), _mm256_packus_epi32(below[2], below[3])];
        let bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(halves[0], halves[1]), order);
        let mut found = [0u8; STEP];
        // SAFETY: thirty-two bytes.
        unsafe { _mm256_storeu_si256(found.as_mut_ptr().cast(), bytes) };
        codes[first..][..there * LANES].copy_from_slice(&found[..there * LANES]);
        first += STEP;
    }
    _mm256_testz_si256(equal, equal) == 0
}

/// Looks keys up in a table of two levels; the same answer.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
#[allow(clippy::cast_possible_truncation)] // codes are bytes
fn many<const EXACT: bool>(column: &Column, ranks: &Ranks, keys: &[i32], codes: &mut [u8]) -> bool {
    let root = load(&ranks.lines()[column.line as usize]);
    let count = usize::from(column.count);
    // The last bound is followed by numbers that no key is above.
    let lines = &ranks.lines()[column.bounds as usize..][..(count + 1).div_ceil(16)];
    let mut equal = _mm256_setzero_si256();
    for (key, code) in keys.iter().zip(codes) {
        let key = _mm256_set1_epi32(*key);
        let above = below(root, key) / 2;
        // SAFETY: the first node has a number for each line, of which the last one is the largest there is.
        let line = load(unsafe { lines.get_unchecked(above) });
        *code = (above * 16 + below(line, key) / 2) as u8;
        if EXACT {
            for half in line {
                equal = _mm256_or_si256(equal, _mm256_cmpeq_epi32(half, key));
            }
        }
    }
    _mm256_testz_si256(equal, equal) == 0
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(line: &Words) -> [__m256i; 2] {
    let numbers: *const __m256i = line.0.as_ptr().cast();
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { [_mm256_load_si256(numbers), _mm256_load_si256(numbers.add(1))] }
}

/// Twice how many numbers of a line are below a key.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn below(line: [__m256i; 2], key: __m256i) -> usize {
    let above = line.map(|half| _mm256_cmpgt_epi32(key, half));
    _mm256_movemask_epi8(_mm256_packs_epi32(above[0], above[1])).count_ones() as usize
}

/// Where keys that equal the upper half of a bound belong.
#[cold]
fn refine<T: Value>(slots: &Slots, ranks: &Ranks, rows: Rows<'_, T>, column: usize, codes: &mut [u8]) {
    for (code, row) in codes.iter_mut().zip(rows.iter()) {
        *code = super::narrow(ranks.refine(column, usize::from(*code), slots.key64(row, column)));
    }
}
