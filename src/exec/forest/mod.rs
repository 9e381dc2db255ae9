//! Compiled forests: what a validated forest becomes, once, at load, so that rows go through it as fast as the processor allows.
//!
//! A row first becomes small integers, its *codes* (`coder`), then a kernel finds the leaf of every tree, then the values of the leaves
//! are added up (`sums`). Which codes and which kernel suit a forest is estimated from its shape (`choice`); every choice gives the
//! same bits as the reference evaluator.
#![allow(clippy::inline_always)] // one body is compiled for several instruction sets, into whose functions it must be inlined
#![allow(clippy::cast_possible_wrap)] // counts of things in memory
#![allow(clippy::wildcard_imports)] // of the instructions of a processor

#[cfg(target_arch = "x86_64")]
mod abreast;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod batch;
mod bed;
mod choice;
#[cfg(target_arch = "x86_64")]
mod chunk;
#[cfg(target_arch = "x86_64")]
mod chunked;
mod coder;
#[cfg(target_arch = "x86_64")]
mod columns;
mod condition;
mod entry;
#[cfg(target_arch = "x86_64")]
mod groups;
mod grove;
mod handover;
#[cfg(target_arch = "x86_64")]
mod heads;
mod heap;
#[cfg(target_arch = "x86_64")]
mod jump;
mod kernel;
mod key;
mod labels;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod legs;
#[cfg(target_arch = "x86_64")]
mod linear;
mod lines;
mod lowered;
#[cfg(target_arch = "x86_64")]
mod members;
mod mesh;
#[cfg(target_arch = "x86_64")]
mod nibbles;
mod order;
#[cfg(target_arch = "x86_64")]
mod planes;
mod processor;
mod ranks;
#[cfg(target_arch = "x86_64")]
mod registers;
mod scratch;
#[cfg(target_arch = "x86_64")]
mod sets;
mod shape;
mod sieve;
mod slab;
mod slots;
#[cfg(target_arch = "x86_64")]
mod stream;
mod sums;
mod symmetric;
#[cfg(target_arch = "x86_64")]
mod tiers;
#[cfg(target_arch = "x86_64")]
mod tile;
#[cfg(target_arch = "x86_64")]
mod tiled;
#[cfg(target_arch = "x86_64")]
mod trail;
#[cfg(target_arch = "x86_64")]
mod trios;
#[cfg(target_arch = "x86_64")]
mod tufts;
#[cfg(target_arch = "x86_64")]
mod turns;
mod walk;
mod weave;
mod weight;
#[cfg(target_arch = "x86_64")]
mod wide;

#[cfg(test)]
mod tests;

pub use choice::Setup;
#[cfg(test)]
pub use choice::{Codes, Method};
pub use processor::Processor;

use super::{Number, Rows};
use crate::ir::Forest;
use crate::ir::forest::Layout;
use batch::Batch;
use choice::Choice;
use kernel::Laid;
use lowered::Lowered;
use scratch::SCRATCH;
use serde_json::Value;
use sums::Sums;

/// A forest ready to run; immutable, so any number of threads may share it.
#[derive(Debug)]
pub struct Compiled {
    sums: Sums,
    /// For one row.
    laid: Laid,
    /// For many rows.
    many: Option<Many>,
    choice: Choice,
}

/// What many rows go through.
#[derive(Debug)]
struct Many {
    /// The rows from which on it is faster.
    from: usize,
    batch: Batch,
    /// Sums of leaves by label, where the kernel for one row knows them otherwise.
    sums: Option<Sums>,
}

impl Compiled {
    /// Compiles a forest.
    #[must_use]
    pub fn new(forest: &Forest, setup: Setup) -> Self {
        let mut lowered = Lowered::new(forest);
        let mut choice = Choice::new(&mut lowered, setup);
        let mut laid = Laid::new(&lowered, &mut choice);
        let sums = laid.sums(&lowered);
        let many = choice.batch_from().and_then(|from| {
            let parts = slots::Parts { conditions: false, ..slots::Parts::ALL };
            lowered.split(ranks::BYTES);
            let coder = laid.byte_coder().cloned().or_else(|| kernel::byte_coder(&lowered, &choice, parts))?;
            let own = (!laid.knows_labels()).then(|| Sums::by_label(&lowered));
            let batch = Batch::new(&lowered, coder, own.as_ref().unwrap_or(&sums), choice.processor)?;
            Some(Many { from, batch, sums: own })
        });
        Self { sums, laid, many, choice }
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

    /// Rows that a thread takes at a time, where `count` of them are worth that many threads.
    #[must_use]
    pub fn part(&self, count: usize, threads: usize) -> Option<usize> {
        const PARTS: usize = 3;
        (self.choice.worth(count)).then(|| (count / (threads * PARTS)).next_multiple_of(64).clamp(64, 512))
    }

    /// What was chosen and why, and how many bytes it takes, for a model's JSON.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut facts = self.choice.describe();
        if let Some(many) = &self.many {
            facts["batches_from"] = many.from.into();
            facts["batch_columns"] = many.batch.columns().into();
        }
        facts["bytes"] = {
            let many =
                self.many.as_ref().map_or(0, |many| many.batch.bytes() + many.sums.as_ref().map_or(0, Sums::bytes));
            (self.sums.bytes() + self.laid.bytes() + many).into()
        };
        facts
    }

    /// Reads everything that a row may need, so that it is in the caches.
    pub fn prefetch(&self) {
        self.laid.prefetch();
        self.sums.prefetch();
    }

    /// Margins of every row into `out`, `stride` numbers apart.
    pub fn margins<T: Number>(&self, rows: Rows<'_, T>, out: &mut [f64], stride: usize) {
        self.sums.start(out, stride);
        SCRATCH.with_borrow_mut(|scratch| match &self.many {
            Some(Many { from, batch, sums }) if rows.count() >= *from => {
                batch.add(rows, sums.as_ref().unwrap_or(&self.sums), out, stride, scratch);
            }
            _ => self.laid.add(rows, &self.sums, out, stride, scratch),
        });
        self.sums.finish(out, stride);
    }

    /// Adds the trees to the margins of one row, which start elsewhere than at the forest's base.
    pub fn add(&self, row: Rows<'_, f64>, sums: &mut [f64]) {
        let stride = sums.len();
        SCRATCH.with_borrow_mut(|scratch| self.laid.add(row, &self.sums, sums, stride, scratch));
        self.sums.finish(sums, stride);
    }

    /// Calls `put` with the row, the tree and the library's number of the leaf, for every row and every tree.
    pub fn leaves<T: Number>(&self, rows: Rows<'_, T>, mut put: impl FnMut(usize, usize, u32)) {
        SCRATCH.with_borrow_mut(|scratch| {
            self.laid.leaves(rows, scratch, &mut |row, tree, leaf| put(row, tree, self.sums.id(leaf)));
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
