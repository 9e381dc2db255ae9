//! Bytes looked up in a table of up to 256 of them by AVX2, whose permutes know sixteen.
//!
//! The table is cut into parts of sixteen. A permute takes the lowest four bits of an index and gives 0 where it is negative; an index that has
//! 16 taken from it for every part before is negative in the parts behind its own. In its own part and all before it, it selects a byte: these hold the
//! differences between neighbours, which add up (as exclusive or) to the byte itself. Indices from 128 on have parts of their own.
#![allow(unsafe_code)]

use super::lines::Bytes;
use std::arch::x86_64::*;

/// Bytes of a part.
const PART: usize = 16;
/// Parts of indices of seven bits.
const HALF: usize = 8;

/// Up to 256 bytes.
pub struct Table {
    /// The first part of each half, then differences, in both halves of a register.
    parts: [__m256i; 2 * HALF],
    count: usize,
}

impl Table {
    /// A table of the first `count` bytes of some lines.
    ///
    /// # Panics
    /// When there are fewer lines, or more than 256 bytes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn new(lines: &[Bytes], count: usize) -> Self {
        let count = count.div_ceil(PART);
        assert!(count <= 2 * HALF && count <= lines.len() * (size_of::<Bytes>() / PART));
        let first = lines.as_ptr().cast::<__m128i>();
        let mut parts = [_mm256_setzero_si256(); 2 * HALF];
        let mut before = _mm_setzero_si128();
        for (at, part) in parts.iter_mut().enumerate().take(count) {
            // SAFETY: as many parts are in the lines, and begin at multiples of 16.
            let own = unsafe { _mm_load_si128(first.add(at)) };
            if at == HALF {
                before = _mm_setzero_si128();
            }
            *part = _mm256_broadcastsi128_si256(_mm_xor_si128(own, before));
            before = own;
        }
        Self { parts, count }
    }

    /// The bytes at `N` times 32 indices; what is not in the table is anything.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn look_up<const N: usize>(&self, mut index: [__m256i; N]) -> [__m256i; N] {
        let sixteen = constant(_mm256_set1_epi8(16));
        let mut found = [_mm256_setzero_si256(); N];
        let mut others = index;
        for other in &mut others {
            *other = _mm256_xor_si256(*other, _mm256_set1_epi8(i8::MIN));
        }
        let (low, high) = self.parts[..self.count].split_at(self.count.min(HALF));
        for &part in low {
            for at in 0..N {
                found[at] = _mm256_xor_si256(found[at], _mm256_shuffle_epi8(part, index[at]));
                // Saturates: what is negative stays so.
                index[at] = _mm256_subs_epi8(index[at], sixteen);
            }
        }
        for &part in high {
            for at in 0..N {
                found[at] = _mm256_xor_si256(found[at], _mm256_shuffle_epi8(part, others[at]));
                others[at] = _mm256_subs_epi8(others[at], sixteen);
            }
        }
        found
    }
}

/// A register whose value the compiler does not know: it would unroll loops, with a constant of its own for every turn.
#[inline]
#[target_feature(enable = "avx2")]
fn constant(mut register: __m256i) -> __m256i {
    // SAFETY: nothing happens.
    unsafe { std::arch::asm!("/* {} */", inout(ymm_reg) register, options(pure, nomem, nostack, preserves_flags)) };
    register
}

/// Sixty-four bytes of memory in two registers.
#[inline]
#[target_feature(enable = "avx2")]
pub fn load(bytes: &[u8; 64]) -> [__m256i; 2] {
    let halves: *const __m256i = bytes.as_ptr().cast();
    // SAFETY: two times 32 bytes.
    unsafe { [_mm256_loadu_si256(halves), _mm256_loadu_si256(halves.add(1))] }
}

/// The same back to memory.
#[inline]
#[target_feature(enable = "avx2")]
pub fn store(halves: [__m256i; 2], bytes: &mut [u8; 64]) {
    let to: *mut __m256i = bytes.as_mut_ptr().cast();
    // SAFETY: two times 32 bytes.
    unsafe {
        _mm256_storeu_si256(to, halves[0]);
        _mm256_storeu_si256(to.add(1), halves[1]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Line;
    use super::super::processor::Processor;
    use super::*;

    #[test]
    fn every_index_finds_its_byte() {
        #[target_feature(enable = "avx2")]
        fn check(lines: &[Bytes; 4], count: usize) {
            let table = Table::new(lines, count);
            for first in (0..count).step_by(32) {
                let mut bytes = [0u8; 32];
                let index: [u8; 32] = std::array::from_fn(|at| u8::try_from((first + at * 7) % count).unwrap());
                // SAFETY: 32 bytes each.
                unsafe {
                    let found = table.look_up([_mm256_loadu_si256(index.as_ptr().cast())])[0];
                    _mm256_storeu_si256(bytes.as_mut_ptr().cast(), found);
                }
                assert_eq!(bytes, index.map(|index| lines[usize::from(index) / 64].0[usize::from(index) % 64]));
            }
        }
        if !Processor::Avx2.is_here() {
            return;
        }
        let byte = |line: usize, at: usize| u8::try_from((line * 64 + at) * 167 % 251).unwrap();
        let lines = std::array::from_fn(|line| Line(std::array::from_fn(|at| byte(line, at))));
        for count in [1, 15, 16, 17, 100, 128, 129, 200, 256] {
            // SAFETY: the processor has AVX2.
            unsafe { check(&lines, count) };
        }
    }
}
