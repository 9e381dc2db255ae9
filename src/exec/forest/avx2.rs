//! Codes of a row by AVX2: eight keys at once, then one comparison of a key with all bounds of a line per level of a table.
#![allow(unsafe_code)]

use super::super::Number as Value;
use super::groups::{Group, LANES};
use super::heads::{self, Eight, Head, Heads};
use super::lines::{Buffer, Words};
use super::ranks::{Ranks, by_levels};
use super::slots::{Code, Slots};
use crate::ir::Precision;
use std::arch::x86_64::*;
use std::ops::Range;

/// Keys in a register.
const HALF: usize = LANES / 2;

/// The halves of a line.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(line: &Words) -> [__m256i; 2] {
    let numbers: *const __m256i = line.0.as_ptr().cast();
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { [_mm256_load_si256(numbers), _mm256_load_si256(numbers.add(1))] }
}

/// Twice as many as there are numbers of a line below a key.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn below(line: &Words, key: __m256i) -> usize {
    let above = halves(line).map(|half| _mm256_cmpgt_epi32(key, half));
    // Two bits for each number.
    let mask = _mm256_movemask_epi8(_mm256_packs_epi32(above[0], above[1]));
    mask.count_ones() as usize
}

/// Eight numbers of a row as float32, of the lower or the upper half of a group.
///
/// # Safety
/// The features of the group lie within the row.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eight<T: Value>(row: &[T], group: &Group, half: usize) -> __m256 {
    match T::as_f32(row) {
        // SAFETY: features that follow each other lie within the row.
        Some(row) if group.is_whole() => unsafe { _mm256_loadu_ps(row.as_ptr().add(group.first() + half * HALF)) },
        // SAFETY: every feature lies within the row.
        Some(row) => unsafe { _mm256_i32gather_ps::<4>(row.as_ptr(), halves(&group.features)[half]) },
        None => {
            // SAFETY: as promised.
            let [low, high] = unsafe { four_and_four(row, group, half) }.map(|four| _mm256_cvtpd_ps(four));
            _mm256_set_m128(high, low)
        }
    }
}

/// The same as float64, in two registers.
///
/// # Safety
/// The features of the group lie within the row.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn four_and_four<T: Value>(row: &[T], group: &Group, half: usize) -> [__m256d; 2] {
    match T::as_f64(row) {
        Some(row) if group.is_whole() => {
            // SAFETY: features that follow each other lie within the row.
            unsafe {
                let first = row.as_ptr().add(group.first() + half * HALF);
                [_mm256_loadu_pd(first), _mm256_loadu_pd(first.add(4))]
            }
        }
        Some(row) => {
            let places = halves(&group.features)[half];
            let places = [_mm256_castsi256_si128(places), _mm256_extracti128_si256::<1>(places)];
            // SAFETY: every feature lies within the row.
            places.map(|places| unsafe { _mm256_i32gather_pd::<8>(row.as_ptr(), places) })
        }
        None => {
            // SAFETY: as promised.
            let values = unsafe { eight(row, group, half) };
            [_mm256_cvtps_pd(_mm256_castps256_ps128(values)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(values))]
        }
    }
}

/// The upper halves of eight numbers of 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn upper(numbers: [__m256i; 2]) -> __m256i {
    let [low, high] = numbers.map(|numbers| _mm256_castsi256_ps(numbers));
    let mixed = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(low, high));
    _mm256_permute4x64_epi64::<0b11_01_10_00>(mixed)
}

/// The order of floats as that of integers, from their bits or those of their upper halves.
#[inline]
#[target_feature(enable = "avx2")]
fn ordered(bits: __m256i) -> __m256i {
    _mm256_xor_si256(bits, _mm256_srli_epi32::<1>(_mm256_srai_epi32::<31>(bits)))
}

/// Lanes of eight whose bit is set.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes(bits: u8) -> __m256i {
    let each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), each), each)
}

/// Keys of float32; `band` are the keys of the numbers around 0, where they are missing in some columns.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::cast_possible_truncation)] // keys of float32
fn keys32(values: __m256, group: &Group, half: usize, band: Option<(i64, i64)>) -> __m256i {
    let key = ordered(_mm256_castps_si256(values));
    let mut missing = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(values, values));
    if let Some((low, high)) = band {
        let outside = _mm256_or_si256(
            _mm256_cmpgt_epi32(_mm256_set1_epi32(low as i32), key),
            _mm256_cmpgt_epi32(key, _mm256_set1_epi32(high as i32)),
        );
        let inside = _mm256_andnot_si256(outside, lanes(group.band.to_le_bytes()[half]));
        missing = _mm256_or_si256(missing, inside);
    }
    _mm256_blendv_epi8(key, halves(&group.replace)[half], missing)
}

/// The upper halves of keys of float64; `band` as for [`keys32`].
#[inline]
#[target_feature(enable = "avx2")]
fn keys64(values: [__m256d; 2], group: &Group, half: usize, band: Option<(i64, i64)>) -> __m256i {
    let bits = values.map(|values| _mm256_castpd_si256(values));
    let key = ordered(upper(bits));
    let unordered = values.map(|values| _mm256_castpd_si256(_mm256_cmp_pd::<_CMP_UNORD_Q>(values, values)));
    let mut missing = upper(unordered);
    if let Some((low, high)) = band {
        let outside = bits.map(|bits| {
            let sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), bits);
            let key = _mm256_xor_si256(bits, _mm256_srli_epi64::<1>(sign));
            _mm256_or_si256(
                _mm256_cmpgt_epi64(_mm256_set1_epi64x(low), key),
                _mm256_cmpgt_epi64(key, _mm256_set1_epi64x(high)),
            )
        });
        let inside = _mm256_andnot_si256(upper(outside), lanes(group.band.to_le_bytes()[half]));
        missing = _mm256_or_si256(missing, inside);
    }
    _mm256_blendv_epi8(key, halves(&group.replace)[half], missing)
}

impl Slots {
    /// Keys of all columns of numbers at their places, and anything behind them; of float64 the upper halves.
    ///
    /// # Panics
    /// When the row is narrower than the forest, or there is less room than for whole groups.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn keys_avx2<T: Value>(&self, heads: &Heads, row: &[T], keys: &mut [Words]) {
        assert!(row.len() >= self.width() && keys.len() >= self.groups.all.len());
        // A row that comes from afar comes at once.
        self.groups.prefetch(row.as_ptr());
        let mut to: *mut i32 = keys.as_mut_ptr().cast();
        for (at, group) in self.groups.all.iter().enumerate() {
            for half in 0..2 {
                // SAFETY: all features of a forest lie within its width; each half takes eight numbers at most of its own, and there is room for
                // as many in every one.
                unsafe {
                    let keys = self.half_keys(group, half, row);
                    if let Some(asked) = heads.asked.get(at) {
                        let keys = _mm256_permutevar8x32_epi32(keys, load(&asked[half].lanes));
                        _mm256_storeu_si256(to.cast(), keys);
                        to = to.add(asked[half].count as usize);
                    } else {
                        _mm256_storeu_si256(to.cast(), keys);
                        to = to.add(HALF);
                    }
                }
            }
        }
    }

    /// Keys of the lower or the upper half of the columns of a group; of float64 the upper halves.
    ///
    /// # Safety
    /// The row is as wide as the forest.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub unsafe fn half_keys<T: Value>(&self, group: &Group, half: usize, row: &[T]) -> __m256i {
        match self.input() {
            // SAFETY: as promised.
            Precision::F32 => keys32(unsafe { eight(row, group, half) }, group, half, self.band()),
            // SAFETY: as promised.
            Precision::F64 => keys64(unsafe { four_and_four(row, group, half) }, group, half, self.band()),
        }
    }
}

impl Heads {
    /// How many numbers of the first levels are below the keys of eight columns, less than zero. A table has a line for every such count, since no
    /// key is above the last number of the last line of a level.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn above(&self, head: &Head, keys: __m256i) -> __m256i {
        let mut above = [_mm256_setzero_si256(); 2];
        let (pairs, _) = self.numbers[head.numbers[0]..head.numbers[1]].as_chunks::<2>();
        for pair in pairs {
            for (above, numbers) in above.iter_mut().zip(pair) {
                *above = _mm256_add_epi32(*above, _mm256_cmpgt_epi32(keys, load(numbers)));
            }
        }
        _mm256_add_epi32(above[0], above[1])
    }
}

/// Eight numbers in a register.
#[inline]
#[target_feature(enable = "avx2")]
fn load(eight: &Eight) -> __m256i {
    // SAFETY: eight numbers at a multiple of 32 bytes.
    unsafe { _mm256_load_si256(eight.0.as_ptr().cast()) }
}

impl Ranks {
    /// The codes of a row's columns of numbers, in the slots behind the first, which may become anything; `keys` is working memory.
    ///
    /// # Panics
    /// When the row is narrower than the forest.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn codes_avx2<T: Value, C: Code>(
        &self,
        heads: &Heads,
        slots: &Slots,
        row: &[T],
        codes: &mut [C],
        keys: &mut Buffer,
    ) {
        assert!(codes.len() > self.columns() && heads.places.len() == self.columns());
        let count = slots.groups.all.len();
        let room = &mut keys.room::<Words>(3 * count)[..3 * count];
        let (keys, others) = room.split_at_mut(count);
        let (lines, counts) = others.split_at_mut(count);
        slots.keys_avx2(heads, row, keys);
        for ((of, keys), (lines, counts)) in heads.eights.iter().zip(&*keys).zip(lines.iter_mut().zip(&mut *counts)) {
            let keys = halves(keys);
            for half in 0..2 {
                let below = _mm256_sub_epi32(_mm256_setzero_si256(), heads.above(&of[half], keys[half]));
                let [line, count] = if of[half].all {
                    [load(&of[half].starts), below]
                } else {
                    // A line has 64 bytes and sixteen numbers.
                    [
                        _mm256_add_epi32(load(&of[half].starts), _mm256_slli_epi32::<6>(below)),
                        _mm256_slli_epi32::<4>(below),
                    ]
                };
                // SAFETY: a half is 32 bytes that begin at a multiple of 32.
                unsafe {
                    _mm256_store_si256(lines.0.as_mut_ptr().add(half * HALF).cast(), line);
                    _mm256_store_si256(counts.0.as_mut_ptr().add(half * HALF).cast(), count);
                }
            }
        }
        // What follows waits for memory and for what precedes, but no column for another: hence all of them at once.
        let rooms = keys.iter().zip(&*lines).zip(&*counts);
        for (of, ((keys, lines), counts)) in heads.eights.iter().zip(rooms) {
            for (half, head) in of.iter().enumerate() {
                // SAFETY: the head is one of these tables, whose lines these are.
                unsafe {
                    let from = half * HALF;
                    let numbers = [&keys.0[from..], &lines.0[from..], &counts.0[from..]];
                    match (head.all, self.is_exact()) {
                        (false, false) => self.find_eight::<false, false, T, C>(head, slots, row, numbers, codes),
                        (false, true) => self.find_eight::<false, true, T, C>(head, slots, row, numbers, codes),
                        (true, false) => self.find_eight::<true, false, T, C>(head, slots, row, numbers, codes),
                        (true, true) => self.find_eight::<true, true, T, C>(head, slots, row, numbers, codes),
                    }
                }
            }
        }
        for (columns, levels) in &heads.larger {
            macro_rules! go {
                ($levels:literal, $exact:literal) => {
                    self.find_avx2::<$levels, $exact, T, C>(
                        slots,
                        row,
                        columns.clone(),
                        &heads.places,
                        keys,
                        &mut codes[1..],
                    )
                };
            }
            by_levels!(*levels, self.is_exact(), go);
        }
    }

    /// The codes of eight columns; of each column there are the key, where in the table the line begins that it leads to, and what the code of
    /// the first number of that line is, or with `ALL` the code of the key.
    ///
    /// # Safety
    /// The head is one of these tables, these are lines of its columns, and the codes have its slots.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[allow(clippy::cast_possible_wrap)] // codes are small
    unsafe fn find_eight<const ALL: bool, const EXACT: bool, T: Value, C: Code>(
        &self,
        head: &Head,
        slots: &Slots,
        row: &[T],
        [keys, lines, counts]: [&[i32]; 3],
        codes: &mut [C],
    ) {
        let first = self.lines().as_ptr();
        for lane in 0..heads::LANES {
            // SAFETY: as promised.
            let (key, line, count) = unsafe {
                let line = lines.get_unchecked(lane).cast_unsigned() as usize;
                (*keys.get_unchecked(lane), first.byte_add(line), counts.get_unchecked(lane).cast_unsigned() as usize)
            };
            // SAFETY: there is a line.
            let place = if ALL { count } else { below(unsafe { &*line }, _mm256_set1_epi32(key)) / 2 };
            let mut code = if ALL { count } else { count + place };
            let slot = head.slots[lane] as usize;
            // SAFETY: fewer than all numbers of a line of the last level are below a key, or with `ALL` of all its lines, which follow each
            // other; where there is no column, the line is the first of all, which is the root of a table.
            if EXACT && unsafe { *line.cast::<i32>().add(place) == key } {
                code = self.find_close(slots, row, slot, code);
            }
            // SAFETY: as promised.
            unsafe { *codes.get_unchecked_mut(slot) = C::of(code as i64) };
        }
    }

    /// The code in a slot where the upper half of a key is that of a bound: the lower halves decide.
    #[cold]
    #[inline(never)]
    fn find_close<T: Value>(&self, slots: &Slots, row: &[T], slot: usize, code: usize) -> usize {
        if slot == 0 { 0 } else { self.refine(slot - 1, code, slots.key64(row, slot - 1)) }
    }

    /// The codes of columns whose tables have that many levels.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn find_avx2<const LEVELS: usize, const EXACT: bool, T: Value, C: Code>(
        &self,
        slots: &Slots,
        row: &[T],
        columns: Range<usize>,
        places: &[u32],
        keys: &[Words],
        codes: &mut [C],
    ) {
        let keys = keys.as_ptr().cast::<i32>();
        let lines = self.lines().as_ptr();
        for column in columns {
            // SAFETY: every column has a place, a key at it, its lines, and a code.
            let (key, starts) = unsafe {
                let place = *places.get_unchecked(column) as usize;
                (keys.add(place), self.starts().get_unchecked(column))
            };
            // SAFETY: as above.
            let all = unsafe { _mm256_set1_epi32(*key) };
            // Twice the code.
            let mut twice = 0;
            for (level, start) in starts[..LEVELS].iter().enumerate() {
                // The second level of a table stands right behind the first.
                let start = if level == 1 { starts[0] + 1 } else { *start };
                // SAFETY: a table has a line for every code of the level above, since no key is above the last number of the
                // last line of a level.
                let line = unsafe { &*lines.add(start as usize).byte_add(twice * (size_of::<Words>() / 2)) };
                let count = below(line, all);
                twice = twice * 16 + count;
                // SAFETY: fewer than 16 numbers of a line of the last level are below a key.
                if EXACT && level + 1 == LEVELS && unsafe { *line.0.as_ptr().byte_add(count * 2) == *key } {
                    // Where the upper half of a key is that of a bound, the lower halves decide.
                    twice = 2 * self.refine(column, twice / 2, slots.key64(row, column));
                }
            }
            // SAFETY: as above.
            unsafe { *codes.get_unchecked_mut(column) = C::of((twice / 2) as i64) };
        }
    }
}
