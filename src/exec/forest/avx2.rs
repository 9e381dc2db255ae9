//! Codes of a row by AVX2: a key is compared with all bounds of a line at once.
#![allow(unsafe_code)]

use super::super::Number as Value;
use super::lines::{Buffer, Words};
use super::ranks::Ranks;
use super::slots::{Code, Slots};
use std::arch::x86_64::*;
use std::ops::Range;

/// Numbers of a line that are below a key.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn below(line: &Words, key: __m256i) -> usize {
    let numbers: *const __m256i = line.0.as_ptr().cast();
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    let halves = unsafe { [_mm256_load_si256(numbers), _mm256_load_si256(numbers.add(1))] };
    let above = halves.map(|half| _mm256_cmpgt_epi32(key, half));
    // Two bits for each number.
    let mask = _mm256_movemask_epi8(_mm256_packs_epi32(above[0], above[1]));
    (mask.count_ones() / 2) as usize
}

/// Keys of a row's columns.
#[derive(Clone, Copy)]
enum Keys<'a> {
    /// Of float32.
    Single(&'a [i32]),
    /// Of float64, whose upper halves the tables hold.
    Double(&'a [i64]),
}

impl Ranks {
    /// The codes of a row's columns of numbers; `keys` is working memory.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn codes_avx2<T: Value, C: Code>(&self, slots: &Slots, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        let columns = self.columns();
        let keys = if self.is_exact() {
            let keys = keys.room(columns);
            slots.keys64(row, keys);
            Keys::Double(keys)
        } else {
            let keys = keys.room(columns);
            slots.keys32(row, keys);
            Keys::Single(keys)
        };
        for (columns, levels) in self.runs() {
            match levels {
                1 => self.find_avx2::<1, C>(columns, keys, codes),
                2 => self.find_avx2::<2, C>(columns, keys, codes),
                3 => self.find_avx2::<3, C>(columns, keys, codes),
                _ => self.find_avx2::<4, C>(columns, keys, codes),
            }
        }
    }

    /// The codes of columns whose tables have that many levels.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[allow(clippy::cast_possible_truncation)] // the upper half of a key
    fn find_avx2<const LEVELS: usize, C: Code>(&self, columns: Range<usize>, keys: Keys<'_>, codes: &mut [C]) {
        let of_columns = self.starts()[columns.clone()].iter().zip(&mut codes[columns.clone()]);
        for ((starts, out), column) in of_columns.zip(columns) {
            let key = match keys {
                Keys::Single(keys) => keys[column],
                Keys::Double(keys) => (keys[column] >> 32) as i32,
            };
            let all = _mm256_set1_epi32(key);
            let mut code = 0;
            for start in &starts[..LEVELS] {
                code = code * 16 + below(&self.lines()[*start as usize + code], all);
            }
            if let Keys::Double(keys) = keys {
                code = self.refine(column, code, keys[column]);
            }
            *out = C::of(code as i64);
        }
    }
}
