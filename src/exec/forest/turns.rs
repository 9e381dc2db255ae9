//! The turns that a row takes in trees side by side, by AVX-512 VBMI and by AVX2 (`tiers`).
//!
//! While they are looked for in a group of trees, the leaves of the group before are handed over, a few at a time: they are added up one
//! after the other, which is waiting for the most part.
#![allow(unsafe_code)]

use super::coder::Coder;
use super::handover::{Handover, Own, SIDE};
use super::lines::Bytes;
use super::nibbles;
use super::registers::{self, load};
use super::sums::Sink;
use super::tiers::{TIERS, Tiers};
use super::tufts::{Found, TOGETHER};
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
            pick5 pick4 4, pick6 pick5 5, pick7 pick6 6);
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
        each!(@ $tiers, $tier; pick0 0, pick1 1, pick2 2, pick3 3, pick4 4, pick5 5, pick6 6, pick7 7)
    };
    (@ $tiers:expr, $tier:ident; $($pick:ident $number:literal),*) => { $(
        if $number < $tiers {
            $tier!($number, $pick);
        }
    )* };
}

/// Sixty-four trees in a register.
mod vbmi {
    use super::{Bytes, TIERS, load};
    use std::arch::x86_64::*;

    /// For each tier one bit for each tree: whether a row goes right.
    pub type Turns = [u64; TIERS];
    picks!("avx512f,avx512bw", *const Bytes, __m512i, 1, |at: *const Bytes| load(&*at), |left, right, turn| {
        _mm512_mask_blend_epi8(turn, left, right)
    });
}

/// Thirty-two trees in a register; the other half of a line is left out.
mod avx2 {
    use super::TIERS;
    use std::arch::x86_64::*;

    /// For each tier one byte for each tree: all bits of it where a row goes right.
    pub type Turns = [__m256i; TIERS];
    picks!("avx2", *const __m256i, __m256i, 2, _mm256_load_si256, |left, change, turn| {
        _mm256_xor_si256(left, _mm256_and_si256(change, turn))
    });
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
        let mut turns: Turns = [0; TIERS];
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
    ///
    /// The leaves of 64 trees are added up, one after the other, while the last tiers of the next 64 are decided, before which the first
    /// ones of the 64 behind them have been: so nothing has to wait for what has just begun.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
    pub fn each_vbmi<const N: usize, const RANGES: bool, S: Sink>(&self, codes: &[Bytes], mut sink: S) -> S {
        let Some(tufts) = self.tufts() else { unreachable!("trees are laid out for the processor") };
        let table: registers::Table<N> = registers::Table(std::array::from_fn(|at| load(&codes[at])));
        let trees = self.first_leaves().len();
        let mut groups = self.groups();
        let mut reach = |found: &mut Found| {
            if let Some(lines) = groups.next() {
                // SAFETY: these are the lines of a group.
                tufts.reach(unsafe { self.ways::<N, RANGES>(&table, lines) }, found);
            }
        };
        let [mut last, mut this, mut next] = [Found::NOTHING; 3];
        reach(&mut this);
        // Trees before this group, all of whose tufts have been decided.
        let mut before = 0;
        while before < trees {
            reach(&mut next);
            let some = (trees - before).min(SIDE).div_ceil(TOGETHER);
            for eight in 0..some {
                // SAFETY: there are such trees, whose tufts have been reached; those of the group before have been decided.
                unsafe {
                    tufts.decide::<N, RANGES>(&table, before, eight, &mut this);
                    if before > 0 {
                        let first = eight * TOGETHER;
                        (first..first + TOGETHER).for_each(|at| tufts.hand(before - SIDE, at, &last, &mut sink));
                    }
                }
            }
            if before > 0 {
                // SAFETY: as above.
                (some * TOGETHER..SIDE).for_each(|at| unsafe { tufts.hand(before - SIDE, at, &last, &mut sink) });
            }
            (last, this, next) = (this, next, last);
            before += SIDE;
        }
        let before = before.saturating_sub(SIDE);
        for at in 0..trees - before {
            // SAFETY: as above; these are the trees of the last group.
            unsafe { tufts.hand(before, at, &last, &mut sink) };
        }
        sink
    }

    /// The ways that a row takes through `N` times 32 trees, whose lines these are; meanwhile leaves of the trees before are handed over.
    ///
    /// # Safety
    /// The lines are those of a group, from its first or its second half on; `own` are leaves of the trees before.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn ways_avx2<const N: usize, const RANGES: bool, S: Sink>(
        &self,
        table: &nibbles::Table,
        lines: *const __m256i,
        handover: &mut Handover<'_, S>,
        own: &Own,
    ) -> [__m256i; N] {
        use avx2::*;
        let mut turns: [Turns; N] = [[_mm256_setzero_si256(); TIERS]; N];
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
                // SAFETY: as promised.
                (0..N).for_each(|_| unsafe { handover.some(own) });
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
                    // SAFETY: as promised.
                    unsafe { handover.some(own) };
                }
            };
        }
        each!(self.depth(), tier);
        ways
    }

    /// Hands the leaves that a row reaches to a sink.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub fn each_avx2<const RANGES: bool, S: Sink>(&self, codes: &[Bytes], sink: S) -> S {
        const HALF: usize = SIDE / 2;
        let table = nibbles::Table::new(codes, self.coder().slots().count());
        let (mut own, mut handover) = ([0; SIDE], Handover::new(sink, self.first_leaves()));
        let mut left = self.first_leaves().len();
        for lines in self.groups().map(<*const Bytes>::cast::<__m256i>) {
            // SAFETY: these are the lines of a group; a tree has a leaf for each of its ways.
            unsafe {
                let ways = if left > HALF {
                    self.ways_avx2::<2, RANGES, S>(&table, lines, &mut handover, &own)
                } else {
                    [self.ways_avx2::<1, RANGES, S>(&table, lines, &mut handover, &own)[0]; 2]
                };
                handover.turn(&own, SIDE);
                nibbles::store(ways, &mut own);
            }
            left = left.saturating_sub(SIDE);
        }
        // SAFETY: as above.
        unsafe { handover.end(&own) }
    }
}
