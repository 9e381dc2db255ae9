//! Many rows: blocks of codes, column behind column, then tree after tree.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::labels::{Labels, SIDE, VECTOR};
use super::lowered::Lowered;
use super::processor::Processor;
use super::scratch::Scratch;
use super::sums::Sums;
use std::sync::Arc;

/// The most rows of a block.
const ROWS: usize = 512;
/// Rows whose codes are turned round together.
const TURN: usize = 16;

/// A forest for many rows.
#[derive(Debug)]
pub struct Batch {
    coder: Arc<Ranked<u8>>,
    kind: Kind,
}

/// What goes through the nodes.
#[derive(Debug)]
enum Kind {
    /// Any processor.
    Plain(Labels),
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Tiled(Box<super::tiled::Tiled>),
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Wide(Box<super::wide::Wide>),
}

impl Batch {
    /// Lays a forest out; `None` when it does not fit.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables))] // the plain kind keeps nothing of the sums
    pub fn new(lowered: &Lowered<'_>, coder: Arc<Ranked<u8>>, sums: &Sums, processor: Processor) -> Option<Self> {
        if lowered.conditions.count > 0 && processor == Processor::Portable {
            return None;
        }
        let labels = Labels::new(lowered, coder.slots())?;
        // What AVX2 alone has a kernel for is faster on its registers than row by row on wider ones.
        #[cfg(target_arch = "x86_64")]
        let alone = lowered.conditions.count > 0 || lowered.forest.trees().iter().any(|tree| !tree.linear.is_empty());
        #[cfg(target_arch = "x86_64")]
        if processor == Processor::Avx2 || processor > Processor::Avx2 && alone {
            let tiled = super::tiled::Tiled::new(lowered, &labels, &coder, sums)?;
            return Some(Self { coder, kind: Kind::Tiled(Box::new(tiled)) });
        }
        let kind = match processor {
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512 | Processor::Vbmi => {
                Kind::Wide(Box::new(super::wide::Wide::new(labels, &coder, sums, processor)))
            }
            _ => Kind::Plain(labels),
        };
        Some(Self { coder, kind })
    }

    /// Columns of numbers.
    pub fn columns(&self) -> usize {
        self.coder.slots().features.len()
    }

    /// Bytes of nodes and values, and of tables that nobody shares.
    pub fn bytes(&self) -> usize {
        let tables = if Arc::strong_count(&self.coder) == 1 { self.coder.bytes() } else { 0 };
        let nodes = match &self.kind {
            Kind::Plain(labels) => labels.bytes(),
            #[cfg(target_arch = "x86_64")]
            Kind::Tiled(tiled) => tiled.bytes(),
            #[cfg(target_arch = "x86_64")]
            Kind::Wide(wide) => wide.bytes(),
        };
        tables + nodes
    }

    /// Adds the trees to the margins of every row, `stride` numbers apart.
    pub fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        #[cfg(target_arch = "x86_64")]
        if let Kind::Tiled(tiled) = &self.kind {
            // SAFETY: this is only made for a processor with AVX2.
            unsafe { tiled.add(&self.coder, rows, sums, out, stride, scratch) };
            return;
        }
        let mut first = 0;
        while first < rows.count() {
            let left = rows.count() - first;
            // A power of two of vectors, of which at most a quarter goes along for nothing.
            let (below, above) = (left.next_power_of_two() / 2, left.next_power_of_two());
            let size = if left > above / 4 * 3 { above } else { below }.clamp(VECTOR, ROWS);
            let block = rows.range(first, size.min(left));
            let out = &mut out[first * stride..][..block.count() * stride];
            self.add_block(block, size, sums, out, stride, scratch);
            first += block.count();
        }
    }

    fn add_block<T: Value>(
        &self,
        rows: Rows<'_, T>,
        size: usize,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        match &self.kind {
            Kind::Plain(labels) => self.block(labels, rows, size, sums, out, stride, scratch),
            #[cfg(target_arch = "x86_64")]
            Kind::Wide(wide) => wide.add_block(&self.coder, rows, size, sums, out, stride, scratch),
            #[cfg(target_arch = "x86_64")]
            Kind::Tiled(_) => unreachable!("all rows at once"),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn block<T: Value>(
        &self,
        of: &Labels,
        rows: Rows<'_, T>,
        size: usize,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        let slots = self.coder.slots().count();
        let codes = scratch.codes.room::<u8>(slots * size);
        let turn = scratch.turn.room::<u8>(slots * TURN);
        for (block, first) in rows.blocks(TURN).zip((0..).step_by(TURN)) {
            for (row, codes) in block.iter().zip(turn.chunks_exact_mut(slots)) {
                self.coder.code(row, codes, &mut scratch.keys);
            }
            for (slot, column) in codes.chunks_exact_mut(size).enumerate() {
                for (lane, code) in column[first..first + TURN].iter_mut().enumerate() {
                    *code = turn[lane * slots + slot];
                }
            }
        }
        let labels = scratch.labels.room::<u8>(size);
        for (first, nodes) in of.groups() {
            for (side, tree) in of.trees[first..].iter().take(SIDE).enumerate() {
                of.label(nodes, side, codes, labels);
                let leaves = labels[..rows.count()].iter().map(|&label| tree.leaf + u32::from(label));
                sums.add_rows(first + side, leaves, rows, out, stride);
            }
        }
    }
}
