//! Places among the bounds of a line by AVX2.
#![allow(unsafe_code)]

use super::lines::Words;
use std::arch::x86_64::*;

/// Numbers of a line that are below a key.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub fn below(line: &Words, key: i32) -> usize {
    let key = _mm256_set1_epi32(key);
    let numbers: *const __m256i = line.0.as_ptr().cast();
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    let halves = unsafe { [_mm256_load_si256(numbers), _mm256_load_si256(numbers.add(1))] };
    let above = halves.map(|half| _mm256_cmpgt_epi32(key, half));
    // Two bits for each number.
    let mask = _mm256_movemask_epi8(_mm256_packs_epi32(above[0], above[1]));
    (mask.count_ones() / 2) as usize
}
