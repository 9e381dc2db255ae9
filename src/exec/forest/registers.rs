//! A chunk of nodes and one row's codes in registers.
//!
//! Byte permutes fetch the codes that the nodes ask for from a table of up to 256, one comparison decides all nodes, a blend leaves each
//! node with the child it chose. That map of slots, permuted by itself `n` times, leads from every node as far as `2^n` steps go; exits
//! lead to themselves: the highest bit of a byte says that it is a slot, the one below that it is an exit. Bytes are permuted by AVX-512 VBMI.
#![allow(unsafe_code)]

use super::jump::{Jump, Width};
use super::lines::Bytes;
use super::trail::{EXITS, LEAST};
use std::arch::x86_64::*;

/// Calls `$go!(tables, width, masked)` with the constants of a kernel: registers of a table, what a node compares, and how maps are permuted.
macro_rules! by_kind {
    ($jump:expr, $go:ident) => {
        if $jump.masked { by_kind!(@ $jump, $go, true) } else { by_kind!(@ $jump, $go, false) }
    };
    (@ $jump:expr, $go:ident, $masked:literal) => {
        match ($jump.tables, $jump.width) {
            (1, Width::Bytes) => $go!(1, BYTES, $masked),
            (2, Width::Bytes) => $go!(2, BYTES, $masked),
            (_, Width::Bytes) => $go!(4, BYTES, $masked),
            (1, Width::Ranges) => $go!(1, RANGES, $masked),
            (2, Width::Ranges) => $go!(2, RANGES, $masked),
            (_, Width::Ranges) => $go!(4, RANGES, $masked),
            (1, Width::Words) => $go!(1, WORDS, $masked),
            (2, Width::Words) => $go!(2, WORDS, $masked),
            (_, Width::Words) => $go!(4, WORDS, $masked),
        }
    };
}
pub(super) use by_kind;

/// The codes of a row in registers; halves of 16-bit codes in two of these.
#[derive(Debug, Clone, Copy)]
pub struct Table<const N: usize>(pub [__m512i; N]);

impl<const N: usize> Table<N> {
    /// The codes of 64 slots.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn look_up(&self, slots: __m512i) -> __m512i {
        match N {
            1 => _mm512_permutexvar_epi8(slots, self.0[0]),
            2 => _mm512_permutex2var_epi8(self.0[0], slots, self.0[1]),
            _ => {
                let low = _mm512_permutex2var_epi8(self.0[0], slots, self.0[1]);
                let high = _mm512_permutex2var_epi8(self.0[2], slots, self.0[3]);
                _mm512_mask_blend_epi8(_mm512_movepi8_mask(slots), low, high)
            }
        }
    }
}

/// A line in a register.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn load(line: &Bytes) -> __m512i {
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Puts a register into memory of which parts are loaded soon. Intel's processors hand the first 32 bytes of a store to loads while it is under
/// way; what loads of the others would wait for is that it reaches the cache. So it goes as two stores.
///
/// # Safety
/// There are 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
pub unsafe fn store_for_parts<T>(to: *mut T, register: __m512i) {
    // SAFETY: as promised. The compiler would make one store of two.
    unsafe {
        std::arch::asm!(
            "vmovdqu64 ymmword ptr [{to}], {register:y}",
            "vextracti64x4 ymmword ptr [{to} + 32], {register}, 1",
            to = in(reg) to, register = in(zmm_reg) register,
            options(nostack, preserves_flags)
        );
    }
}

/// A register full of a number in memory.
#[inline]
#[target_feature(enable = "avx512f")]
#[allow(clippy::trivially_copy_pass_by_ref)] // where it is matters
pub fn all(number: &i32) -> __m512i {
    let full;
    // SAFETY: one load. The compiler would load some numbers together and take them apart again, which the port of comparisons does.
    unsafe {
        std::arch::asm!(
            "vpbroadcastd {}, dword ptr [{}]",
            out(zmm_reg) full, in(reg) number,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    full
}

/// One row's codes and the kernel for its width. `MASKED` says how maps are permuted: by permutes of one register under a mask,
/// or of two registers.
#[derive(Clone, Copy)]
pub struct Row<'a, const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool> {
    low: Table<N>,
    high: Table<N>,
    /// Slots from 64 on lead to themselves.
    exits: __m512i,
    /// Nodes of each chunk that the row's categories pass; none where no node asks for a category.
    masks: &'a [u64],
}

/// [`Width::Bytes`].
pub const BYTES: u8 = Width::Bytes as u8;
/// [`Width::Ranges`].
pub const RANGES: u8 = Width::Ranges as u8;
/// [`Width::Words`].
pub const WORDS: u8 = Width::Words as u8;

impl<'a, const N: usize, const WIDTH: u8, const SETS: bool, const MASKED: bool> Row<'a, N, WIDTH, SETS, MASKED> {
    /// From a row's codes: 64 or 128 bytes for each register.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn new(codes: &[Bytes], masks: &'a [u64]) -> Self {
        let mut row = Self::ready(codes, masks);
        for at in 0..N {
            if WIDTH == WORDS {
                let (first, second) = (load(&codes[2 * at]), load(&codes[2 * at + 1]));
                // SAFETY: any 64 bytes.
                let even = unsafe { _mm512_loadu_si512(EVEN.as_ptr().cast()) };
                let odd = _mm512_add_epi8(even, _mm512_set1_epi8(1));
                row.low.0[at] = _mm512_permutex2var_epi8(first, even, second);
                row.high.0[at] = _mm512_permutex2var_epi8(first, odd, second);
            }
        }
        row
    }

    /// From a row's codes as [`Row::put`] left them: first the lower halves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn ready(codes: &[Bytes], masks: &'a [u64]) -> Self {
        let mut row = Self {
            masks,
            low: Table([_mm512_setzero_si512(); N]),
            high: Table([_mm512_setzero_si512(); N]),
            // SAFETY: any 64 bytes.
            exits: unsafe { _mm512_loadu_si512(EXITS.as_ptr().cast()) },
        };
        for at in 0..N {
            row.low.0[at] = load(&codes[at]);
            if WIDTH == WORDS {
                row.high.0[at] = load(&codes[N + at]);
            }
        }
        row
    }

    /// Puts the codes back, so that [`Row::ready`] finds them.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn put(&self, codes: &mut [Bytes]) {
        let halves = self.low.0.iter().chain(&self.high.0).take(if WIDTH == WORDS { 2 * N } else { N });
        for (half, line) in halves.zip(codes) {
            // SAFETY: a line is 64 bytes that begin at a multiple of 64.
            unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), *half) };
        }
    }

    /// Where every node of some chunks from one on leads after `doublings`. Each of them goes one step before any goes the next, so that
    /// few instructions wait for others.
    ///
    /// # Safety
    /// The forest has these chunks.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub unsafe fn jumps<const CHUNKS: usize>(&self, forest: &Jump, first: usize, doublings: u32) -> [__m512i; CHUNKS] {
        // SAFETY: as promised.
        let mut maps: [__m512i; CHUNKS] = std::array::from_fn(|at| unsafe { self.decide(forest, first + at) });
        let further = |maps: &mut [__m512i; CHUNKS]| maps.iter_mut().for_each(|map| *map = self.double(*map));
        (0..LEAST).for_each(|_| further(&mut maps));
        for _ in LEAST..doublings {
            further(&mut maps);
        }
        maps
    }

    /// Where every node of a chunk leads.
    ///
    /// # Safety
    /// The forest has a chunk of that number.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    unsafe fn decide(&self, forest: &Jump, chunk: usize) -> __m512i {
        let lines = if WIDTH == BYTES { Width::Bytes } else { Width::Words }.lines();
        let of_categories = if SETS { self.masks[chunk] } else { 0 };
        // SAFETY: every chunk has that many lines.
        let chunk = unsafe { forest.lines.get_unchecked(chunk * lines..(chunk + 1) * lines) };
        let slots = load(&chunk[0]);
        let low = self.low.look_up(slots);
        let passes = match WIDTH {
            BYTES => _mm512_cmplt_epu8_mask(low, load(&chunk[1])),
            RANGES => _mm512_cmplt_epu8_mask(_mm512_sub_epi8(low, load(&chunk[4])), load(&chunk[1])),
            _ => {
                let (high, limit) = (self.high.look_up(slots), load(&chunk[4]));
                let equal = _mm512_cmpeq_epi8_mask(high, limit);
                _mm512_cmplt_epu8_mask(high, limit) | _mm512_mask_cmplt_epu8_mask(equal, low, load(&chunk[1]))
            }
        };
        _mm512_mask_blend_epi8(passes | of_categories, load(&chunk[3]), load(&chunk[2]))
    }

    /// Twice as far.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn double(&self, map: __m512i) -> __m512i {
        if MASKED {
            _mm512_mask_permutexvar_epi8(map, _mm512_movepi8_mask(map), map, map)
        } else {
            _mm512_permutex2var_epi8(map, map, self.exits)
        }
    }
}

static EVEN: [u8; 64] = {
    let mut bytes = [0; 64];
    let mut at = 0;
    while at < 64 {
        bytes[at] = 2 * at.to_le_bytes()[0];
        at += 1;
    }
    bytes
};
