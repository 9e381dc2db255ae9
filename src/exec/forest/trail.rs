//! The last steps of ways through chunks, in memory.
//!
//! A permute leads all 64 nodes of a chunk further, of which a row needs those where its trees begin. So maps are permuted while that is
//! cheap, and then lie in memory, where a step of a way is a load of one byte: loads have ports of their own.
#![allow(unsafe_code)]

use super::chunk::SLOTS;
use super::registers::store_for_parts;
use std::arch::x86_64::*;

/// How far a way has come: a slot of its chunk plus twice [`SLOTS`], or an exit plus [`SLOTS`].
pub type At = usize;

/// At a slot.
#[inline(always)]
pub fn slot(slot: usize) -> At {
    slot + 2 * SLOTS
}

/// The exit that a way has come to.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // six bits
pub fn exit(at: At) -> u32 {
    (at & (SLOTS - 1)) as u32
}

/// One of eight ways, see [`Trail::take`].
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // eight bits
pub fn way(ways: u64, number: usize) -> At {
    (ways >> (8 * number)) as usize & 0xff
}

/// The fewest doublings.
pub const LEAST: u32 = 2;

/// Every exit leads to itself.
pub static EXITS: [u8; SLOTS] = {
    let mut exits = [0; SLOTS];
    let mut at = 0;
    while at < SLOTS {
        exits[at] = 64 + at.to_le_bytes()[0];
        at += 1;
    }
    exits
};

/// Doublings of maps so that so many steps lead through chunks of this depth.
pub fn doublings(depth: usize, steps: usize) -> u32 {
    depth.div_ceil(steps).next_power_of_two().trailing_zeros().max(LEAST)
}

/// The maps of some chunks, each behind the exits.
#[repr(C, align(64))]
pub struct Trail<const CHUNKS: usize>([[[u8; SLOTS]; 2]; CHUNKS]);

impl<const CHUNKS: usize> Trail<CHUNKS> {
    /// Without maps.
    #[inline(always)]
    pub fn new() -> Self {
        Self([[EXITS; 2]; CHUNKS])
    }

    /// Takes the maps of some chunks. Gives the first step of the ways from the first eight slots of each, a byte for each way: it comes out of
    /// a register sooner than from memory, where a load would be tried over and over until the map is there.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    pub fn take(&mut self, maps: [__m512i; CHUNKS]) -> [u64; CHUNKS] {
        for (place, map) in self.0.iter_mut().zip(maps) {
            // SAFETY: there is room for a map.
            unsafe { store_for_parts(&raw mut place[1], map) };
        }
        maps.map(|map| _mm_cvtsi128_si64(_mm512_castsi512_si128(map)).cast_unsigned())
    }

    /// Goes so many steps of several ways in each of these chunks.
    ///
    /// # Safety
    /// It has taken maps; the ways are at slots or exits.
    #[inline(always)]
    pub unsafe fn go<const WAYS: usize, const STEPS: usize>(
        &self,
        mut ways: [[At; WAYS]; CHUNKS],
    ) -> [[At; WAYS]; CHUNKS] {
        for _ in 0..STEPS {
            for (place, ways) in self.0.iter().zip(&mut ways) {
                // Exits, of which the first is number `SLOTS`, precede slots.
                let first = place.as_ptr().cast::<u8>().wrapping_sub(SLOTS);
                // SAFETY: a way is at one of `SLOTS` exits or at one of as many slots.
                ways.iter_mut().for_each(|at| *at = unsafe { usize::from(*first.wrapping_add(*at)) });
            }
        }
        ways
    }
}
