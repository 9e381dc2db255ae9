//! The turns that a row takes in trees side by side, by AVX-512 VBMI and by AVX2: in their first tiers (`tiers`), then in their last
//! ones (`tufts`).
#![allow(unsafe_code)]

use super::coder::Coder;
use super::handover::SIDE;
use super::lines::Bytes;
use super::nibbles;
use super::registers::{self, load};
use super::sums::Sink;
use super::tiers::{FIRST, Tiers};
use super::tufts::{self, Tufts, WAYS};
use std::arch::x86_64::*;

/// Functions that pick from the lines of a tier what belongs to the nodes that a row meets; `$step` is how far lines are apart.
macro_rules! picks {
    ($features:literal, $at:ty, $register:ty, $step:literal, $load:expr, $blend:expr) => {
        #[inline]
        #[target_feature(enable = $features)]
        pub unsafe fn pick0(at: $at, _: &Turns) -> $register {
            // SAFETY: there is a line.
            unsafe { $load(at) }
        }
        picks!(@ $features, $at, $register, $step, $blend; pick1 pick0 0, pick2 pick1 1, pick3 pick2 2, pick4 pick3 3,
            pick5 pick4 4);
    };
    (@ $features:literal, $at:ty, $register:ty, $step:literal, $blend:expr; $($pick:ident $half:ident $turn:literal),*) => { $(
        #[inline]
        #[target_feature(enable = $features)]
        pub unsafe fn $pick(at: $at, turns: &Turns) -> $register {
            // SAFETY: there are twice as many lines.
            let halves = unsafe { [$half(at, turns), $half(at.add($step << $turn), turns)] };
            $blend(halves[0], halves[1], turns[$turn])
        }
    )* };
}

/// Calls `$tier` for each tier with its number and the function that picks from it.
macro_rules! each {
    ($tiers:expr, $tier:ident) => {
        each!(@ $tiers, $tier; pick0 0, pick1 1, pick2 2, pick3 3, pick4 4, pick5 5)
    };
    (@ $tiers:expr, $tier:ident; $($pick:ident $number:literal),*) => { $(
        if $number < $tiers {
            $tier!($number, $pick);
        }
    )* };
}

/// Sixty-four trees in a register, the nodes of eight tufts.
mod vbmi {
    use super::registers::Table;
    use super::{Bytes, FIRST, SIDE, Sink, Tufts, WAYS, load, tufts};
    use std::arch::x86_64::*;

    /// For each tier one bit for each tree: whether a row goes right.
    pub type Turns = [u64; FIRST];
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

        /// Hands the leaf of a tree to a sink, the `at`th from `tree` on.
        ///
        /// # Safety
        /// There is such a tree, and its tuft has been decided.
        #[inline(always)]
        pub unsafe fn hand<S: Sink>(&self, tufts: &Tufts, tree: usize, at: usize, sink: &mut S) {
            // SAFETY: numbers; volatile, so that each is one load: the compiler would take registers of them apart.
            let (place, fails) = unsafe {
                ((&raw const self.places[at]).read_volatile() as usize, (&raw const self.fails[at]).read_volatile())
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
}

/// Thirty-two trees in a register, the other half of a line is left out; the nodes of eight tufts.
mod avx2 {
    use super::nibbles::{self, Table};
    use super::{FIRST, SIDE, Sink, Tufts, WAYS, tufts};
    use std::arch::x86_64::*;

    /// For each tier one byte for each tree: all bits of it where a row goes right.
    pub type Turns = [__m256i; FIRST];
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

        /// Decides the tufts of sixteen trees, from a place on in the group that begins with `tree`.
        ///
        /// # Safety
        /// There are such trees, and their tufts have been reached.
        #[inline]
        #[target_feature(enable = "avx2")]
        pub unsafe fn decide<const RANGES: bool, S: Sink>(
            &mut self,
            tufts: &Tufts,
            table: &Table,
            tree: usize,
            at: usize,
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
                let [a, b, c, d] = [two(0), two(1), two(2), two(3)];
                let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
                // Slots, then limits, of four in either half.
                codes[eight] = _mm256_unpacklo_epi64(low, high);
                limits[eight] = _mm256_unpackhi_epi64(low, high);
                if RANGES {
                    bases[eight] = _mm256_unpacklo_epi64(_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
                }
            }
            codes = table.look_up(codes);
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

        /// Hands the leaf of a tree to a sink, the `at`th from `tree` on.
        ///
        /// # Safety
        /// There is such a tree, and its tuft has been decided.
        #[inline(always)]
        pub unsafe fn hand<S: Sink>(&self, tufts: &Tufts, tree: usize, at: usize, sink: &mut S) {
            // SAFETY: a number; volatile, so that it is one load: the compiler would take registers of them apart.
            let place = unsafe { (&raw const self.0[at]).read_volatile() as usize };
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
}

impl Tiers {
    /// The ways that a row takes through the first tiers of 64 trees, whose lines these are.
    ///
    /// # Safety
    /// The lines are those of a group.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    unsafe fn ways<const N: usize, const RANGES: bool>(
        &self,
        table: &registers::Table<N>,
        lines: *const Bytes,
    ) -> __m512i {
        use vbmi::*;
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
        let table: registers::Table<N> = registers::Table(std::array::from_fn(|at| load(&codes[at])));
        let (tufts, trees, mut groups) = (self.tufts(), self.trees(), self.groups());
        // SAFETY: these are the lines of groups; `each` reaches before it decides, and decides before it hands over.
        unsafe {
            each::<vbmi::Found, S, { vbmi::TOGETHER }>(
                trees,
                [vbmi::Found::NOTHING; 3],
                |found| {
                    if let Some(lines) = groups.next() {
                        found.reach(tufts, self.ways::<N, RANGES>(&table, lines));
                    }
                },
                |tree, at, found| found.decide::<N, RANGES>(tufts, &table, tree, at),
                |tree, at, found, sink| found.hand(tufts, tree, at, sink),
                sink,
            )
        }
    }

    /// The ways that a row takes through the first tiers of `N` times 32 trees, whose lines these are.
    ///
    /// # Safety
    /// The lines are those of a group.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn ways_avx2<const N: usize, const RANGES: bool>(
        &self,
        table: &nibbles::Table,
        lines: *const __m256i,
    ) -> [__m256i; N] {
        use avx2::*;
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
                codes = table.look_up(codes);
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

    /// Hands the leaves that a row reaches to a sink.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn each_avx2<const RANGES: bool, S: Sink>(&self, codes: &[Bytes], sink: S) -> S {
        let table = nibbles::Table::new(codes, self.coder().slots().count());
        let (tufts, trees, mut groups) = (self.tufts(), self.trees(), self.groups());
        let mut left = trees;
        // SAFETY: as above.
        unsafe {
            each::<avx2::Found, S, { avx2::TOGETHER }>(
                trees,
                [avx2::Found::NOTHING; 3],
                |found| {
                    let Some(lines) = groups.next() else { return };
                    let lines = lines.cast();
                    let ways = if left > SIDE / 2 {
                        self.ways_avx2::<2, RANGES>(&table, lines)
                    } else {
                        [self.ways_avx2::<1, RANGES>(&table, lines)[0]; 2]
                    };
                    left = left.saturating_sub(SIDE);
                    found.reach(tufts, ways);
                },
                |tree, at, found| found.decide::<RANGES, S>(tufts, &table, tree, at),
                |tree, at, found, sink| found.hand(tufts, tree, at, sink),
                sink,
            )
        }
    }
}

/// Hands the leaves that a row reaches in so many trees to a sink. `reach` finds its ways through the first tiers of the next 64, if there
/// are more; `decide` what follows in some from a place on of the 64 that begin with a tree; `hand` hands over the leaf of one of these.
///
/// The leaves of 64 trees are added up, one after the other, while the last tiers of the next 64 are decided, before which the first
/// ones of the 64 behind them have been: so nothing has to wait for what has just begun.
#[inline(always)]
fn each<F, S: Sink, const TOGETHER: usize>(
    trees: usize,
    [mut a, mut b, mut c]: [F; 3],
    mut reach: impl FnMut(&mut F),
    decide: impl Fn(usize, usize, &mut F),
    hand: impl Fn(usize, usize, &F, &mut S),
    mut sink: S,
) -> S {
    const { assert!(SIDE.is_multiple_of(TOGETHER) && tufts::TOGETHER.is_multiple_of(TOGETHER)) };
    let (mut last, mut this, mut next) = (&mut a, &mut b, &mut c);
    reach(this);
    // Trees before this group, all of whose tufts have been decided.
    let mut before = 0;
    while before < trees {
        reach(next);
        let end = (trees - before).min(SIDE).next_multiple_of(TOGETHER);
        for first in (0..end).step_by(TOGETHER) {
            decide(before, first, this);
            if before > 0 {
                (first..first + TOGETHER).for_each(|at| hand(before - SIDE, at, last, &mut sink));
            }
        }
        if before > 0 {
            (end..SIDE).for_each(|at| hand(before - SIDE, at, last, &mut sink));
        }
        (last, this, next) = (this, next, last);
        before += SIDE;
    }
    let before = before.saturating_sub(SIDE);
    (0..trees - before).for_each(|at| hand(before, at, last, &mut sink));
    sink
}
