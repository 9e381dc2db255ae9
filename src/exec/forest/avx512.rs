//! Codes of a row by AVX-512: sixteen keys at once, then one comparison per level of a table.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::groups::{Group, LANES};
use super::lines::{Buffer, Words};
use super::ranks::{Ranks, by_levels};
use super::slots::{Code, Slots};
use crate::ir::Precision;
use std::arch::x86_64::*;
use std::ops::Range;

/// How many rows ahead are fetched.
const AHEAD: usize = 64;

impl Group {
    /// Fetches what will be read of a row, if there is one.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn prefetch<T>(&self, row: *const T) {
        let first = row.wrapping_add(self.first());
        _mm_prefetch::<_MM_HINT_T0>(first.cast());
        if size_of::<T>() == 8 {
            _mm_prefetch::<_MM_HINT_T0>(first.wrapping_byte_add(64).cast());
        }
    }
}

/// Sixteen numbers of a line in a register.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn load(line: &Words) -> __m512i {
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Sixteen numbers of a row as float32.
///
/// # Safety
/// The features of the group lie within the row.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
unsafe fn sixteen<T: Value>(row: &[T], group: &Group) -> __m512 {
    match T::as_f32(row) {
        Some(row) if group.straight => {
            // SAFETY: features that follow each other lie within the row.
            unsafe { _mm512_maskz_loadu_ps(group.there, row.as_ptr().add(group.first())) }
        }
        // SAFETY: every feature lies within the row.
        Some(row) => unsafe { _mm512_i32gather_ps::<4>(load(&group.features), row.as_ptr()) },
        None => {
            // SAFETY: as promised.
            let halves = unsafe { thirty_two(row, group) }.map(|half| _mm512_cvtpd_ps(half));
            _mm512_insertf32x8::<1>(_mm512_castps256_ps512(halves[0]), halves[1])
        }
    }
}

/// Sixteen numbers of a row as float64, in two registers.
///
/// # Safety
/// The features of the group lie within the row.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
unsafe fn thirty_two<T: Value>(row: &[T], group: &Group) -> [__m512d; 2] {
    match T::as_f64(row) {
        Some(row) if group.straight => {
            let [low, high] = group.there.to_le_bytes();
            // SAFETY: features that follow each other lie within the row; nothing is read without its bit.
            unsafe {
                let first = row.as_ptr().wrapping_add(group.first());
                [_mm512_maskz_loadu_pd(low, first), _mm512_maskz_loadu_pd(high, first.wrapping_add(8))]
            }
        }
        Some(row) => {
            let places = load(&group.features);
            let halves = [_mm512_castsi512_si256(places), _mm512_extracti64x4_epi64::<1>(places)];
            // SAFETY: every feature lies within the row.
            halves.map(|half| unsafe { _mm512_i32gather_pd::<8>(half, row.as_ptr()) })
        }
        None => {
            // SAFETY: as promised.
            let values = unsafe { sixteen(row, group) };
            [_mm512_cvtps_pd(_mm512_castps512_ps256(values)), _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(values))]
        }
    }
}

/// Keys of float32; `band` are the keys of the numbers around 0, where they are missing in some columns.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
#[allow(clippy::cast_possible_truncation)] // keys of float32
fn keys32(values: __m512, group: &Group, band: Option<(i64, i64)>) -> __m512i {
    let bits = _mm512_castps_si512(values);
    let sign = _mm512_srai_epi32::<31>(bits);
    let key = _mm512_xor_si512(bits, _mm512_and_si512(sign, _mm512_set1_epi32(i32::MAX)));
    let mut missing = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values);
    if let Some((low, high)) = band {
        let above = _mm512_sub_epi32(key, _mm512_set1_epi32(low as i32));
        missing |= group.band & _mm512_cmple_epu32_mask(above, _mm512_set1_epi32((high - low) as i32));
    }
    _mm512_mask_mov_epi32(key, missing, load(&group.replace))
}

/// The upper halves of keys of float64; `band` as for [`keys32`].
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn keys64(values: [__m512d; 2], group: &Group, band: Option<(i64, i64)>) -> __m512i {
    let bits = values.map(|values| _mm512_castpd_si512(values));
    // The upper halves of sixteen numbers; their order among each other needs no more.
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let upper = _mm512_permutex2var_epi32(bits[0], odd, bits[1]);
    let sign = _mm512_srai_epi32::<31>(upper);
    let key = _mm512_xor_si512(upper, _mm512_and_si512(sign, _mm512_set1_epi32(i32::MAX)));
    let unordered = values.map(|values| _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(values, values));
    let mut missing = u16::from_le_bytes(unordered);
    if let Some((low, high)) = band {
        let inside = bits.map(|bits| {
            let sign = _mm512_srai_epi64::<63>(bits);
            let key = _mm512_xor_si512(bits, _mm512_and_si512(sign, _mm512_set1_epi64(i64::MAX)));
            let above = _mm512_sub_epi64(key, _mm512_set1_epi64(low));
            _mm512_cmple_epu64_mask(above, _mm512_set1_epi64(high - low))
        });
        missing |= group.band & u16::from_le_bytes(inside);
    }
    _mm512_mask_mov_epi32(key, missing, load(&group.replace))
}

impl Slots {
    /// Keys of all columns of numbers, in whole groups; of float64 the upper halves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn keys_avx512<T: Value>(&self, row: &[T], keys: &mut [Words]) {
        for (group, out) in self.groups.all.iter().zip(keys) {
            // SAFETY: a line is 64 bytes that begin at a multiple of 64.
            unsafe { _mm512_store_si512(std::ptr::from_mut(out).cast(), self.group_keys(group, row)) };
        }
    }

    /// Keys of the columns of a group; of float64 the upper halves.
    ///
    /// # Panics
    /// When the row is narrower than the forest.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn group_keys<T: Value>(&self, group: &Group, row: &[T]) -> __m512i {
        assert!(row.len() >= self.width());
        // SAFETY: the row is as wide as the forest.
        unsafe { self.keys_of(group, row) }
    }

    /// The same.
    ///
    /// # Safety
    /// The row is as wide as the forest.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn keys_of<T: Value>(&self, group: &Group, row: &[T]) -> __m512i {
        // SAFETY: as promised.
        unsafe { keys(self.input(), self.band(), group, row) }
    }

    /// Keys of the columns of a group, of sixteen rows from `first` on; where there are fewer, the last row comes again.
    ///
    /// # Panics
    /// When there is no such row, or rows are narrower than the forest.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub fn tile<T: Value>(&self, group: &Group, rows: Rows<'_, T>, first: usize) -> [__m512i; LANES] {
        assert!(first < rows.count() && rows.columns() >= self.width());
        let (last, width) = (rows.count() - 1 - first, rows.columns());
        let start = rows.row(first).as_ptr();
        // What no row changes is decided before the first one.
        macro_rules! go {
            ($input:expr, $straight:literal, $band:expr) => {{
                let group = Group { straight: $straight, ..*group };
                let mut tile = [_mm512_setzero_si512(); LANES];
                for (lane, out) in tile.iter_mut().enumerate() {
                    let row = start.wrapping_add(lane.min(last) * width);
                    group.prefetch(row.wrapping_add(AHEAD * width));
                    // SAFETY: a row, as wide as the forest.
                    *out = unsafe { keys($input, $band, &group, std::slice::from_raw_parts(row, width)) };
                }
                tile
            }};
        }
        match (self.input(), group.straight, self.band()) {
            (Precision::F32, true, None) => go!(Precision::F32, true, None),
            (Precision::F64, true, None) => go!(Precision::F64, true, None),
            (Precision::F64, true, band) => go!(Precision::F64, true, band),
            (input, _, band) => go!(input, false, band),
        }
    }
}

/// Keys of the columns of a group; of float64 the upper halves.
///
/// # Safety
/// The row is as wide as the forest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn keys<T: Value>(input: Precision, band: Option<(i64, i64)>, group: &Group, row: &[T]) -> __m512i {
    match input {
        // SAFETY: all features of a forest lie within its width.
        Precision::F32 => keys32(unsafe { sixteen(row, group) }, group, band),
        // SAFETY: as above.
        Precision::F64 => keys64(unsafe { thirty_two(row, group) }, group, band),
    }
}

impl Ranks {
    /// The codes of a row's columns of numbers; `keys` is working memory.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    pub fn codes_avx512<T: Value, C: Code>(&self, slots: &Slots, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        let keys = keys.room::<Words>(slots.groups.all.len());
        slots.keys_avx512(row, keys);
        assert!(codes.len() == self.columns() && slots.groups.places.len() == self.columns());
        for (columns, levels) in self.runs() {
            macro_rules! go {
                ($levels:literal, $exact:literal) => {
                    self.find_all::<$levels, $exact, T, C>(slots, row, columns, keys, codes)
                };
            }
            by_levels!(levels, self.is_exact(), go);
        }
    }

    /// The codes of columns whose tables have that many levels.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    fn find_all<const LEVELS: usize, const EXACT: bool, T: Value, C: Code>(
        &self,
        slots: &Slots,
        row: &[T],
        columns: Range<usize>,
        keys: &[Words],
        codes: &mut [C],
    ) {
        let keys = keys.as_ptr().cast::<i32>();
        let places = slots.groups.places.as_slice();
        let lines = self.lines().as_ptr();
        for first in columns.clone().step_by(LANES) {
            let group = first..(first + LANES).min(columns.end);
            let mut same = 0;
            for column in group.clone() {
                // SAFETY: every column has a place, a key at it, and a code.
                let key = _mm512_set1_epi32(unsafe { *keys.add(*places.get_unchecked(column) as usize) });
                // SAFETY: as above.
                let starts = unsafe { self.starts().get_unchecked(column) };
                let mut code = 0;
                for (level, start) in starts[..LEVELS].iter().enumerate() {
                    // The second level of a table stands right behind the first.
                    let start = if level == 1 { starts[0] + 1 } else { *start };
                    // SAFETY: a table has a line for every code of the level above, since no key is above the last number of the
                    // last line of a level.
                    let line = load(unsafe { &*lines.add(start as usize + code) });
                    code = code * 16 + _mm512_cmpgt_epi32_mask(key, line).count_ones() as usize;
                    if EXACT && level + 1 == LEVELS {
                        same |= _mm512_cmpeq_epi32_mask(key, line);
                    }
                }
                // SAFETY: as above.
                unsafe { *codes.get_unchecked_mut(column) = C::of(code as i64) };
            }
            // Where the upper half of a key is that of a bound, the lower halves decide.
            if EXACT && same != 0 {
                self.refine_all(slots, row, group, codes);
            }
        }
    }

    #[cold]
    fn refine_all<T: Value, C: Code>(&self, slots: &Slots, row: &[T], columns: Range<usize>, codes: &mut [C]) {
        for column in columns {
            let code = self.refine(column, codes[column].number(), slots.key64(row, column));
            codes[column] = C::of(code as i64);
        }
    }
}
