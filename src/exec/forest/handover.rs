//! Leaves on their way to a sink, a few at a time.
//!
//! A sink adds one number after the other, which is waiting for the most part. A kernel that finds the leaves of many trees at once has it
//! take those of the last trees while it looks for those of the next ones.
#![allow(unsafe_code)]

use super::sums::Sink;

/// The most trees at once.
pub const SIDE: usize = 64;
/// For each tree of a group which of its leaves a row reaches.
pub type Own = [u8; SIDE];

/// How far a sink has come.
pub struct Handover<'a, S> {
    sink: S,
    /// For each tree its first leaf among all leaves.
    leaves: &'a [u32],
    /// The tree whose leaf comes next, its place in the group, and one past the last place.
    tree: usize,
    at: usize,
    end: usize,
}

impl<'a, S: Sink> Handover<'a, S> {
    /// Before the first group.
    pub fn new(sink: S, leaves: &'a [u32]) -> Self {
        Self { sink, leaves, tree: 0, at: 0, end: 0 }
    }

    /// Hands the next leaf over.
    ///
    /// # Safety
    /// There is one, and it is a leaf of its tree.
    #[inline(always)]
    unsafe fn next(&mut self, own: &Own) {
        // SAFETY: as promised.
        unsafe {
            let leaf = self.leaves.get_unchecked(self.tree) + u32::from(*own.get_unchecked(self.at));
            self.sink.put(self.tree, leaf);
        };
        self.tree += 1;
        self.at += 1;
    }

    /// Hands some leaves over, if so many are left.
    ///
    /// # Safety
    /// They are leaves of their trees.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub unsafe fn some(&mut self, own: &Own) {
        const SOME: usize = 4;
        if self.at + SOME <= self.end {
            // SAFETY: as just seen, and as promised.
            (0..SOME).for_each(|_| unsafe { self.next(own) });
        }
    }

    /// Hands all over that are left of a group, and begins the next one.
    ///
    /// # Safety
    /// They are leaves of their trees.
    #[inline(always)]
    pub unsafe fn turn(&mut self, own: &Own, trees: usize) {
        while self.at < self.end {
            // SAFETY: as just seen, and as promised.
            unsafe { self.next(own) };
        }
        (self.at, self.end) = (0, trees.min(self.leaves.len() - self.tree));
    }

    /// Hands all over that are left, and gives the sink back.
    ///
    /// # Safety
    /// They are leaves of their trees.
    #[inline(always)]
    pub unsafe fn end(mut self, own: &Own) -> S {
        // SAFETY: as promised.
        unsafe { self.turn(own, 0) };
        self.sink
    }
}
