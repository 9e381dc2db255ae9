//! The values of leaves by AVX-512, looked up for 64 rows by their labels.
//!
//! A permute looks up a byte of the values for 64 rows, or 32 bits for 16 of them, and interleaving what was found makes numbers of it.
//! That leaves the rows of a vector in an order of its own, in which the margins are kept until the last tree.
#![allow(unsafe_code)]

use super::labels::{Labels, VECTOR};
use super::lines::{Bytes, Line, Plain};
use super::processor::Processor;
use super::slab::{self, Slab};
use super::sums::Sums;
use crate::ir::Precision;
use std::arch::x86_64::*;

/// Leaves of a tree whose values stand in two registers, 32 bits in each place.
const NARROW: u16 = 32;
/// Bytes that planes may take in any case: most of the second cache.
const FREE_BYTES: usize = 1 << 20;
/// How many times the values planes may take beside that. A tree of one leaf takes 64 times its value: a small file of many such trees
/// would become a large model.
const WORTH: usize = 16;

/// The parts of the values of all leaves, tree behind tree.
#[derive(Debug)]
pub struct Planes {
    lines: Slab<Bytes>,
    /// The type of the values.
    pub sum: Precision,
    /// Whether no tree has more leaves than two registers hold.
    pub narrow: bool,
}

/// Lines of a plane of bytes of so many leaves.
fn lines(leaves: u16) -> usize {
    usize::from(leaves).div_ceil(VECTOR).next_power_of_two()
}

/// Lines of a tree of so many leaves: a plane for each byte of a value, or for each 32 bits.
fn lines_of(leaves: u16, value: usize, narrow: bool) -> usize {
    if narrow { value / 4 * 2 } else { value * lines(leaves) }
}

impl Planes {
    /// The values of a forest; `None` where leaves have several or functions, where the processor cannot look them up, or where planes
    /// would take too much memory.
    #[allow(clippy::cast_possible_truncation)] // values are float32 where they are taken for such
    pub fn new(labels: &Labels, sums: &Sums, processor: Processor) -> Option<Self> {
        let plain = sums.plain()?;
        let value = if plain.sum == Precision::F32 { 4 } else { 8 };
        let narrow = labels.trees.iter().all(|tree| tree.leaves <= NARROW);
        if !narrow && processor != Processor::Vbmi {
            return None;
        }
        let count = labels.trees.iter().map(|tree| lines_of(tree.leaves, value, narrow)).sum::<usize>();
        if size_of::<Bytes>() * count > FREE_BYTES + WORTH * size_of_val(plain.values) {
            return None;
        }
        let part = if narrow { 4 } else { 1 };
        let mut planes = Self { lines: slab::room(count), sum: plain.sum, narrow };
        for tree in &labels.trees {
            let values = &plain.values[tree.leaf as usize..][..usize::from(tree.leaves)];
            let first = planes.lines.len();
            let count = lines_of(tree.leaves, value, narrow);
            planes.lines.resize(first + count, Line([0; 64]));
            let of_part = count / (value / part);
            for (leaf, &number) in values.iter().enumerate() {
                let bytes = match plain.sum {
                    Precision::F32 => u64::from((number as f32).to_bits()),
                    Precision::F64 => number.to_bits(),
                };
                for (at, bytes) in bytes.to_le_bytes()[..value].chunks_exact(part).enumerate() {
                    let (line, within) = (leaf * part / VECTOR, leaf * part % VECTOR);
                    planes.lines[first + at * of_part + line].0[within..within + part].copy_from_slice(bytes);
                }
            }
        }
        Some(planes)
    }

    /// Bytes of the planes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
    }

    /// Adds the values of the leaves of a tree, whose planes begin at line `first`, to the margins of all rows; gives where those of the
    /// next tree begin.
    ///
    /// # Safety
    /// The processor is the one these are made for.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub unsafe fn add<const V: usize, F: Float>(
        &self,
        first: usize,
        leaves: u16,
        labels: &[__m512i; V],
        sums: &mut [F],
    ) -> usize {
        let planes = &self.lines[first..][..lines_of(leaves, size_of::<F>(), self.narrow)];
        // SAFETY: only narrow planes are made where the processor has no VBMI.
        unsafe {
            match lines(leaves) {
                _ if self.narrow => F::add_words(planes, labels, sums),
                1 => add_bytes::<V, 1, F>(planes, labels, sums),
                2 => add_bytes::<V, 2, F>(planes, labels, sums),
                _ => add_bytes::<V, 4, F>(planes, labels, sums),
            }
        }
        first + planes.len()
    }
}

/// A line in a register.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Bytes) -> __m512i {
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// By planes of bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn add_bytes<const V: usize, const LINES: usize, F: Float>(planes: &[Bytes], labels: &[__m512i; V], sums: &mut [F]) {
    let planes = &planes[..size_of::<F>() * LINES];
    for (label, sums) in labels.iter().zip(sums.chunks_exact_mut(VECTOR)) {
        let upper = _mm512_movepi8_mask(*label);
        let mut bytes = [_mm512_setzero_si512(); 8];
        for (byte, plane) in bytes.iter_mut().zip(planes.chunks_exact(LINES)).take(size_of::<F>()) {
            *byte = match LINES {
                1 => _mm512_permutexvar_epi8(*label, load(&plane[0])),
                2 => _mm512_permutex2var_epi8(load(&plane[0]), *label, load(&plane[1])),
                _ => {
                    let low = _mm512_permutex2var_epi8(load(&plane[0]), *label, load(&plane[1]));
                    let high = _mm512_permutex2var_epi8(load(&plane[2]), *label, load(&plane[3]));
                    _mm512_mask_blend_epi8(upper, low, high)
                }
            };
        }
        // SAFETY: the processor has AVX-512 BW, as this function needs.
        unsafe { F::add_bytes(&bytes, sums) };
    }
}

/// Adds eight numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_eight(sums: &mut [f64], values: __m512i) {
    let sums: &mut [f64; 8] = sums.first_chunk_mut().unwrap_or_else(|| unreachable!("eight margins"));
    // SAFETY: eight numbers.
    unsafe {
        _mm512_storeu_pd(sums.as_mut_ptr(), _mm512_add_pd(_mm512_loadu_pd(sums.as_ptr()), _mm512_castsi512_pd(values)));
    };
}

/// Adds sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_sixteen(sums: &mut [f32], values: __m512i) {
    let sums: &mut [f32; 16] = sums.first_chunk_mut().unwrap_or_else(|| unreachable!("sixteen margins"));
    // SAFETY: sixteen numbers.
    unsafe {
        _mm512_storeu_ps(sums.as_mut_ptr(), _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), _mm512_castsi512_ps(values)));
    };
}

/// The order of rows in which a place counts through several digits, the first of them the fastest: how many values each has, and how
/// many rows further each step of it leads.
#[allow(clippy::cast_possible_truncation)] // places are less than 64
const fn order<const DIGITS: usize>(digits: [(u8, u8); DIGITS]) -> [u8; VECTOR] {
    let mut order = [0; VECTOR];
    let mut place = 0;
    while place < VECTOR {
        let (mut rest, mut digit) = (place as u8, 0);
        while digit < DIGITS {
            let (count, step) = digits[digit];
            order[place] += rest % count * step;
            rest /= count;
            digit += 1;
        }
        place += 1;
    }
    order
}

/// The labels of every fourth row, from row 0, 1, 2, and 3 on, in the lowest bits of 32.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(labels: __m512i) -> [__m512i; 4] {
    [labels, _mm512_srli_epi32::<8>(labels), _mm512_srli_epi32::<16>(labels), _mm512_srli_epi32::<24>(labels)]
}

/// A type of margins.
pub trait Float: Plain {
    /// The rows of a vector in the order in which planes of bytes leave them.
    const ORDER: [u8; VECTOR];
    /// The same of narrow planes.
    const NARROW: [u8; VECTOR];

    /// From a margin of float64.
    fn of(value: f64) -> Self;

    /// As a margin of float64.
    fn widen(self) -> f64;

    /// Makes numbers of their bytes and adds them to 64 margins.
    ///
    /// # Safety
    /// The processor has AVX-512 BW.
    unsafe fn add_bytes(bytes: &[__m512i; 8], sums: &mut [Self]);

    /// Looks numbers up and adds them to 64 margins for each vector.
    ///
    /// # Safety
    /// The processor has AVX-512.
    unsafe fn add_words(planes: &[Bytes], labels: &[__m512i], sums: &mut [Self]);
}

impl Float for f64 {
    /// Eight numbers lie in a register, two in each of its lanes.
    const ORDER: [u8; VECTOR] = order([(2, 1), (4, 16), (8, 2)]);
    const NARROW: [u8; VECTOR] = order([(2, 4), (4, 16), (2, 8), (4, 1)]);

    fn of(value: f64) -> Self {
        value
    }

    fn widen(self) -> f64 {
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add_bytes(bytes: &[__m512i; 8], sums: &mut [Self]) {
        let [a, b, c, d, e, f, g, h] = *bytes;
        let words = [
            [_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)],
            [_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)],
            [_mm512_unpacklo_epi8(e, f), _mm512_unpackhi_epi8(e, f)],
            [_mm512_unpacklo_epi8(g, h), _mm512_unpackhi_epi8(g, h)],
        ];
        for (half, sums) in sums.chunks_exact_mut(32).enumerate() {
            let [a, b, c, d] = words.map(|pair| pair[half]);
            let halves = [
                (_mm512_unpacklo_epi16(a, b), _mm512_unpacklo_epi16(c, d)),
                (_mm512_unpackhi_epi16(a, b), _mm512_unpackhi_epi16(c, d)),
            ];
            for ((low, high), sums) in halves.into_iter().zip(sums.chunks_exact_mut(16)) {
                let (first, second) = sums.split_at_mut(8);
                add_eight(first, _mm512_unpacklo_epi32(low, high));
                add_eight(second, _mm512_unpackhi_epi32(low, high));
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn add_words(planes: &[Bytes], labels: &[__m512i], sums: &mut [Self]) {
        let planes: &[Bytes; 4] = planes.first_chunk().unwrap_or_else(|| unreachable!("four lines"));
        let [low, next, high, last] = planes.each_ref().map(|line| load(line));
        let quarters = labels.iter().flat_map(|labels| quarters(*labels));
        for (labels, sums) in quarters.zip(sums.chunks_exact_mut(16)) {
            let low = _mm512_permutex2var_epi32(low, labels, next);
            let high = _mm512_permutex2var_epi32(high, labels, last);
            let (first, second) = sums.split_at_mut(8);
            add_eight(first, _mm512_unpacklo_epi32(low, high));
            add_eight(second, _mm512_unpackhi_epi32(low, high));
        }
    }
}

impl Float for f32 {
    /// Sixteen numbers lie in a register, four in each of its lanes.
    const ORDER: [u8; VECTOR] = order([(4, 1), (4, 16), (4, 4)]);
    const NARROW: [u8; VECTOR] = order([(16, 4), (4, 1)]);

    #[allow(clippy::cast_possible_truncation)] // margins of float32
    fn of(value: f64) -> Self {
        value as f32
    }

    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add_bytes(bytes: &[__m512i; 8], sums: &mut [Self]) {
        let [a, b, c, d, ..] = *bytes;
        let halves = [
            (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d)),
            (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d)),
        ];
        for ((low, high), sums) in halves.into_iter().zip(sums.chunks_exact_mut(32)) {
            let (first, second) = sums.split_at_mut(16);
            add_sixteen(first, _mm512_unpacklo_epi16(low, high));
            add_sixteen(second, _mm512_unpackhi_epi16(low, high));
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn add_words(planes: &[Bytes], labels: &[__m512i], sums: &mut [Self]) {
        let planes: &[Bytes; 2] = planes.first_chunk().unwrap_or_else(|| unreachable!("two lines"));
        let [first, second] = planes.each_ref().map(|line| load(line));
        let quarters = labels.iter().flat_map(|labels| quarters(*labels));
        for (labels, sums) in quarters.zip(sums.chunks_exact_mut(16)) {
            add_sixteen(sums, _mm512_permutex2var_epi32(first, labels, second));
        }
    }
}
