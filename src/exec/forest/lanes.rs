//! Codes of many rows by AVX2, column behind column.
//!
//! Eight rows of eight features are turned round in registers, and keys made of eight rows at once. Where a column has few bounds, eight
//! keys are compared with one bound after the other; where it has many, that finds the line of its bounds for each key, whose numbers
//! are then compared at once. Of float64 only the upper halves of keys are read; what they leave open is looked at again.
//!
//! The codes are kept as `127 - code`, signed: a row fails a limit when `128 - limit` is greater than that.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::lines::{Buffer, Words};
use super::ranks::Ranks;
use super::slots::Slots;
use crate::ir::Precision;
use std::arch::x86_64::*;

/// Rows that a register of keys holds, and features that are read together.
const LANES: usize = 8;
/// Rows that are looked up together.
const STEP: usize = 4 * LANES;
/// The most rows at a time.
const MOST: usize = 128;
/// The most bounds of a column that are compared one by one.
const FEW: usize = 32;
/// Columns of eight features from which on all of these are read.
const WORTH: usize = 3;
/// The key of a missing value, at most: the largest one fills tables up.
const MISSING: i32 = i32::MAX - 1;

/// A code as the kernels compare it.
pub const fn turned(code: u8) -> u8 {
    code ^ 0x7f
}

/// What is needed of a column of numbers.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// Its number among the columns.
    index: u32,
    feature: u32,
    /// The first line of its bounds.
    line: u32,
    /// Its bounds, with that of missing values.
    count: u16,
    /// Whether the numbers around 0 are missing.
    band: bool,
    /// The key of a missing value.
    replace: i32,
}

impl Column {
    /// What its keys rest on.
    fn keys(&self) -> (u32, bool, i32) {
        (self.feature, self.band, self.replace)
    }
}

/// Columns whose features are read together.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The first of eight features; none where each is read by itself.
    first: Option<u32>,
    /// One past its last column.
    end: u32,
}

/// The columns of a forest whose codes are bytes.
#[derive(Debug)]
pub struct Lanes {
    /// In the order of their features.
    columns: Vec<Column>,
    groups: Vec<Group>,
    /// The last number of every line of bounds, as the tables have them.
    lasts: Vec<i32>,
    /// The code of a missing value in each column that has a second version.
    missing: Vec<u8>,
}

impl Lanes {
    /// The columns of these tables, whose codes are bytes.
    pub fn new(slots: &Slots, ranks: &Ranks) -> Self {
        let column = |column: usize| {
            let (replace, band) = slots.stand_in(column);
            Column {
                index: super::narrow(column),
                feature: slots.features[column],
                line: super::narrow(ranks.leaves(column)),
                count: super::narrow(ranks.sorted(column).count()),
                band,
                replace: replace.min(MISSING),
            }
        };
        let mut columns: Vec<_> = (0..ranks.columns()).map(column).collect();
        columns.sort_by_key(Column::keys);
        let width = slots.width();
        let mut end = 0;
        let groups = columns.chunk_by(|a, b| a.feature as usize / LANES == b.feature as usize / LANES).map(|group| {
            end += group.len();
            // The last features are read with some that come before them.
            let first = (group[0].feature as usize / LANES * LANES).min(width.saturating_sub(LANES));
            let first = (group.len() >= WORTH && width >= LANES).then(|| super::narrow(first));
            Group { first, end: super::narrow(end) }
        });
        Self {
            groups: groups.collect(),
            columns,
            lasts: ranks.lines().iter().map(|line| line.0[15]).collect(),
            missing: (0..slots.second()).map(|column| ranks.missing::<u8>(column)).collect(),
        }
    }

    /// Bytes of its lists.
    pub fn bytes(&self) -> usize {
        size_of_val(self.columns.as_slice())
            + size_of_val(self.groups.as_slice())
            + size_of_val(self.lasts.as_slice())
            + self.missing.len()
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
        assert!(rows.columns() >= slots.width() && rows.count() <= size && size.is_multiple_of(STEP) && size <= MOST);
        // Fails every limit, and only nodes that nothing passes ask for it.
        codes[..size].fill(0x80);
        let there = rows.count().next_multiple_of(STEP);
        let keys = keys.room::<i32>(LANES * size);
        let mut begin = 0;
        for group in &self.groups {
            let columns = &self.columns[begin..group.end as usize];
            begin = group.end as usize;
            if let Some(first) = group.first {
                turn(slots.input(), rows, first as usize, keys, size);
            }
            let mut last: Option<&Column> = None;
            for column in columns {
                let index = column.index as usize;
                let place = group.first.map_or(0, |first| (column.feature - first) as usize);
                let keys = &mut keys[place * size..][..there];
                if last.is_none_or(|last| last.keys() != column.keys()) {
                    // A feature under two rules is read for each of them.
                    if group.first.is_none() || last.is_some_and(|last| last.feature == column.feature) {
                        raw(slots.input(), rows, column.feature as usize, keys);
                    }
                    if !make_keys(slots, column, keys) {
                        for (key, row) in keys.iter_mut().zip(rows.iter()) {
                            *key = upper(slots.key64(row, index)).min(MISSING);
                        }
                    }
                }
                last = Some(column);
                let out = &mut codes[(1 + index) * size..][..there];
                if self.search(column, ranks, keys, out) {
                    refine(slots, ranks, rows, index, out);
                }
            }
        }
        self.second(codes, size, there);
        for (index, row) in rows.iter().enumerate() {
            slots.presences(row, |slot, present| codes[slot * size + index] = turned(u8::from(present)));
        }
    }

    /// Codes of the keys of a column; whether one of them equals a bound, where that matters.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn search(&self, column: &Column, ranks: &Ranks, keys: &[i32], codes: &mut [u8]) -> bool {
        let count = usize::from(column.count);
        // The last bound is followed by a number that no key is above.
        let lines = column.line as usize..column.line as usize + (count + 1).div_ceil(LINE);
        let lasts = &self.lasts[lines.start..lines.end - 1];
        let lines = &ranks.lines()[lines];
        match (count <= FEW, ranks.is_exact()) {
            (true, true) => few::<true>(lines, count, keys, codes),
            (true, false) => few::<false>(lines, count, keys, codes),
            (false, true) => many::<true>(lines, lasts, keys, codes),
            (false, false) => many::<false>(lines, lasts, keys, codes),
        }
    }

    /// The second versions of columns, in which missing values have the least code.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn second(&self, codes: &mut [u8], size: usize, there: usize) {
        let columns = self.columns.len();
        let (first, second) = codes[size..].split_at_mut(columns * size);
        let pairs = first.chunks_exact(size).zip(second.chunks_exact_mut(size));
        for ((first, second), &missing) in pairs.zip(&self.missing) {
            let missing = turned(missing);
            for (second, &first) in second[..there].iter_mut().zip(first) {
                *second = if first == missing { turned(0) } else { first };
            }
        }
    }
}

/// Makes keys of numbers; false where upper halves do not tell which of them are missing.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::cast_possible_truncation)] // keys of 32 bits
fn make_keys(slots: &Slots, column: &Column, keys: &mut [i32]) -> bool {
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

/// The upper half of a key of 64 bits.
#[inline]
#[allow(clippy::cast_possible_truncation)]
fn upper(key: i64) -> i32 {
    (key >> 32) as i32
}

/// The bits of a feature of all rows, of float64 their upper halves.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::cast_possible_truncation)] // a float64 is rounded on purpose
fn raw<T: Value>(input: Precision, rows: Rows<'_, T>, feature: usize, keys: &mut [i32]) {
    let values = rows.iter().map(|row| row[feature].widen());
    match input {
        Precision::F32 => {
            for (key, value) in keys.iter_mut().zip(values) {
                *key = (value as f32).to_bits().cast_signed();
            }
        }
        Precision::F64 => {
            for (key, value) in keys.iter_mut().zip(values) {
                *key = upper(value.to_bits().cast_signed());
            }
        }
    }
}

/// The same of eight features from one on: `size` rows of one behind those of the other. Rows behind the last are copies of it.
#[inline]
#[target_feature(enable = "avx2")]
fn turn<T: Value>(input: Precision, rows: Rows<'_, T>, first: usize, keys: &mut [i32], size: usize) {
    let count = rows.count();
    assert!(first + LANES <= rows.columns() && keys.len() >= LANES * size && count.next_multiple_of(LANES) <= size);
    for row in (0..count).step_by(LANES) {
        let mut tile = [_mm256_setzero_ps(); LANES];
        for (lane, tile) in tile.iter_mut().enumerate() {
            let row = (row + lane).min(count - 1);
            // SAFETY: there are eight numbers from the first on in each of the rows.
            *tile = unsafe { eight(input, rows.data().as_ptr().add(row * rows.columns() + first)) };
        }
        let [a, b, c, d, e, f, g, h] = tile;
        let (upper, lower) = (quarter(a, b, c, d), quarter(e, f, g, h));
        for column in 0..LANES / 2 {
            // The registers of rows hold features 0, 1, 4, 5 and 2, 3, 6, 7.
            let place = if column < 2 { column } else { column + 2 } * size + row;
            let low = _mm256_permute2f128_ps::<0x20>(upper[column], lower[column]);
            let high = _mm256_permute2f128_ps::<0x31>(upper[column], lower[column]);
            // SAFETY: there is room for `size` keys of eight features, of which these are eight of the places 0, 1, 4 and 5, and of the
            // places two behind them.
            unsafe {
                _mm256_storeu_ps(keys.as_mut_ptr().add(place).cast(), low);
                _mm256_storeu_ps(keys.as_mut_ptr().add(place + 2 * size).cast(), high);
            }
        }
    }
}

/// Turns four rows of four numbers round, in both halves of the registers.
#[inline]
#[target_feature(enable = "avx2")]
fn quarter(a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
    let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    let (other_low, other_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    [
        _mm256_shuffle_ps::<0b01_00_01_00>(low, other_low),
        _mm256_shuffle_ps::<0b11_10_11_10>(low, other_low),
        _mm256_shuffle_ps::<0b01_00_01_00>(high, other_high),
        _mm256_shuffle_ps::<0b11_10_11_10>(high, other_high),
    ]
}

/// The bits of eight numbers, of float64 their upper halves: the first two, the fifth and the sixth, then the others.
///
/// # Safety
/// There are eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eight<T: Value>(input: Precision, row: *const T) -> __m256 {
    // SAFETY: as promised.
    let row = unsafe { std::slice::from_raw_parts(row, LANES) };
    // SAFETY: as promised.
    let doubles = |row: &[f64]| unsafe { [_mm256_loadu_pd(row.as_ptr()), _mm256_loadu_pd(row.as_ptr().add(4))] };
    let order = |straight| _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(straight)));
    let uppers =
        |[low, high]: [__m256d; 2]| _mm256_shuffle_ps::<0b11_01_11_01>(_mm256_castpd_ps(low), _mm256_castpd_ps(high));
    match (input, T::as_f64(row), T::as_f32(row)) {
        (Precision::F64, Some(row), _) => uppers(doubles(row)),
        (Precision::F64, _, Some(row)) => {
            // SAFETY: as promised.
            let halves = unsafe { [_mm_loadu_ps(row.as_ptr()), _mm_loadu_ps(row.as_ptr().add(4))] };
            uppers(halves.map(|half| _mm256_cvtps_pd(half)))
        }
        (Precision::F32, Some(row), _) => {
            let [low, high] = doubles(row).map(|half| _mm256_cvtpd_ps(half));
            order(_mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high))
        }
        // SAFETY: as promised.
        (Precision::F32, _, Some(row)) => order(unsafe { _mm256_loadu_ps(row.as_ptr()) }),
        _ => unreachable!("numbers are of float32 or of float64"),
    }
}

/// Numbers of a line of bounds.
const LINE: usize = 16;

/// The keys of four times eight rows.
#[inline]
#[target_feature(enable = "avx2")]
fn load(keys: &[i32]) -> [__m256i; 4] {
    let keys: &[i32; STEP] = keys.first_chunk().unwrap_or_else(|| unreachable!("keys of {STEP} rows"));
    // SAFETY: eight numbers each.
    std::array::from_fn(|at| unsafe { _mm256_loadu_si256(keys.as_ptr().add(at * LANES).cast()) })
}

/// Compares keys with one bound after the other; whether one of them equals a bound, if `EXACT`.
#[inline]
#[target_feature(enable = "avx2")]
fn few<const EXACT: bool>(lines: &[Words], count: usize, keys: &[i32], codes: &mut [u8]) -> bool {
    let mut equal = _mm256_setzero_si256();
    for (keys, codes) in keys.chunks_exact(STEP).zip(codes.chunks_exact_mut(STEP)) {
        let keys = load(keys);
        let mut below = [_mm256_setzero_si256(); 4];
        for &bound in lines.iter().flat_map(|line| &line.0).take(count) {
            let bound = _mm256_set1_epi32(bound);
            for (below, key) in below.iter_mut().zip(keys) {
                *below = _mm256_sub_epi32(*below, _mm256_cmpgt_epi32(key, bound));
                if EXACT {
                    equal = _mm256_or_si256(equal, _mm256_cmpeq_epi32(key, bound));
                }
            }
        }
        let words = [_mm256_packus_epi32(below[0], below[1]), _mm256_packus_epi32(below[2], below[3])];
        // Packs work on halves of registers.
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        let bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(words[0], words[1]), order);
        let turned = _mm256_xor_si256(bytes, _mm256_set1_epi8(turned(0).cast_signed()));
        // SAFETY: thirty-two bytes.
        unsafe { _mm256_storeu_si256(codes.as_mut_ptr().cast(), turned) };
    }
    _mm256_testz_si256(equal, equal) == 0
}

/// Finds the line of each key among the last numbers of all but the last, then its place in the line; the same answer.
#[inline]
#[target_feature(enable = "avx2")]
fn many<const EXACT: bool>(lines: &[Words], lasts: &[i32], keys: &[i32], codes: &mut [u8]) -> bool {
    assert!(lasts.len() < lines.len());
    let zero = _mm256_setzero_si256();
    let mut equal = zero;
    for (keys, codes) in keys.chunks_exact(STEP).zip(codes.chunks_exact_mut(STEP)) {
        let own = load(keys);
        let mut line_of = [zero; 4];
        for &last in lasts {
            let last = _mm256_set1_epi32(last);
            for (line, key) in line_of.iter_mut().zip(own) {
                *line = _mm256_sub_epi32(*line, _mm256_cmpgt_epi32(key, last));
            }
        }
        for ((keys, codes), line_of) in keys.chunks_exact(LANES).zip(codes.chunks_exact_mut(LANES)).zip(line_of) {
            let mut places = [0i32; LANES];
            // SAFETY: eight numbers.
            unsafe { _mm256_storeu_si256(places.as_mut_ptr().cast(), line_of) };
            let mut above = [zero; LANES];
            for ((above, &key), place) in above.iter_mut().zip(keys).zip(places) {
                let key = _mm256_set1_epi32(key);
                // SAFETY: a place counts some of the lasts, which are fewer than the lines; a line is 64 bytes and begins at a
                // multiple of 64.
                let line = unsafe {
                    let line: *const __m256i = lines.as_ptr().add(place.cast_unsigned() as usize).cast();
                    [_mm256_load_si256(line), _mm256_load_si256(line.add(1))]
                };
                let halves = line.map(|half| _mm256_cmpgt_epi32(key, half));
                *above = _mm256_packs_epi32(halves[0], halves[1]);
                if EXACT {
                    for half in line {
                        equal = _mm256_or_si256(equal, _mm256_cmpeq_epi32(half, key));
                    }
                }
            }
            // Sums of the bytes of two rows, in halves of the register; then of all eight rows, as words.
            let sums: [__m256i; 4] = std::array::from_fn(|pair| {
                let bytes = _mm256_packs_epi16(above[2 * pair], above[2 * pair + 1]);
                _mm256_sad_epu8(_mm256_sub_epi8(zero, bytes), zero)
            });
            let sums =
                _mm256_packus_epi32(_mm256_packus_epi32(sums[0], sums[1]), _mm256_packus_epi32(sums[2], sums[3]));
            let within = _mm_add_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
            let lines = _mm_packus_epi32(_mm256_castsi256_si128(line_of), _mm256_extracti128_si256::<1>(line_of));
            let code = _mm_add_epi16(within, _mm_slli_epi16::<4>(lines));
            let code = _mm_xor_si128(_mm_packus_epi16(code, code), _mm_set1_epi8(turned(0).cast_signed()));
            // SAFETY: eight bytes.
            unsafe { _mm_storel_epi64(codes.as_mut_ptr().cast(), code) };
        }
    }
    _mm256_testz_si256(equal, equal) == 0
}

/// Where keys that equal the upper half of a bound belong.
#[cold]
fn refine<T: Value>(slots: &Slots, ranks: &Ranks, rows: Rows<'_, T>, column: usize, codes: &mut [u8]) {
    for (code, row) in codes.iter_mut().zip(rows.iter()) {
        let refined = ranks.refine(column, usize::from(turned(*code)), slots.key64(row, column));
        *code = turned(super::narrow(refined));
    }
}
