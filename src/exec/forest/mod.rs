//! Compiled forests: what a validated forest becomes, once, at load, so that rows go through it as fast as the processor allows.
//!
//! A row first becomes small integers, its *codes* (`coder`), then a kernel finds the leaf of every tree, then the values of the leaves
//! are added up (`sums`). Which codes and which kernel suit a forest is estimated from its shape (`choice`); every choice gives the
//! same bits as the reference evaluator.
#![allow(clippy::inline_always)] // one body is compiled for several instruction sets, into whose functions it must be inlined
#![allow(clippy::cast_possible_wrap)] // counts of things in memory

mod choice;
mod coder;
mod condition;
mod entry;
mod grove;
mod key;
mod lines;
mod lowered;
mod processor;
mod ranks;
mod scratch;
mod shape;
mod slots;
mod sums;
mod walk;

#[cfg(test)]
mod tests;

pub use choice::Setup;
#[cfg(test)]
pub use choice::{Codes, Kernel};
pub use processor::Processor;

use super::{Number, Rows};
use crate::ir::Forest;
use crate::ir::forest::Layout;
use choice::Choice;
use lowered::Lowered;
use scratch::SCRATCH;
use serde_json::Value;
use shape::Shape;
use sums::Sums;
use walk::Walks;

/// A forest ready to run; immutable, so any number of threads may share it.
#[derive(Debug)]
pub struct Compiled {
    sums: Sums,
    walks: Walks,
    choice: Choice,
}

impl Compiled {
    /// Compiles a forest.
    #[must_use]
    pub fn new(forest: &Forest, setup: Setup) -> Self {
        let lowered = Lowered::new(forest);
        let mut choice = Choice::new(Shape::of(&lowered), setup);
        let walks = Walks::new(&lowered, &mut choice);
        Self { sums: Sums::new(forest), walks, choice }
    }

    /// What all trees share.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.sums.layout()
    }

    /// Trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.sums.trees()
    }

    /// What was chosen and why, and how many bytes it takes, for a model's JSON.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut facts = self.choice.describe();
        facts["bytes"] = (self.sums.bytes() + self.walks.bytes()).into();
        facts
    }

    /// Reads everything that a row may need, so that it is in the caches.
    pub fn prefetch(&self) {
        self.walks.prefetch();
        self.sums.prefetch();
    }

    /// Margins of every row into `out`, `stride` numbers apart.
    pub fn margins<T: Number>(&self, rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
        let outputs = self.layout().base.len();
        for out in out.chunks_exact_mut(stride) {
            self.sums.start(&mut out[..outputs]);
        }
        SCRATCH.with_borrow_mut(|scratch| self.walks.add(rows, &self.sums, out, stride, scratch));
        for out in out.chunks_exact_mut(stride) {
            self.sums.finish(&mut out[..outputs]);
        }
    }

    /// Adds the trees to the margins of one row, which start elsewhere than at the forest's base.
    pub fn add(&self, row: Rows<'_, f64>, sums: &mut [f64]) {
        let stride = sums.len();
        SCRATCH.with_borrow_mut(|scratch| self.walks.add(row, &self.sums, sums, stride, scratch));
        self.sums.finish(sums);
    }

    /// Calls `put` with the row, the tree and the library's number of the leaf, for every row and every tree.
    pub fn leaves<T: Number>(&self, rows: Rows<'_, T>, mut put: impl FnMut(usize, usize, u32)) {
        SCRATCH.with_borrow_mut(|scratch| {
            self.walks.leaves(rows, scratch, &mut |row, tree, leaf| put(row, tree, self.sums.id(tree, leaf)));
        });
    }
}

/// A number that is known to be small enough for its type.
///
/// # Panics
/// When it is not.
#[allow(clippy::missing_const_for_fn)]
fn narrow<T: TryFrom<usize>>(number: usize) -> T {
    T::try_from(number).unwrap_or_else(|_| unreachable!("{number} was checked to be smaller"))
}

/// Reads something of every cache line of a slice.
fn warm<T: Copy>(slice: &[T]) {
    for item in slice.iter().step_by((64 / size_of::<T>().max(1)).max(1)) {
        std::hint::black_box(*item);
    }
}
