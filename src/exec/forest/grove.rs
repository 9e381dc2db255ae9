//! The general kernel: many trees, or many rows, walked at once so that their loads overlap.
//!
//! One step of a walk is a load of an entry, a load of a code and two additions, without a branch. A dozen walks are
//! interleaved. All go a number of steps, and stay at a leaf that they reach before; those that have not arrived by then go
//! a few steps more together, and so on (`legs`).
#![allow(unsafe_code)]

use super::bed::Bed;
use super::entry::Entry;
use super::legs::Legs;
use super::lines::{Buffer, Plain};
use super::lowered::{Lowered, Test};
use super::processor::Processor;
use super::slab::{self, Slab};

/// Walks at once.
pub const LANES: usize = 12;

/// A walk that has not arrived: its number, and above it the place of its entry.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Resting(u64);

// SAFETY: a number.
unsafe impl Plain for Resting {}

impl Resting {
    #[inline(always)]
    fn new(walk: usize, place: u32) -> Self {
        Self(u64::from(place) << 32 | walk as u64)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // on purpose
    fn walk(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    fn place(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A forest laid out for the general kernel.
#[derive(Debug)]
pub struct Grove<E> {
    /// Every tree from its root on, children behind their parents.
    entries: Slab<E>,
    /// The first entry of each tree.
    roots: Vec<u32>,
    /// The place of its first leaf among all leaves.
    leaves: Vec<u32>,
    /// Codes of a row.
    slots: usize,
    legs: Legs,
    processor: Processor,
}

impl<E: Entry> Grove<E> {
    /// Lays a forest out; `place` gives the slot and the limit of a test. `None` when a tree does not fit this kind of entry.
    pub fn new(
        lowered: &Lowered<'_>,
        slots: usize,
        processor: Processor,
        place: impl Fn(Test) -> (usize, E::Code),
    ) -> Option<Self> {
        let trees = lowered.forest.trees();
        let entries: usize = trees.iter().map(|tree| 2 * tree.nodes.len() + 2).sum();
        if slots > E::SLOTS || u32::try_from(entries).is_err() || trees.iter().any(|tree| tree.leaves() > E::LEAVES) {
            return None;
        }
        let mut bed = Bed { entries: slab::room(entries) };
        let mut roots = Vec::with_capacity(trees.len());
        for (index, tree) in trees.iter().enumerate() {
            let weight = lowered.weight(index);
            roots.push(super::narrow(bed.plant(tree, lowered.tests(index), lowered.labels(index), weight, &place)?));
        }
        Some(Self {
            entries: bed.entries,
            roots,
            leaves: lowered.leaves.clone(),
            slots,
            legs: lowered.legs().clone(),
            processor,
        })
    }

    /// Trees.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Codes of a row.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Bytes of the entries.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.entries) + 2 * size_of_val(self.roots.as_slice())
    }

    /// Leads walks from roots to leaves: `found` becomes the numbers of the leaves within their trees; `waiting` is working memory, a
    /// place for each walk and twice [`LANES`] more.
    ///
    /// # Safety
    /// `root` gives each walk the place of an entry, `words` those of a row.
    #[inline(always)]
    unsafe fn lead(
        &self,
        found: &mut [u32],
        waiting: &mut [Resting],
        root: impl Fn(usize) -> u32,
        words: impl Fn(usize) -> *const E::Word,
    ) {
        let walks = found.len();
        assert!(waiting.len() >= walks + 2 * LANES);
        let (steps, others) = self.legs.split();
        let mut count = 0;
        for first in (0..walks).step_by(LANES) {
            // The last lanes take walks along that have been there before, or the last one again: what is done twice is the same.
            let begin = first.min(walks.saturating_sub(LANES));
            let walk = |lane: usize| if walks < LANES { lane.min(walks - 1) } else { begin + lane };
            // SAFETY: as promised.
            let lanes =
                unsafe { self.go(std::array::from_fn(|lane| root(walk(lane))), steps, |lane| words(walk(lane))) };
            for (lane, place) in lanes.into_iter().enumerate() {
                // SAFETY: walks are numbers of places of `found`, and so many lanes as here are behind the walks.
                count += unsafe { self.rest(found, waiting, count, walk(lane), place) };
            }
        }
        for steps in others.into_iter().flatten() {
            if count == 0 {
                return;
            }
            // Where fewer walks are left than lanes, the others are the last one again.
            let last = waiting[count - 1];
            waiting[count..][..LANES - 1].fill(last);
            let mut left = 0;
            for first in (0..count).step_by(LANES) {
                // SAFETY: the first `count` places are those of walks that wait, and as many as there are lanes follow them.
                let rests: [Resting; LANES] =
                    std::array::from_fn(|lane| unsafe { *waiting.get_unchecked(first + lane) });
                // SAFETY: as promised.
                let lanes =
                    unsafe { self.go(rests.map(Resting::place), steps, |lane| words(rests[lane].walk() as usize)) };
                for (rest, place) in rests.into_iter().zip(lanes) {
                    // SAFETY: as above; a group of lanes leaves no more than itself.
                    left += unsafe { self.rest(found, waiting, left, rest.walk() as usize, place) };
                }
            }
            count = left;
        }
    }

    /// Takes walks so many steps on.
    ///
    /// # Safety
    /// `lanes` are places of entries, and `words` gives each of them those of a row.
    #[inline(always)]
    unsafe fn go(
        &self,
        mut lanes: [u32; LANES],
        steps: usize,
        words: impl Fn(usize) -> *const E::Word,
    ) -> [u32; LANES] {
        let entries = self.entries.as_ptr();
        for _ in 0..steps {
            for (index, lane) in lanes.iter_mut().enumerate() {
                // SAFETY: the entry a step leads to exists: a node's children do, and a leaf leads to itself. Slots are below their
                // number, and a row has that many words.
                *lane += unsafe {
                    let entry = *entries.add(*lane as usize);
                    entry.step(*words(index).add(entry.slot()))
                };
            }
        }
        lanes
    }

    /// Notes where a walk rests, and that it waits behind `count` others; 0 if it does not, since it has arrived.
    ///
    /// # Safety
    /// The walk is the number of a place of `found`, `place` that of an entry, and `count` a place of `waiting`.
    #[inline(always)]
    unsafe fn rest(&self, found: &mut [u32], waiting: &mut [Resting], count: usize, walk: usize, place: u32) -> usize {
        // SAFETY: as promised.
        unsafe {
            let entry = *self.entries.get_unchecked(place as usize);
            // Of a node it means nothing, and is replaced when the walk has arrived.
            *found.get_unchecked_mut(walk) = entry.number();
            *waiting.get_unchecked_mut(count) = Resting::new(walk, place);
            usize::from(entry.goes_on())
        }
    }

    /// The codes of rows as steps take them.
    #[inline]
    pub fn words<'a>(&self, codes: &'a [E::Code], room: &'a mut Buffer) -> &'a [E::Word] {
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Avx2 | Processor::Avx512 | Processor::Vbmi => unsafe { Self::words_avx2(codes, room) },
            _ => E::words(codes, room),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn words_avx2<'a>(codes: &'a [E::Code], room: &'a mut Buffer) -> &'a [E::Word] {
        E::words(codes, room)
    }

    /// The leaves that one row reaches in the trees from `first` on, one for each place of `leaves`; `waiting` is working memory
    /// of twice [`LANES`] places more.
    ///
    /// # Panics
    /// When `words` are fewer than the slots.
    #[inline]
    pub fn row(&self, words: &[E::Word], first: usize, leaves: &mut [u32], waiting: &mut [Resting]) {
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Avx2 | Processor::Avx512 | Processor::Vbmi => unsafe {
                self.row_avx2(words, first, leaves, waiting);
            },
            _ => self.row_here(words, first, leaves, waiting),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn row_avx2(&self, words: &[E::Word], first: usize, leaves: &mut [u32], waiting: &mut [Resting]) {
        self.row_here(words, first, leaves, waiting);
    }

    #[inline(always)]
    fn row_here(&self, words: &[E::Word], first: usize, leaves: &mut [u32], waiting: &mut [Resting]) {
        assert!(words.len() >= self.slots);
        let trees = first..first + leaves.len();
        let roots = &self.roots[trees.clone()];
        // SAFETY: the walks begin at roots, of which there are as many, and there are words for all slots.
        unsafe { self.lead(leaves, waiting, |tree| *roots.get_unchecked(tree), |_| words.as_ptr()) };
        leaves.iter_mut().zip(&self.leaves[trees]).for_each(|(leaf, first)| *leaf += first);
    }

    /// The leaves of one tree that rows reach, one for each place of `leaves`; the words of a row stand `stride` behind those of the
    /// one before; `waiting` is working memory of twice [`LANES`] places more than `leaves`.
    ///
    /// # Panics
    /// When `stride` is below the slots, or `words` are too few.
    #[inline]
    pub fn rows(&self, words: &[E::Word], stride: usize, tree: usize, leaves: &mut [u32], waiting: &mut [Resting]) {
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Avx2 | Processor::Avx512 | Processor::Vbmi => unsafe {
                self.rows_avx2(words, stride, tree, leaves, waiting);
            },
            _ => self.rows_here(words, stride, tree, leaves, waiting),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn rows_avx2(&self, words: &[E::Word], stride: usize, tree: usize, leaves: &mut [u32], waiting: &mut [Resting]) {
        self.rows_here(words, stride, tree, leaves, waiting);
    }

    #[inline(always)]
    fn rows_here(&self, words: &[E::Word], stride: usize, tree: usize, leaves: &mut [u32], waiting: &mut [Resting]) {
        assert!(stride >= self.slots && words.len() >= stride * leaves.len());
        let (root, first) = (self.roots[tree], self.leaves[tree]);
        // SAFETY: the walks begin at a root; the words of every row lie within `words`.
        unsafe { self.lead(leaves, waiting, |_| root, |row| words.as_ptr().wrapping_add(row * stride)) };
        leaves.iter_mut().for_each(|leaf| *leaf += first);
    }

    /// Reads all entries.
    pub fn prefetch(&self) {
        super::warm(&self.entries);
        super::warm(&self.roots);
        super::warm(&self.leaves);
    }
}
