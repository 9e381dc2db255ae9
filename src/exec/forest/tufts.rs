//! The last three tiers of trees side by side (`tiers`), by AVX-512 VBMI: what a row may still meet of a tree lies in one cache line.
//!
//! A tuft is what a way through the tiers further up leads to: seven nodes and eight leaves with their values. The nodes of eight
//! tufts fill a register, are decided by one look-up and one comparison, and a table says which leaf the decisions of a tuft lead to.
#![allow(unsafe_code)]

use super::handover::SIDE;
use super::registers::Table;
use super::slab::{self, Slab};
use super::sums::Sink;
use std::arch::x86_64::*;

/// Tiers of a tuft.
pub const TIERS: usize = 3;
/// Instructions of a row for each tree, an estimate.
pub const COST: f64 = 5.0;
/// Leaves of a tuft, and bytes that its nodes take in a register.
const WIDTH: usize = 1 << TIERS;
/// Tufts whose nodes fill a register.
pub const TOGETHER: usize = 64 / WIDTH;

/// Seven nodes, tier by tier and within a tier by the way that leads to them, and eight leaves by theirs.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Tuft {
    slots: [u8; WIDTH],
    limits: [u8; WIDTH],
    bases: [u8; WIDTH],
    unused: [u8; WIDTH],
    values: [f32; WIDTH],
}

/// For each set of nodes of a tuft where a row goes right, the way through it: the turn at its first node is the lowest bit.
#[allow(clippy::cast_possible_truncation)] // ways are less than eight
static WAYS: [u8; 1 << WIDTH] = {
    let mut ways = [0; 1 << WIDTH];
    let mut fails: usize = 0;
    while fails < ways.len() {
        let (mut way, mut tier) = (0, 0);
        while tier < TIERS {
            let node = (1 << tier) - 1 + way;
            way |= (fails >> node & 1) << tier;
            tier += 1;
        }
        ways[fails] = way as u8;
        fails += 1;
    }
    ways
};

/// The tufts of a forest: for each tree one behind every way through its first tiers.
#[derive(Debug)]
pub struct Tufts {
    tufts: Slab<Tuft>,
    /// Tiers further up.
    first: usize,
}

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
}

impl Tufts {
    /// The tufts of so many trees of `tiers`, all of whose nodes every row leaves to the left.
    pub fn new(trees: usize, tiers: usize) -> Self {
        let first = tiers - TIERS;
        // Slot 0 holds a code below every limit but 0.
        let nothing =
            Tuft { slots: [0; WIDTH], limits: [1; WIDTH], bases: [0; WIDTH], unused: [0; WIDTH], values: [0.0; WIDTH] };
        Self { tufts: slab::filled(nothing, trees.next_multiple_of(TOGETHER) << first), first }
    }

    /// Puts a node in its place: slot, limit and base of the one that a way of as many turns as there are tiers further up leads to.
    pub fn put(&mut self, tree: usize, way: usize, tier: usize, [slot, limit, base]: [u8; 3]) {
        let before = (1 << (tier - self.first)) - 1;
        let (tuft, way) = self.tuft(tree, way);
        let node = before + way;
        (tuft.slots[node], tuft.limits[node], tuft.bases[node]) = (slot, limit, base);
    }

    /// Puts the values of a tree's leaves in their places: those behind all ways.
    #[allow(clippy::cast_possible_truncation)] // values are float32
    pub fn values(&mut self, tree: usize, values: &[f64]) {
        for (way, value) in values.iter().enumerate() {
            let (tuft, way) = self.tuft(tree, way);
            tuft.values[way] = *value as f32;
        }
    }

    /// The tuft that a way leads to, and the rest of the way.
    fn tuft(&mut self, tree: usize, way: usize) -> (&mut Tuft, usize) {
        let first = way & ((1 << self.first) - 1);
        (&mut self.tufts[(tree << self.first) + first], way >> self.first)
    }

    /// Bytes of all tufts.
    pub fn bytes(&self) -> usize {
        size_of_val(self.tufts.as_slice())
    }

    /// Reads all tufts.
    pub fn prefetch(&self) {
        super::warm(&self.tufts);
    }

    /// Notes where the ways through the first tiers of 64 trees lead.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn reach(&self, ways: __m512i, found: &mut Found) {
        const LANES: usize = 16;
        #[allow(clippy::cast_possible_truncation)] // fewer than eight tiers
        let shift = _mm_cvtsi32_si128(self.first as i32);
        let mut tree = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (quarter, places) in found.places.chunks_exact_mut(LANES).enumerate() {
            let ways = match quarter {
                0 => _mm512_castsi512_si128(ways),
                1 => _mm512_extracti32x4_epi32::<1>(ways),
                2 => _mm512_extracti32x4_epi32::<2>(ways),
                _ => _mm512_extracti32x4_epi32::<3>(ways),
            };
            let tuft = _mm512_add_epi32(_mm512_sll_epi32(tree, shift), _mm512_cvtepu8_epi32(ways));
            // SAFETY: sixteen numbers.
            unsafe { _mm512_storeu_si512(places.as_mut_ptr().cast(), _mm512_slli_epi32::<6>(tuft)) };
            tree = _mm512_add_epi32(tree, _mm512_set1_epi32(16));
        }
    }

    /// The first tuft of a tree.
    #[inline(always)]
    fn of(&self, tree: usize) -> *const Tuft {
        self.tufts.as_ptr().wrapping_add(tree << self.first)
    }

    /// Decides the tufts of eight of the 64 trees from `tree` on.
    ///
    /// # Safety
    /// There are such trees, and their tufts have been reached.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub unsafe fn decide<const N: usize, const RANGES: bool>(
        &self,
        table: &Table<N>,
        tree: usize,
        eight: usize,
        found: &mut Found,
    ) {
        let tufts = self.of(tree);
        let first = eight * TOGETHER;
        let tufts: [*const Tuft; TOGETHER] =
            std::array::from_fn(|at| tufts.wrapping_byte_add(found.places[first + at] as usize));
        // SAFETY: as promised.
        let fails = unsafe { decide::<N, RANGES>(table, tufts) };
        found.fails[first..first + TOGETHER].copy_from_slice(&fails.to_le_bytes());
    }

    /// Hands the leaf of a tree to a sink, the `at`th from `tree` on.
    ///
    /// # Safety
    /// There is such a tree, and its tuft has been decided.
    #[inline(always)]
    pub unsafe fn hand<S: Sink>(&self, tree: usize, at: usize, found: &Found, sink: &mut S) {
        // SAFETY: numbers; volatile, so that each is one load: the compiler would take registers of them apart.
        let (place, fails) = unsafe {
            ((&raw const found.places[at]).read_volatile() as usize, (&raw const found.fails[at]).read_volatile())
        };
        let way = usize::from(WAYS[usize::from(fails)]);
        if S::SINGLE {
            // SAFETY: as promised; a tuft has a value for each way.
            return sink
                .add(unsafe { *(&raw const (*self.of(tree)).values).wrapping_byte_add(place).cast::<f32>().add(way) });
        }
        let before = (place / size_of::<Tuft>()) & ((1 << self.first) - 1);
        let tree = tree + at;
        let leaf = tree << (self.first + TIERS) | way << self.first | before;
        #[allow(clippy::cast_possible_truncation)] // leaves are counted in 32 bits
        // SAFETY: a tree has a leaf for each of its ways.
        unsafe {
            sink.put(tree, leaf as u32);
        }
    }
}

/// A bit for each node of some tufts, eight bits for each tuft: whether a row goes right.
///
/// # Safety
/// There are such tufts.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn decide<const N: usize, const RANGES: bool>(table: &Table<N>, tufts: [*const Tuft; TOGETHER]) -> u64 {
    let [a, b, c, d, e, f, g, h] = tufts;
    // Two kinds of numbers of every other tuft.
    let four = |tufts: [*const Tuft; 4], from: usize| {
        // SAFETY: a tuft has 64 bytes.
        let two = tufts.map(|tuft| unsafe { _mm_loadu_si128(tuft.byte_add(from).cast()) });
        let all = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(two[0]), two[1]);
        _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(all, two[2]), two[3])
    };
    let (even, odd) = (four([a, c, e, g], 0), four([b, d, f, h], 0));
    let mut codes = table.look_up(_mm512_unpacklo_epi64(even, odd));
    if RANGES {
        let from = 2 * WIDTH;
        let bases = _mm512_unpacklo_epi64(four([a, c, e, g], from), four([b, d, f, h], from));
        codes = _mm512_sub_epi8(codes, bases);
    }
    _mm512_cmpge_epu8_mask(codes, _mm512_unpackhi_epi64(even, odd))
}
