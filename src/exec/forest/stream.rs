//! Pointer jumping for many rows: tree after tree, whose chunks stay in the first cache while all rows go through them.
#![allow(unsafe_code)]

use super::chunk::SLOTS;
use super::jump::{FURTHER, FURTHER_STEPS, Jump, Width};
use super::lines::{Buffer, Bytes};
use super::registers::{BYTES, RANGES, Row, WORDS, by_kind};
use super::trail::{self, Trail};

impl Jump {
    /// Whether tree after tree is faster than row after row: where trees are large, and a row does not take long to get into registers.
    pub fn streams(&self) -> bool {
        !self.exits.is_empty() && self.codes() <= 4 && self.sets().is_none()
    }

    /// Calls `take` with tree after tree and the leaves that `rows` reach in it, whose codes are as many lines for each as [`Jump::codes`]
    /// says; `leaves` and `waiting` are working memory. No node may ask for a category.
    ///
    /// # Panics
    /// When there are other codes than those of the rows, or conditions on categories.
    pub fn stream(
        &self,
        codes: &mut [Bytes],
        rows: usize,
        leaves: &mut Buffer,
        waiting: &mut Buffer,
        take: &mut impl FnMut(usize, &[u32]),
    ) {
        assert!(codes.len() == rows * self.codes() && self.sets().is_none());
        macro_rules! go {
            ($tables:literal, $width:ident, $masked:literal) => {
                // SAFETY: a forest is only laid out like this where the processor has VBMI.
                unsafe { self.stream_through::<$tables, $width, $masked>(codes, rows, leaves, waiting, take) }
            };
        }
        by_kind!(self, go);
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn stream_through<const N: usize, const WIDTH: u8, const MASKED: bool>(
        &self,
        codes: &mut [Bytes],
        rows: usize,
        leaves: &mut Buffer,
        waiting: &mut Buffer,
        take: &mut impl FnMut(usize, &[u32]),
    ) {
        let lines = self.codes();
        if WIDTH == WORDS {
            for codes in codes.chunks_exact_mut(lines) {
                Row::<N, WIDTH, false, MASKED>::new(codes, &[]).put(codes);
            }
        }
        let row = |at: usize| Row::<N, WIDTH, false, MASKED>::ready(&codes[at * lines..][..lines], &[]);
        let waiting = waiting.room::<u32>(rows);
        let mut trail = Trail::<1>::new();
        for (at, heads) in self.heads.windows(2).enumerate() {
            let trees = heads[0] as usize..heads[1] as usize;
            let leaves = leaves.room::<u32>(trees.len() * rows);
            for index in 0..rows {
                // SAFETY: trees begin in this chunk, so it exists.
                let [ways] = unsafe { trail.take(row(index).jumps(self, at, self.doublings[0])) };
                for tree in 0..trees.len() {
                    // SAFETY: a tree begins in each of these slots.
                    let [[end]] = unsafe { trail.go::<1, FURTHER_STEPS>([[trail::way(ways, tree)]]) };
                    leaves[tree * rows + index] = match self.exits.get(at) {
                        Some(exits) => exits[trail::exit(end) as usize],
                        None => self.leaves[at] + trail::exit(end),
                    };
                }
            }
            for (tree, leaves) in trees.zip(leaves.chunks_exact_mut(rows)) {
                if !self.exits.is_empty() {
                    self.follow_all(row, leaves, waiting);
                }
                take(tree, leaves);
            }
        }
    }

    /// Follows the ways of rows through the other chunks of a tree, until all of `leaves` are leaves: one chunk further in each turn, so
    /// that no row waits for another.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2")]
    fn follow_all<'a, const N: usize, const WIDTH: u8, const MASKED: bool>(
        &self,
        row: impl Fn(usize) -> Row<'a, N, WIDTH, false, MASKED>,
        leaves: &mut [u32],
        waiting: &mut [u32],
    ) {
        let mut trail = Trail::<1>::new();
        let mut count = 0;
        for (row, &leaf) in (0..).zip(&*leaves) {
            waiting[count] = row;
            count += (leaf >> 31) as usize;
        }
        while count > 0 {
            let mut left = 0;
            for at in 0..count {
                let index = waiting[at];
                let place = (leaves[index as usize] & !FURTHER) as usize;
                let (chunk, slot) = (place / SLOTS, place % SLOTS);
                // SAFETY: an exit leads to it, so it exists.
                let end = unsafe { self.follow(&row(index as usize), &mut trail, chunk, slot, self.doublings[1]) };
                let exit = self.exits[chunk][trail::exit(end) as usize];
                leaves[index as usize] = exit;
                waiting[left] = index;
                left += (exit >> 31) as usize;
            }
            count = left;
        }
    }
}
