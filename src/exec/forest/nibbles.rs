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

/// Calls a macro with the parts of a table of so many bytes, as a literal, or of a few bytes more: each number of parts has code of its
/// own.
macro_rules! by_parts {
    ($bytes:expr, $go:ident) => {
        match $bytes {
            ..=32 => $go!(2),
            ..=64 => $go!(4),
            ..=112 => $go!(7),
            ..=160 => $go!(10),
            ..=208 => $go!(13),
            _ => $go!(16),
        }
    };
}
pub(super) use by_parts;

/// Sixteen times `PARTS` bytes: the first part of each half, then differences, in both halves of a register.
pub struct Table<const PARTS: usize>([__m256i; PARTS]);

impl<const PARTS: usize> Table<PARTS> {
    /// A table of the first bytes of some lines.
    ///
    /// # Panics
    /// When there are fewer lines.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn new(lines: &[Bytes]) -> Self {
        const { assert!(PARTS <= 2 * HALF) };
        assert!(PARTS <= lines.len() * (size_of::<Bytes>() / PART));
        let first = lines.as_ptr().cast::<__m128i>();
        let mut parts = [_mm256_setzero_si256(); PARTS];
        let mut before = _mm_setzero_si128();
        for (at, part) in parts.iter_mut().enumerate() {
            // SAFETY: as many parts are in the lines, and begin at multiples of 16.
            let own = unsafe { _mm_load_si128(first.add(at)) };
            if at == HALF {
                before = _mm_setzero_si128();
            }
            *part = _mm256_broadcastsi128_si256(_mm_xor_si128(own, before));
            before = own;
        }
        Self(parts)
    }

    /// The bytes at `N` times 32 indices; what is not in the table is anything. `beside` is called behind each part with its number, for
    /// what else there is to do: instructions that wait for each other pass the time best where others stand between them, since a
    /// processor looks ahead of the oldest one that waits, but not far.
    ///
    /// # Safety
    /// The processor has AVX2. (A function that says so is not inlined where it is as long as this one.)
    #[inline(always)]
    pub unsafe fn look_up<const N: usize>(&self, index: [__m256i; N], mut beside: impl FnMut(usize)) -> [__m256i; N] {
        // SAFETY: as promised.
        unsafe {
            let sixteen = constant(_mm256_set1_epi8(16));
            // What the parts of a half have in places of their own, exclusive or.
            let mut found = [[_mm256_setzero_si256(); N]; 2];
            let mut place = index;
            // No loop: a compiler does not unroll it where it is as long as this one.
            macro_rules! parts {
                ($($part:literal)*) => { $(
                    if $part < PARTS {
                        let found = &mut found[$part / HALF];
                        for at in 0..N {
                            place[at] = match $part {
                                0 => index[at],
                                HALF => _mm256_xor_si256(index[at], _mm256_set1_epi8(i8::MIN)),
                                // Saturates: what is negative stays so.
                                _ => _mm256_subs_epi8(place[at], sixteen),
                            };
                            let own = _mm256_shuffle_epi8(self.0[$part], place[at]);
                            found[at] = if $part % HALF == 0 { own } else { _mm256_xor_si256(found[at], own) };
                            in_turn(&mut found[at], &mut place[at]);
                        }
                        beside($part);
                    }
                )* };
            }
            parts!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            let [low, high] = found;
            std::array::from_fn(|at| if PARTS > HALF { _mm256_xor_si256(low[at], high[at]) } else { low[at] })
        }
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

/// Two registers as they are, which the compiler does not know: it would put what is done with them in an order of its own.
#[inline]
#[target_feature(enable = "avx2")]
fn in_turn(a: &mut __m256i, b: &mut __m256i) {
    // SAFETY: nothing happens.
    unsafe {
        std::arch::asm!(
            "/* {} {} */",
            inout(ymm_reg) * a,
            inout(ymm_reg) * b,
            options(nomem, nostack, preserves_flags)
        );
    };
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
        fn check<const PARTS: usize>(lines: &[Bytes; 4], count: usize) {
            let table = Table::<PARTS>::new(lines);
            let mut calls = Vec::new();
            for first in (0..count).step_by(32) {
                let mut bytes = [0u8; 32];
                let index: [u8; 32] = std::array::from_fn(|at| u8::try_from((first + at * 7) % count).unwrap());
                // SAFETY: 32 bytes each.
                unsafe {
                    calls.clear();
                    let found = table.look_up([_mm256_loadu_si256(index.as_ptr().cast())], |part| calls.push(part))[0];
                    _mm256_storeu_si256(bytes.as_mut_ptr().cast(), found);
                }
                assert_eq!(bytes, index.map(|index| lines[usize::from(index) / 64].0[usize::from(index) % 64]));
                assert!(calls.iter().copied().eq(0..PARTS));
            }
        }
        if !Processor::Avx2.is_here() {
            return;
        }
        let byte = |line: usize, at: usize| u8::try_from((line * 64 + at) * 167 % 251).unwrap();
        let lines = std::array::from_fn(|line| Line(std::array::from_fn(|at| byte(line, at))));
        for count in [1, 15, 16, 17, 32, 33, 64, 65, 112, 113, 128, 129, 160, 161, 208, 209, 256] {
            macro_rules! go {
                ($parts:literal) => {{
                    // SAFETY: the processor has AVX2.
                    unsafe { check::<$parts>(&lines, count) }
                }};
            }
            by_parts!(count, go);
        }
    }
}
