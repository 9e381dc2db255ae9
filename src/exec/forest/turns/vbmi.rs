//! Sixty-four trees in a register, the nodes of eight tufts.

use super::{SIDE, Sink, Steps, each};
use crate::exec::forest::lines::Bytes;
use crate::exec::forest::registers::{Table, load};
use crate::exec::forest::tiers::{FIRST, Tiers};
use crate::exec::forest::tufts::{self, Tufts, WAYS};
use std::arch::x86_64::*;

/// For each tier one bit for each tree: whether a row goes right.
type Turns = [u64; FIRST];
picks!("avx512f,avx512bw", *const Bytes, __m512i, 1, |at: *const Bytes| load(&*at), |left, right, turn| {
    _mm512_mask_blend_epi8(turn, left, right)
});

/// Leaves of a tuft.
const WIDTH: usize = 1 << tufts::VBMI;
/// Tufts whose nodes fill a register.
pub const TOGETHER: usize = 64 / WIDTH;

/// What is known of a row in 64 trees.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Found {
    /// Where the tufts are that it reaches, in bytes behind the first one of these trees.
    places: [u32; SIDE],
    /// The nodes of each where it goes right, a bit for each.
    fails: [u8; SIDE],
}

impl Found {
    /// Nothing.
    pub const NOTHING: Self = Self { places: [0; SIDE], fails: [0; SIDE] };

    /// Notes where the ways through the first tiers lead.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn reach(&mut self, tufts: &Tufts, ways: __m512i) {
        const LANES: usize = 16;
        #[allow(clippy::cast_possible_truncation)] // fewer than eight tiers
        let shift = _mm_cvtsi32_si128(tufts.first() as i32);
        let mut tree = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (quarter, places) in self.places.chunks_exact_mut(LANES).enumerate() {
            let ways = match quarter {
                0 => _mm512_castsi512_si128(ways),
                1 => _mm512_extracti32x4_epi32::<1>(ways),
                2 => _mm512_extracti32x4_epi32::<2>(ways),
                _ => _mm512_extracti32x4_epi32::<3>(ways),
            };
            let tuft = _mm512_add_epi32(_mm512_sll_epi32(tree, shift), _mm512_cvtepu8_epi32(ways));
            const { assert!(tufts::size(WIDTH) == 1 << 6) };
            // SAFETY: sixteen numbers.
            unsafe { _mm512_storeu_si512(places.as_mut_ptr().cast(), _mm512_slli_epi32::<6>(tuft)) };
            tree = _mm512_add_epi32(tree, _mm512_set1_epi32(16));
        }
    }

    /// Decides the tufts of eight trees, from a place on in the group that begins with `tree`.
    ///
    /// # Safety
    /// There are such trees, and their tufts have been reached.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub unsafe fn decide<const N: usize, const RANGES: bool>(
        &mut self,
        tufts: &Tufts,
        table: &Table<N>,
        tree: usize,
        at: usize,
    ) {
        let first = tufts.of::<WIDTH>(tree);
        // SAFETY: as promised.
        let fails = unsafe {
            decide::<N, RANGES>(
                table,
                std::array::from_fn(|eighth| first.wrapping_byte_add(self.places[at + eighth] as usize)),
            )
        };
        self.fails[at..at + TOGETHER].copy_from_slice(&fails.to_le_bytes());
    }
}

/// A bit for each node of some tufts, eight bits for each tuft: whether a row goes right.
///
/// # Safety
/// There are such tufts.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn decide<const N: usize, const RANGES: bool>(table: &Table<N>, tufts: [*const f32; TOGETHER]) -> u64 {
    let [a, b, c, d, e, f, g, h] = tufts;
    // Two kinds of numbers of every other tuft.
    let four = |tufts: [*const f32; 4], kind: usize| {
        // SAFETY: a tuft has as many bytes of each kind.
        let two = tufts.map(|tuft| unsafe { _mm_loadu_si128(tuft.byte_add(tufts::kind(WIDTH, kind)).cast()) });
        let all = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(two[0]), two[1]);
        _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(all, two[2]), two[3])
    };
    let (even, odd) = (four([a, c, e, g], 0), four([b, d, f, h], 0));
    let mut codes = table.look_up(_mm512_unpacklo_epi64(even, odd));
    if RANGES {
        let bases = _mm512_unpacklo_epi64(four([a, c, e, g], 2), four([b, d, f, h], 2));
        codes = _mm512_sub_epi8(codes, bases);
    }
    _mm512_cmpge_epu8_mask(codes, _mm512_unpackhi_epi64(even, odd))
}

impl Tiers {
    /// The ways that a row takes through the first tiers of 64 trees, whose lines these are.
    ///
    /// # Safety
    /// The lines are those of a group.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    unsafe fn ways<const N: usize, const RANGES: bool>(&self, table: &Table<N>, lines: *const Bytes) -> __m512i {
        let mut turns: Turns = [0; FIRST];
        let mut way = _mm512_setzero_si512();
        macro_rules! tier {
            ($tier:literal, $pick:ident) => {
                let [slots, limits, bases] = self.kinds($tier);
                // SAFETY: a tier has as many lines of each kind.
                let pick = |kind| unsafe { $pick(lines.add(kind), &turns) };
                let mut code = table.look_up(pick(slots));
                if RANGES {
                    code = _mm512_sub_epi8(code, pick(bases));
                }
                turns[$tier] = _mm512_cmpge_epu8_mask(code, pick(limits));
                way = _mm512_mask_add_epi8(way, turns[$tier], way, _mm512_set1_epi8((1u8 << $tier).cast_signed()));
            };
        }
        each!(self.first_tiers(), tier);
        way
    }

    /// Hands the leaves that a row reaches to a sink; its codes fill `N` lines.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
    pub fn each_vbmi<const N: usize, const RANGES: bool, S: Sink>(&self, codes: &[Bytes], sink: S) -> S {
        let table: Table<N> = Table(std::array::from_fn(|at| load(&codes[at])));
        // SAFETY: the processor is one for that.
        unsafe { each(Vbmi::<_, N, RANGES> { tiers: self, table, groups: self.groups() }, self.trees(), sink) }
    }
}

/// By AVX-512 VBMI, with codes that fill `N` lines.
struct Vbmi<'a, G, const N: usize, const RANGES: bool> {
    tiers: &'a Tiers,
    table: Table<N>,
    /// The lines of the groups to come.
    groups: G,
}

impl<G: Iterator<Item = *const Bytes>, const N: usize, const RANGES: bool> Steps for Vbmi<'_, G, N, RANGES> {
    type Found = Found;
    const NOTHING: Self::Found = Found::NOTHING;
    const TOGETHER: usize = TOGETHER;

    #[inline(always)]
    unsafe fn reach(&mut self, found: &mut Self::Found) {
        let Some(lines) = self.groups.next() else { return };
        // SAFETY: as promised; these are the lines of a group.
        unsafe { found.reach(self.tiers.tufts(), self.tiers.ways::<N, RANGES>(&self.table, lines)) };
    }

    #[inline(always)]
    unsafe fn decide<S: Sink>(&self, tree: usize, at: usize, found: &mut Self::Found, beside: impl FnMut(usize)) {
        // SAFETY: as promised.
        unsafe { found.decide::<N, RANGES>(self.tiers.tufts(), &self.table, tree, at) };
        (0..Self::TOGETHER).for_each(beside);
    }

    #[inline(always)]
    unsafe fn hand<S: Sink>(&self, tree: usize, at: usize, found: &Self::Found, sink: &mut S) {
        let tufts = self.tiers.tufts();
        // SAFETY: numbers; volatile, so that each is one load: the compiler would take registers of them apart.
        let (place, fails) = unsafe {
            ((&raw const found.places[at]).read_volatile() as usize, (&raw const found.fails[at]).read_volatile())
        };
        let way = usize::from(WAYS[usize::from(fails)]);
        // SAFETY: as promised; a tuft has a value for each way, and a tree a leaf.
        unsafe {
            if S::SINGLE {
                sink.add(*tufts.of::<WIDTH>(tree).wrapping_byte_add(place).add(way));
            } else {
                let leaf = tufts.leaf::<WIDTH>(tree) + place / tufts::size(WIDTH) * WIDTH + way;
                #[allow(clippy::cast_possible_truncation)] // leaves are counted in 32 bits
                sink.put(tree + at, leaf as u32);
            }
        }
    }
}
