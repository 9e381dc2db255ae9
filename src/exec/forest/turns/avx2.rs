//! Thirty-two trees in a register, the other half of a line is left out; the nodes of eight tufts.

use super::{SIDE, Sink, Steps, each};
use crate::exec::forest::lines::Bytes;
use crate::exec::forest::nibbles::{self, Table};
use crate::exec::forest::tiers::{FIRST, Tiers};
use crate::exec::forest::tufts::{self, Tufts, WAYS};
use std::arch::x86_64::*;

/// For each tier one byte for each tree: all bits of it where a row goes right.
type Turns = [__m256i; FIRST];
picks!("avx2", *const __m256i, __m256i, 2, _mm256_load_si256, |left, change, turn| {
    _mm256_xor_si256(left, _mm256_and_si256(change, turn))
});

/// Leaves of a tuft.
const WIDTH: usize = 1 << tufts::AVX2;
/// Bits of a place within a tuft.
const PLACE: i32 = 5;
/// Tufts whose nodes fill a register.
const EIGHT: usize = 32 / WIDTH;
/// Tufts that are decided at once.
pub const TOGETHER: usize = 2 * EIGHT;
/// What goes on beside reading the nodes of as many tufts, and beside their look-ups.
const EARLY: usize = 4;
const LATE: usize = TOGETHER - EARLY;

/// What is known of a row in 64 trees: first where the tufts are that it reaches, in bytes behind the first one of these trees; then where
/// the values of its leaves are, likewise, or for a sink that does not want these the leaves, counted from the first of these trees on.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Found([u32; SIDE]);

impl Found {
    /// Nothing.
    pub const NOTHING: Self = Self([0; SIDE]);

    /// Notes where the ways through the first tiers lead.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn reach(&mut self, tufts: &Tufts, ways: [__m256i; 2]) {
        let mut bytes = [0; SIDE];
        nibbles::store(ways, &mut bytes);
        #[allow(clippy::cast_possible_truncation)] // fewer than eight tiers
        let shift = _mm_cvtsi32_si128(tufts.first() as i32);
        let mut tree = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        for (places, ways) in self.0.chunks_exact_mut(EIGHT).zip(bytes.chunks_exact(EIGHT)) {
            const { assert!(tufts::size(WIDTH) == 1 << PLACE) };
            // SAFETY: eight bytes, and eight numbers.
            unsafe {
                let ways = _mm256_cvtepu8_epi32(_mm_loadl_epi64(ways.as_ptr().cast()));
                let tuft = _mm256_add_epi32(_mm256_sll_epi32(tree, shift), ways);
                _mm256_storeu_si256(places.as_mut_ptr().cast(), _mm256_slli_epi32::<PLACE>(tuft));
            }
            tree = _mm256_add_epi32(tree, _mm256_set1_epi32(8));
        }
    }

    /// Decides the tufts of sixteen trees, from a place on in the group that begins with `tree`. Meanwhile `beside` is called
    /// with one number after the other, from 0 to 15.
    ///
    /// # Safety
    /// There are such trees, and their tufts have been reached.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub unsafe fn decide<const PARTS: usize, const RANGES: bool, S: Sink>(
        &mut self,
        tufts: &Tufts,
        table: &Table<PARTS>,
        tree: usize,
        at: usize,
        mut beside: impl FnMut(usize),
    ) {
        let first = tufts.of::<WIDTH>(tree);
        let zero = _mm256_setzero_si256();
        let Some(found) = self.0[at..].first_chunk_mut::<TOGETHER>() else { return };
        let (mut codes, mut limits, mut bases) = ([zero; 2], [zero; 2], [zero; 2]);
        for eight in 0..2 {
            // All numbers of two tufts, one from either half of the eight.
            let two = |from: usize| {
                // SAFETY: as promised.
                let [low, high] = [from, from + EIGHT / 2].map(|from| unsafe {
                    let tuft = first.wrapping_byte_add(found[eight * EIGHT + from] as usize);
                    _mm_loadu_si128(tuft.byte_add(tufts::kind(WIDTH, 0)).cast())
                });
                _mm256_set_m128i(high, low)
            };
            let [a, b] = [two(0), two(1)];
            beside(2 * eight);
            let [c, d] = [two(2), two(3)];
            beside(2 * eight + 1);
            let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
            // Slots, then limits, of four in either half.
            codes[eight] = _mm256_unpacklo_epi64(low, high);
            limits[eight] = _mm256_unpackhi_epi64(low, high);
            if RANGES {
                bases[eight] = _mm256_unpacklo_epi64(_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
            }
        }
        // SAFETY: the processor has AVX2.
        codes = unsafe {
            table.look_up(codes, |part| {
                (part * LATE / PARTS..(part + 1) * LATE / PARTS).for_each(|number| beside(EARLY + number));
            })
        };
        for eight in 0..2 {
            let code = if RANGES { _mm256_sub_epi8(codes[eight], bases[eight]) } else { codes[eight] };
            let right = _mm256_cmpeq_epi8(_mm256_max_epu8(code, limits[eight]), code);
            // A bit for each node, then the place of the value that they lead to: a number for each tuft.
            let fails = _mm256_maddubs_epi16(_mm256_set1_epi32(0x0004_0201), right);
            let fails = _mm256_madd_epi16(fails, _mm256_set1_epi16(-1));
            let way = _mm256_shuffle_epi8(if S::SINGLE { values::<4>() } else { values::<1>() }, fails);
            // SAFETY: eight numbers.
            unsafe {
                let places: *mut __m256i = found.as_mut_ptr().add(eight * EIGHT).cast();
                let mut place = _mm256_loadu_si256(places);
                if !S::SINGLE {
                    place = _mm256_srli_epi32::<{ PLACE - 2 }>(place);
                }
                _mm256_storeu_si256(places, _mm256_add_epi32(place, way));
            }
        }
    }
}

/// For each set of nodes of a tuft where a row goes right, its leaf, times `EACH`.
#[inline]
#[target_feature(enable = "avx2")]
fn values<const EACH: u8>() -> __m256i {
    let values: [u8; 16] = const {
        let mut values = [0; 16];
        let mut fails = 0;
        while fails < 8 {
            values[fails] = WAYS[fails] * EACH;
            fails += 1;
        }
        values
    };
    // SAFETY: sixteen bytes.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(values.as_ptr().cast()) })
}

impl Tiers {
    /// The ways that a row takes through the first tiers of `N` times 32 trees, whose lines these are.
    ///
    /// # Safety
    /// The lines are those of a group.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn ways_avx2<const PARTS: usize, const N: usize, const RANGES: bool>(
        &self,
        table: &Table<PARTS>,
        lines: *const __m256i,
    ) -> [__m256i; N] {
        let mut turns: [Turns; N] = [[_mm256_setzero_si256(); FIRST]; N];
        let mut ways = [_mm256_setzero_si256(); N];
        macro_rules! tier {
            ($tier:literal, $pick:ident) => {
                let [slots, limits, bases] = self.kinds($tier);
                let mut codes = [_mm256_setzero_si256(); N];
                for half in 0..N {
                    // SAFETY: a tier has as many lines of each kind, of two halves each.
                    codes[half] = unsafe { $pick(lines.add(2 * slots + half), &turns[half]) };
                }
                // SAFETY: the processor has AVX2.
                codes = unsafe { table.look_up(codes, |_| ()) };
                for half in 0..N {
                    let mut code = codes[half];
                    if RANGES {
                        // SAFETY: as above.
                        code = _mm256_sub_epi8(code, unsafe { $pick(lines.add(2 * bases + half), &turns[half]) });
                    }
                    // SAFETY: as above.
                    let limits = unsafe { $pick(lines.add(2 * limits + half), &turns[half]) };
                    turns[half][$tier] = _mm256_cmpeq_epi8(_mm256_max_epu8(code, limits), code);
                    let bit = _mm256_set1_epi8((1u8 << $tier).cast_signed());
                    ways[half] = _mm256_or_si256(ways[half], _mm256_and_si256(turns[half][$tier], bit));
                }
            };
        }
        each!(self.first_tiers(), tier);
        ways
    }

    /// Hands the leaves that a row reaches to a sink; its codes fill `PARTS` times sixteen bytes.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn each_avx2<const PARTS: usize, const RANGES: bool, S: Sink>(&self, codes: &[Bytes], sink: S) -> S {
        let table = Table::new(codes);
        let (groups, left) = (self.groups(), self.trees());
        // SAFETY: the processor is one for that.
        unsafe { each(Avx2::<_, PARTS, RANGES> { tiers: self, table, groups, left }, self.trees(), sink) }
    }
}

/// By AVX2, with codes that fill `PARTS` times sixteen bytes.
struct Avx2<'a, G, const PARTS: usize, const RANGES: bool> {
    tiers: &'a Tiers,
    table: Table<PARTS>,
    /// The lines of the groups to come.
    groups: G,
    /// The trees to come.
    left: usize,
}

impl<G: Iterator<Item = *const Bytes>, const PARTS: usize, const RANGES: bool> Steps for Avx2<'_, G, PARTS, RANGES> {
    type Found = Found;
    const NOTHING: Self::Found = Found::NOTHING;
    const TOGETHER: usize = TOGETHER;

    #[inline(always)]
    unsafe fn reach(&mut self, found: &mut Self::Found) {
        let Some(lines) = self.groups.next() else { return };
        // SAFETY: as promised; these are the lines of a group.
        unsafe {
            let ways = if self.left > SIDE / 2 {
                self.tiers.ways_avx2::<PARTS, 2, RANGES>(&self.table, lines.cast())
            } else {
                [self.tiers.ways_avx2::<PARTS, 1, RANGES>(&self.table, lines.cast())[0]; 2]
            };
            found.reach(self.tiers.tufts(), ways);
        }
        self.left = self.left.saturating_sub(SIDE);
    }

    #[inline(always)]
    unsafe fn decide<S: Sink>(&self, tree: usize, at: usize, found: &mut Self::Found, beside: impl FnMut(usize)) {
        // SAFETY: as promised.
        unsafe { found.decide::<PARTS, RANGES, S>(self.tiers.tufts(), &self.table, tree, at, beside) };
    }

    #[inline(always)]
    unsafe fn hand<S: Sink>(&self, tree: usize, at: usize, found: &Self::Found, sink: &mut S) {
        let tufts = self.tiers.tufts();
        // SAFETY: a number; volatile, so that it is one load: the compiler would take registers of them apart.
        let place = unsafe { (&raw const found.0[at]).read_volatile() as usize };
        // SAFETY: as promised; a tuft has a value for each way, and a tree a leaf.
        unsafe {
            if S::SINGLE {
                sink.add(*tufts.of::<WIDTH>(tree).wrapping_byte_add(place));
            } else {
                #[allow(clippy::cast_possible_truncation)] // leaves are counted in 32 bits
                sink.put(tree + at, (tufts.leaf::<WIDTH>(tree) + place) as u32);
            }
        }
    }
}
